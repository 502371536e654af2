//! From the tree of a file to the document, collecting everything that is wrong.

use std::collections::HashMap;

use time::Date;
use time::macros::format_description;

use super::{Document, Group, MAX_NAME, Parsed, User};
use crate::yaml::{Entry, Node, Value};
use crate::{Problem, consumer};

/// Most problems that are told at once.
const MAX_PROBLEMS: usize = 50;

const ROOT: [&str; 3] = ["event_id", "title", "groups"];
const GROUP: [&str; 7] = [
    "title",
    "users",
    "rate_limit",
    "time_window",
    "models",
    "budget_usd",
    "ends",
];
const USER: [&str; 2] = ["name", "email"];

/// Longest window, in seconds: a day.
const MAX_WINDOW: u64 = 86_400;

/// Most millionths of a dollar: a billion dollars.
const MAX_BUDGET: u64 = 1_000_000_000_000_000;

pub(super) fn document(root: &Node) -> Result<Parsed, Vec<Problem>> {
    let mut reader = Reader::default();
    let document = reader.root(root);
    reader.errors.truncate(MAX_PROBLEMS);
    if reader.errors.is_empty() {
        Ok(Parsed {
            document,
            warnings: reader.warnings,
        })
    } else {
        reader.errors.sort_by_key(|problem| problem.line);
        Err(reader.errors)
    }
}

#[derive(Default)]
struct Reader {
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Reader {
    fn error(&mut self, line: usize, message: impl Into<String>) {
        self.errors.push(Problem::at(line, message));
    }

    fn root(&mut self, root: &Node) -> Document {
        let mut document = Document::default();
        let Some(map) = self.map(root, "the file") else {
            return document;
        };
        self.unknown(map, &ROOT, "the file");
        document.event_id = self.text(map, "event_id");
        document.title = self.text(map, "title");
        match member(map, "groups") {
            Some(groups) if !groups.is_null() => document.groups = self.groups(groups),
            Some(groups) => self.error(groups.line, "`groups` is empty: name at least one group"),
            None => self.error(
                root.line,
                "`groups` is missing: a mapping from names of groups to their users",
            ),
        }
        document
    }

    fn groups(&mut self, node: &Node) -> Vec<Group> {
        let Some(map) = self.map(node, "`groups`") else {
            return Vec::new();
        };
        if map.is_empty() {
            self.error(node.line, "`groups` is empty: name at least one group");
        }
        map.iter().map(|entry| self.group(entry)).collect()
    }

    fn group(&mut self, entry: &Entry) -> Group {
        let what = format!("group `{}`", entry.key);
        self.name(&entry.key, entry.line, "group");
        let mut group = Group {
            name: entry.key.clone(),
            line: entry.line,
            ..Group::default()
        };
        match &entry.value.value {
            Value::List(users) => group.users = self.users(users, &what),
            Value::Map(map) => self.group_members(map, &mut group, &what),
            Value::Scalar { .. } if entry.value.is_null() => {}
            Value::Scalar { .. } => {
                let kind = entry.value.kind();
                self.error(
                    entry.value.line,
                    format!("{what} is {kind}: a list of users or a mapping is wanted"),
                );
            }
        }
        if group.users.is_empty() {
            let message = format!("{what} has no users: it gets no consumer");
            self.warnings.push(Problem::at(entry.line, message));
        }
        group
    }

    fn group_members(&mut self, map: &[Entry], group: &mut Group, what: &str) {
        self.unknown(map, &GROUP, what);
        group.title = self.text(map, "title");
        if let Some(users) = member(map, "users").filter(|users| !users.is_null()) {
            match &users.value {
                Value::List(users) => group.users = self.users(users, what),
                _ => self.error(
                    users.line,
                    format!("`users` of {what} is {}: a list is wanted", users.kind()),
                ),
            }
        }
        group.rate_limit = self.number(map, "rate_limit", 1, i64::MAX.unsigned_abs());
        group.time_window = self.number(map, "time_window", 1, MAX_WINDOW);
        group.models = self.models(map, what);
        group.budget_micro_usd = self.money(map, "budget_usd");
        group.ends = self.date(map, "ends");
    }

    fn users(&mut self, list: &[Node], what: &str) -> Vec<User> {
        let mut lines: HashMap<String, usize> = HashMap::new();
        let mut users = Vec::with_capacity(list.len());
        for node in list {
            let Some(user) = self.user(node, what) else {
                continue;
            };
            if let Some(first) = lines.insert(consumer::normalize(&user.name), user.line) {
                let message = format!("user `{}` is in {what} twice: first on line {first}", user.name);
                self.error(user.line, message);
            }
            users.push(user);
        }
        users
    }

    fn user(&mut self, node: &Node, what: &str) -> Option<User> {
        let mut user = User {
            line: node.line,
            ..User::default()
        };
        if let Some(name) = node.text() {
            name.clone_into(&mut user.name);
        } else if let Value::Map(map) = &node.value {
            self.unknown(map, &USER, &format!("a user of {what}"));
            let Some(name) = self.text(map, "name") else {
                self.error(node.line, format!("a user of {what} has no `name`"));
                return None;
            };
            user.name = name;
            user.email = self.text(map, "email");
        } else {
            let kind = node.kind();
            self.error(
                node.line,
                format!("a user of {what} is {kind}: a name or {{name, email}} is wanted"),
            );
            return None;
        }
        self.name(&user.name, user.line, "user");
        if let Some(email) = user.email.as_deref().filter(|email| !is_email(email)) {
            self.error(user.line, format!("`{}` is no e-mail address", shortened(email)));
        }
        Some(user)
    }

    fn name(&mut self, name: &str, line: usize, what: &str) {
        if let Err(message) = check_name(name) {
            self.error(
                line,
                format!("the name of {what} `{}` {message}", shortened(name)),
            );
        }
    }

    fn models(&mut self, map: &[Entry], what: &str) -> Vec<String> {
        let Some(node) = member(map, "models").filter(|node| !node.is_null()) else {
            return Vec::new();
        };
        let Value::List(list) = &node.value else {
            self.error(
                node.line,
                format!("`models` of {what} is {}: a list is wanted", node.kind()),
            );
            return Vec::new();
        };
        let mut models = Vec::with_capacity(list.len());
        for node in list {
            match node.text() {
                Some(model) if !model.is_empty() && model.len() <= 256 => models.push(model.to_owned()),
                _ => self.error(
                    node.line,
                    format!("a model of {what} is a name of at most 256 bytes"),
                ),
            }
        }
        models
    }

    fn map<'a>(&mut self, node: &'a Node, what: &str) -> Option<&'a [Entry]> {
        if let Value::Map(map) = &node.value {
            return Some(map);
        }
        self.error(
            node.line,
            format!("{what} is {}: a mapping is wanted", node.kind()),
        );
        None
    }

    fn unknown(&mut self, map: &[Entry], known: &[&str], what: &str) {
        for entry in map.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let near = known
                .iter()
                .find(|known| strsim::osa_distance(known, &entry.key) <= 2);
            let hint = near
                .map(|near| format!(": is `{near}` meant?"))
                .unwrap_or_default();
            let message = format!(
                "`{}` in {what} is not known and has no effect{hint}",
                shortened(&entry.key)
            );
            self.warnings.push(Problem::at(entry.line, message));
        }
    }

    fn text(&mut self, map: &[Entry], key: &str) -> Option<String> {
        let node = member(map, key).filter(|node| !node.is_null())?;
        match node.text() {
            Some(text) if text.len() <= 1024 => Some(text.to_owned()),
            Some(_) => {
                self.error(node.line, format!("`{key}` is longer than 1,024 bytes"));
                None
            }
            None => {
                self.error(node.line, format!("`{key}` is {}: a text is wanted", node.kind()));
                None
            }
        }
    }

    fn number(&mut self, map: &[Entry], key: &str, least: u64, most: u64) -> Option<u64> {
        let node = member(map, key).filter(|node| !node.is_null())?;
        let number = node
            .text()
            .and_then(|text| text.replace('_', "").parse::<u64>().ok());
        let fits = number.filter(|number| (least..=most).contains(number));
        if fits.is_none() {
            self.error(
                node.line,
                format!("`{key}` is a whole number from {least} to {most}"),
            );
        }
        fits
    }

    fn money(&mut self, map: &[Entry], key: &str) -> Option<u64> {
        let node = member(map, key).filter(|node| !node.is_null())?;
        let micros = node
            .text()
            .and_then(micro_usd)
            .filter(|micros| (1..=MAX_BUDGET).contains(micros));
        if micros.is_none() {
            self.error(
                node.line,
                format!("`{key}` is dollars above 0, with at most six decimals: `25` or `2.50`"),
            );
        }
        micros
    }

    fn date(&mut self, map: &[Entry], key: &str) -> Option<Date> {
        let node = member(map, key).filter(|node| !node.is_null())?;
        let format = format_description!("[year]-[month]-[day]");
        let date = node.text().and_then(|text| Date::parse(text, &format).ok());
        if date.is_none() {
            self.error(node.line, format!("`{key}` is a date: `2026-12-31`"));
        }
        date
    }
}

fn member<'a>(map: &'a [Entry], key: &str) -> Option<&'a Node> {
    map.iter()
        .find(|entry| entry.key == key)
        .map(|entry| &entry.value)
}

/// Why a name of a group or user cannot be, to be read after it.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.trim().is_empty() {
        return Err("is empty");
    }
    if name.chars().count() > MAX_NAME {
        return Err("is longer than 100 characters");
    }
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    if consumer::normalize(name).chars().all(plain) {
        Ok(())
    } else {
        Err("may have letters from a to z, digits, `-`, `_`, `/` and spaces only")
    }
}

/// The shape of an address: something, `@`, a domain with a dot or `localhost`.
pub(crate) fn is_email(text: &str) -> bool {
    let odd = |character: char| {
        character.is_whitespace() || character.is_control() || "<>,;\"()".contains(character)
    };
    match text.rsplit_once('@') {
        Some((local, domain)) => {
            let dotted = domain.split('.').all(|label| !label.is_empty());
            !local.is_empty()
                && !domain.is_empty()
                && dotted
                && text.len() <= 254
                && !text.contains(odd)
                && !local.contains('@')
        }
        None => false,
    }
}

/// Dollars, with at most six decimals, as millionths: without the detour of a float.
#[must_use]
pub fn micro_usd(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > 6 {
        return None;
    }
    let millionths: u64 = format!("{decimals:0<6}").parse().ok()?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(millionths)
}

/// What a message repeats of a text from outside.
fn shortened(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { '?' } else { character })
        .take(80)
        .collect()
}
