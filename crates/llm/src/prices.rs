//! What tokens cost.

mod names;

use std::collections::HashMap;

use serde::Deserialize;
use thiserror::Error;

use crate::Usage;

const SHIPPED: &str = include_str!("../data/prices.json");

/// Rates are per this many tokens.
const RATE_UNIT: u128 = 1_000_000;

/// Prices of one model, as written in the shipped table or by a user.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceConfig {
    /// What each kind of token costs.
    pub rates: RatesConfig,
    /// Other rates for calls with a long input, where the provider has them.
    #[serde(default)]
    pub long_context: Option<LongContextConfig>,
    /// Other rates for calls that the provider serves when it has time, where it has them; with a long input, too.
    #[serde(default)]
    pub batch: Option<RatesConfig>,
}

/// Micro-USD per million tokens, by bucket of [`Usage`]: 2500000 is $2.50 per million.
///
/// What is left out costs what it would without its special treatment: cache reads and writes, audio and image input as
/// fresh input; the one-hour cache as the five-minute one; reasoning, audio and image output as output. Searches and
/// time cost nothing unless they are named.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatesConfig {
    /// Fresh input.
    pub input: u64,
    /// Output text.
    pub output: u64,
    /// Input read from a prompt cache.
    #[serde(default)]
    pub cache_read: Option<u64>,
    /// Input written to a prompt cache.
    #[serde(default)]
    pub cache_write: Option<u64>,
    /// Input written to a prompt cache that lives for an hour.
    #[serde(default)]
    pub cache_write_1h: Option<u64>,
    /// Audio input.
    #[serde(default)]
    pub audio_input: Option<u64>,
    /// Reasoning.
    #[serde(default)]
    pub reasoning: Option<u64>,
    /// Audio output.
    #[serde(default)]
    pub audio_output: Option<u64>,
    /// Image input.
    #[serde(default)]
    pub image_input: Option<u64>,
    /// Image output.
    #[serde(default)]
    pub image_output: Option<u64>,
    /// Micro-USD per million searches.
    #[serde(default)]
    pub searches: u64,
    /// Micro-USD per million milliseconds of transcribed audio: 100000 is $0.006 per minute.
    #[serde(default)]
    pub audio_ms: u64,
}

/// Rates that hold for the whole call once its input, of all buckets, is above a number of tokens.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongContextConfig {
    /// The most input tokens at the ordinary rates.
    pub above: u64,
    /// The rates beyond.
    pub rates: RatesConfig,
}

/// The price of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    rates: Rates,
    long_context: Option<(u64, Rates)>,
    batch: Option<Rates>,
}

/// Micro-USD per million units of each bucket.
type Rates = Usage;

impl Price {
    /// The rates that hold for a call, in micro-USD per million tokens, in the buckets that it has tokens in.
    #[must_use]
    pub fn rates_for(&self, usage: &Usage) -> Usage {
        let rates = self.rates_of(usage);
        usage.zip(rates, |used, rate| if used > 0 { rate } else { 0 })
    }

    /// The rates of calls without a long input, in micro-USD per million units.
    #[must_use]
    pub fn rates(&self) -> Usage {
        self.rates
    }

    fn rates_of(&self, usage: &Usage) -> &Rates {
        if let Some(batch) = self.batch.as_ref().filter(|_| usage.at_batch_rates) {
            return batch;
        }
        match &self.long_context {
            Some((above, rates)) if usage.total_input() > *above => rates,
            _ => &self.rates,
        }
    }

    /// What a call cost, in micro-USD. The buckets are summed exactly and rounded once, half up, so that a call is
    /// off by at most half a millionth of a dollar. Saturates at `i64::MAX`.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> i64 {
        let rates = self.rates_of(usage);
        let exact = usage
            .buckets()
            .into_iter()
            .zip(rates.buckets())
            .map(|(used, rate)| u128::from(used) * u128::from(rate))
            .fold(RATE_UNIT / 2, u128::saturating_add);
        i64::try_from(exact / RATE_UNIT).unwrap_or(i64::MAX)
    }
}

impl From<&PriceConfig> for Price {
    fn from(config: &PriceConfig) -> Self {
        let long_context = config
            .long_context
            .as_ref()
            .map(|long| (long.above, Rates::from(&long.rates)));
        Self {
            rates: Rates::from(&config.rates),
            long_context,
            batch: config.batch.as_ref().map(Rates::from),
        }
    }
}

impl From<&RatesConfig> for Rates {
    fn from(config: &RatesConfig) -> Self {
        let cache_write = config.cache_write.unwrap_or(config.input);
        Self {
            input: config.input,
            cache_read: config.cache_read.unwrap_or(config.input),
            cache_write,
            cache_write_1h: config.cache_write_1h.unwrap_or(cache_write),
            audio_input: config.audio_input.unwrap_or(config.input),
            output: config.output,
            reasoning: config.reasoning.unwrap_or(config.output),
            audio_output: config.audio_output.unwrap_or(config.output),
            image_input: config.image_input.unwrap_or(config.input),
            image_output: config.image_output.unwrap_or(config.output),
            searches: config.searches,
            audio_ms: config.audio_ms,
            at_batch_rates: false,
        }
    }
}

/// The shipped price table does not read.
#[derive(Debug, Error)]
#[error("the price table does not read: {0}")]
pub struct PriceTableError(#[from] serde_json::Error);

/// Prices by provider and model: those shipped with the binary, overlaid by the user's. Never fetched.
///
/// A model is found by its name as it stands; else with dates, versions, `-latest` and `-preview` taken off its end,
/// one after the other; then the same for its name without what stands before the last `/`; at last by the longest
/// entry that ends in `*` and begins like it. A provider that has no entry of its own borrows those of another one
/// with the same prices (Azure those of OpenAI), and resellers that charge the vendor's price those of the vendor in
/// the model's name. Nothing else is guessed: `gpt-4o-audio` is not `gpt-4o`, and [`find`](Self::find) answers `None`,
/// which means unpriced and not free.
///
/// ```
/// use sluice_llm::{PriceTable, Usage};
///
/// let prices = PriceTable::shipped()?;
/// let usage = Usage { input: 1_000, output: 100, ..Usage::default() };
/// let price = prices.find("openai", "gpt-4o-2024-08-06").map(|price| price.cost(&usage));
/// assert_eq!(price, Some(3_500));                          // $0.0035
/// assert_eq!(prices.find("openai", "gpt-99"), None);       // unpriced
/// # Ok::<(), sluice_llm::PriceTableError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct PriceTable {
    as_of: String,
    providers: HashMap<String, ProviderPrices>,
    /// Provider to the provider whose prices it has.
    same_prices: HashMap<String, String>,
    /// Reseller, vendor in the model's name, provider whose prices hold.
    resold: HashMap<String, HashMap<String, String>>,
}

#[derive(Clone, Debug, Default)]
struct ProviderPrices {
    models: HashMap<String, Price>,
    /// Entries that end in `*`, without it; longest first.
    prefixes: Vec<(String, Price)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    as_of: String,
    same_prices: HashMap<String, String>,
    resold: HashMap<String, HashMap<String, String>>,
    providers: HashMap<String, Vec<TableEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableEntry {
    models: Vec<String>,
    rates: RatesConfig,
    #[serde(default)]
    long_context: Option<LongContextConfig>,
    #[serde(default)]
    batch: Option<RatesConfig>,
}

impl PriceTable {
    /// The table that is part of the binary.
    ///
    /// # Errors
    /// [`PriceTableError`] if the binary was built with a broken table, which a test prevents.
    pub fn shipped() -> Result<Self, PriceTableError> {
        let file: TableFile = serde_json::from_str(SHIPPED)?;
        let mut table = Self {
            as_of: file.as_of,
            same_prices: file.same_prices,
            resold: file.resold,
            ..Self::default()
        };
        for (provider, entries) in file.providers {
            for entry in entries {
                let config = PriceConfig {
                    rates: entry.rates,
                    long_context: entry.long_context,
                    batch: entry.batch,
                };
                entry
                    .models
                    .iter()
                    .for_each(|model| table.set(&provider, model, &config));
            }
        }
        Ok(table)
    }

    /// Year and month in which the shipped prices were taken; empty for a table that is not the shipped one.
    #[must_use]
    pub fn as_of(&self) -> &str {
        &self.as_of
    }

    /// Sets the price of a model, in place of one that is there. A model that ends in `*` stands for all that begin
    /// so.
    pub fn set(&mut self, provider: &str, model: &str, config: &PriceConfig) {
        let prices = self.providers.entry(provider.to_owned()).or_default();
        let price = Price::from(config);
        let Some(prefix) = model.strip_suffix('*') else {
            prices.models.insert(model.to_owned(), price);
            return;
        };
        prices.prefixes.retain(|(present, _)| present != prefix);
        let at = prices
            .prefixes
            .partition_point(|(present, _)| present.len() >= prefix.len());
        prices.prefixes.insert(at, (prefix.to_owned(), price));
    }

    /// Providers, models and prices of the table, patterns included, in alphabetical order.
    #[must_use]
    pub fn entries(&self) -> Vec<(&str, String, &Price)> {
        let mut entries = Vec::new();
        for (provider, prices) in &self.providers {
            let models = prices.models.iter().map(|(model, price)| (model.clone(), price));
            let patterns = prices
                .prefixes
                .iter()
                .map(|(prefix, price)| (format!("{prefix}*"), price));
            entries.extend(
                models
                    .chain(patterns)
                    .map(|(model, price)| (provider.as_str(), model, price)),
            );
        }
        entries.sort_by(|left, right| (left.0, &left.1).cmp(&(right.0, &right.1)));
        entries
    }

    /// The price of a model at a provider; `None` if it is unpriced.
    #[must_use]
    pub fn find(&self, provider: &str, model: &str) -> Option<&Price> {
        self.find_at(provider, model)
            .or_else(|| self.find_resold(provider, model))
            .or_else(|| {
                let twin = self.same_prices.get(provider)?;
                self.find_at(twin, model)
            })
    }

    fn find_at(&self, provider: &str, model: &str) -> Option<&Price> {
        let prices = self.providers.get(provider)?;
        let bare = names::without_path(model);
        let by_name = |name| names::from_full_to_bare(name).find_map(|name| prices.models.get(name));
        let by_prefix = || {
            prices
                .prefixes
                .iter()
                .find(|(prefix, _)| model.starts_with(prefix.as_str()))
        };
        by_name(names::without_tuning(model))
            .or_else(|| if bare == model { None } else { by_name(bare) })
            .or_else(|| by_prefix().map(|(_, price)| price))
    }

    fn find_resold(&self, reseller: &str, model: &str) -> Option<&Price> {
        let vendors = self.resold.get(reseller)?;
        let (vendor, model) = names::vendor(model)?;
        self.find_at(vendors.get(vendor)?, model)
    }
}

#[cfg(test)]
mod tests;
