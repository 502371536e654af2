//! Who is next: a fair queue by what requests use, as a pure structure.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// Fractions of a token that shares are counted in, so that weights divide well.
const FINE: u64 = 1 << 16;
/// Keys without requests that are remembered for what they used beyond their share.
const IDLE_KEYS: usize = 4096;

/// Names a request in a [`FairQueue`]; never handed out twice.
pub type Ticket = u64;

/// What a [`FairQueue`] is bounded by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FairLimits {
    /// Requests that run at once; at least one.
    pub slots: usize,
    /// Requests that wait, all together.
    pub waiting: usize,
    /// Requests of one key that wait.
    pub waiting_per_key: usize,
}

/// A request as it comes.
#[derive(Clone, Copy, Debug)]
pub struct FairRequest<'a> {
    /// With whom it shares.
    pub key: &'a str,
    /// The key's share beside others; at least one.
    pub weight: u32,
    /// Tokens that it is thought to use.
    pub tokens: u64,
}

/// What becomes of a request that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It runs at once.
    Runs(Ticket),
    /// It waits, so many requests being before it or running beside it that it is the `position`th to begin.
    Waits {
        /// Its name.
        ticket: Ticket,
        /// 1 for the next one.
        position: usize,
    },
}

/// Why a request may not even wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueFull {
    /// So many wait as may.
    #[error("the queue is full")]
    All,
    /// So many of its key wait as may.
    #[error("the caller's part of the queue is full")]
    Key,
}

/// A key as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyView {
    /// The key.
    pub key: String,
    /// Its requests that run.
    pub running: usize,
    /// Its requests that wait.
    pub waiting: usize,
    /// Position of the first that waits; 0 where none does.
    pub position: usize,
}

/// A queue for so many slots, in which the keys share what is used by their weights (start-time fair queueing).
///
/// Each key has a tag: tokens used over its weight. Whenever a slot is free, the waiting key with the lowest tag begins, and
/// pays what its request is thought to use; when that ends, the difference to what it used. A key that was away comes back
/// with the tag of who began last: it cannot save up. Within a key, first come first served.
///
/// Never more than `slots` run, but where slots were taken away while they were in use.
#[derive(Debug)]
pub struct FairQueue {
    limits: FairLimits,
    keys: HashMap<String, Key>,
    /// Keys that wait, by tag and number.
    order: BTreeSet<(u64, u64, String)>,
    requests: HashMap<Ticket, Request>,
    /// The tag of who began last.
    now: u64,
    running: usize,
    waiting: usize,
    numbers: u64,
}

#[derive(Debug)]
struct Key {
    number: u64,
    weight: u64,
    tag: u64,
    running: usize,
    waiting: VecDeque<Ticket>,
}

#[derive(Debug)]
struct Request {
    key: String,
    tokens: u64,
    runs: bool,
}

impl Key {
    /// What so many tokens add to its tag.
    fn share(&self, tokens: u64) -> u64 {
        tokens.saturating_mul(FINE) / self.weight
    }

    fn is_idle(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }
}

impl FairQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(limits: FairLimits) -> Self {
        Self {
            limits,
            keys: HashMap::new(),
            order: BTreeSet::new(),
            requests: HashMap::new(),
            now: 0,
            running: 0,
            waiting: 0,
            numbers: 0,
        }
    }

    /// Takes in a request.
    ///
    /// # Errors
    /// When it would have to wait and may not.
    pub fn enter(&mut self, request: FairRequest<'_>) -> Result<Entry, QueueFull> {
        let runs = self.running < self.limits.slots && self.waiting == 0;
        if !runs {
            self.may_wait(request.key)?;
        }
        self.forget_idle();
        let ticket = self.number();
        let number = ticket;
        let now = self.now;
        let key = self.keys.entry(request.key.to_owned()).or_insert_with(|| Key {
            number,
            weight: 1,
            tag: now,
            running: 0,
            waiting: VecDeque::new(),
        });
        key.weight = u64::from(request.weight.max(1));
        if key.is_idle() {
            key.tag = key.tag.max(now);
        }
        let entered = Request {
            key: request.key.to_owned(),
            tokens: request.tokens.max(1),
            runs: false,
        };
        if !runs && key.waiting.is_empty() {
            self.order.insert((key.tag, key.number, entered.key.clone()));
        }
        if !runs {
            key.waiting.push_back(ticket);
            self.waiting += 1;
        }
        self.requests.insert(ticket, entered);
        if runs {
            self.begin(ticket);
            return Ok(Entry::Runs(ticket));
        }
        let position = self.position(ticket).unwrap_or(self.waiting);
        Ok(Entry::Waits { ticket, position })
    }

    /// Ends a request, whether it runs or waits; `used` is what it used, `None` where that is not known. Returns whom it makes
    /// place for. Ending one twice does nothing.
    pub fn end(&mut self, ticket: Ticket, used: Option<u64>) -> Vec<Ticket> {
        let Some(request) = self.requests.remove(&ticket) else {
            return Vec::new();
        };
        if request.runs {
            self.running -= 1;
            let used = used.unwrap_or(request.tokens);
            self.change(&request.key, |key| {
                key.running -= 1;
                let held = key.share(request.tokens);
                key.tag = key.tag.saturating_sub(held).saturating_add(key.share(used));
            });
        } else {
            self.waiting -= 1;
            self.change(&request.key, |key| key.waiting.retain(|known| *known != ticket));
        }
        self.fill()
    }

    /// Changes the bounds; who waits stays. Returns who may begin.
    pub fn set_limits(&mut self, limits: FairLimits) -> Vec<Ticket> {
        self.limits = limits;
        self.fill()
    }

    /// The bounds.
    #[must_use]
    pub fn limits(&self) -> FairLimits {
        self.limits
    }

    /// The how-manieth of those that wait a request is to begin, as things stand; `None` if it does not wait.
    #[must_use]
    pub fn position(&self, ticket: Ticket) -> Option<usize> {
        let request = self.requests.get(&ticket).filter(|request| !request.runs)?;
        let own = self.keys.get(&request.key)?;
        let at = own.waiting.iter().position(|known| *known == ticket)?;
        let turn = (self.tags(own).nth(at)?, own.number);
        let before = |key: &Key| self.tags(key).take_while(|tag| (*tag, key.number) < turn).count();
        let others = self.keys.values().filter(|key| key.number != own.number);
        Some(others.map(before).sum::<usize>() + at + 1)
    }

    /// The keys that have requests here.
    #[must_use]
    pub fn view(&self) -> Vec<KeyView> {
        let shown = self.keys.iter().filter(|(_, key)| !key.is_idle());
        let mut views: Vec<_> = shown
            .map(|(name, key)| KeyView {
                key: name.clone(),
                running: key.running,
                waiting: key.waiting.len(),
                position: key
                    .waiting
                    .front()
                    .and_then(|first| self.position(*first))
                    .unwrap_or(0),
            })
            .collect();
        views.sort_by(|a, b| (a.position, &a.key).cmp(&(b.position, &b.key)));
        views
    }

    /// Requests that run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running
    }

    /// Requests that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    fn may_wait(&self, key: &str) -> Result<(), QueueFull> {
        let own = self.keys.get(key).map_or(0, |key| key.waiting.len());
        if self.waiting >= self.limits.waiting {
            Err(QueueFull::All)
        } else if own >= self.limits.waiting_per_key {
            Err(QueueFull::Key)
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The tags at which the waiting requests of a key begin.
    fn tags<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = u64> + 'a {
        let sizes = key.waiting.iter().filter_map(|ticket| self.requests.get(ticket));
        sizes.scan(key.tag, |tag, request| {
            let begins = *tag;
            *tag = tag.saturating_add(key.share(request.tokens));
            Some(begins)
        })
    }

    /// Changes a key and keeps its place in the order right.
    fn change(&mut self, name: &str, change: impl FnOnce(&mut Key)) {
        let Some(key) = self.keys.get_mut(name) else {
            return;
        };
        if !key.waiting.is_empty() {
            self.order.remove(&(key.tag, key.number, name.to_owned()));
        }
        change(key);
        if !key.waiting.is_empty() {
            self.order.insert((key.tag, key.number, name.to_owned()));
        }
    }

    fn begin(&mut self, ticket: Ticket) {
        let Some(request) = self.requests.get_mut(&ticket) else {
            return;
        };
        request.runs = true;
        let (name, tokens) = (request.key.clone(), request.tokens);
        self.running += 1;
        let mut began = 0;
        self.change(&name, |key| {
            began = key.tag;
            key.running += 1;
            key.tag = key.tag.saturating_add(key.share(tokens));
        });
        self.now = self.now.max(began);
    }

    fn fill(&mut self) -> Vec<Ticket> {
        let mut begun = Vec::new();
        while self.running < self.limits.slots
            && let Some((_, _, name)) = self.order.first().cloned()
        {
            let mut next = None;
            self.change(&name, |key| next = key.waiting.pop_front());
            let Some(ticket) = next else { break };
            self.waiting -= 1;
            self.begin(ticket);
            begun.push(ticket);
        }
        begun
    }

    /// Who is idle and used no more than others counts as nobody; so does everybody once too many are remembered.
    fn forget_idle(&mut self) {
        if self.keys.len() > self.requests.len() + IDLE_KEYS {
            let now = self.now;
            self.keys.retain(|_, key| !key.is_idle() || key.tag > now);
        }
        if self.keys.len() > self.requests.len() + 2 * IDLE_KEYS {
            self.keys.retain(|_, key| !key.is_idle());
        }
    }
}

#[cfg(test)]
mod tests;
