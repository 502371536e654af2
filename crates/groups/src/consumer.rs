//! Names of consumers.

use std::collections::HashMap;

use crate::{Document, Problem};

/// Whether each user has a consumer, or each group one that its users share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// A key and a quota per user.
    #[default]
    PerUser,
    /// One key per group, with the quotas of its users added up.
    PerGroup,
}

impl Mode {
    /// `per-user` or `per-group`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PerUser => "per-user",
            Self::PerGroup => "per-group",
        }
    }

    /// The mode of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::PerUser, Self::PerGroup]
            .into_iter()
            .find(|mode| mode.name() == name)
    }
}

/// A consumer that shall be, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Name of the consumer.
    pub consumer: String,
    /// Its group; `None` where there are no groups.
    pub group: Option<String>,
    /// Its user; `None` in per-group mode and where there are no groups.
    pub user: Option<String>,
    /// The user's address.
    pub email: Option<String>,
    /// Users that share it.
    pub user_count: u64,
    /// Where its group stands in the document.
    pub(crate) place: Option<usize>,
}

/// The one consumer where there are no groups.
pub(crate) const DEFAULT: &str = "default";

/// A name as consumers may have it: `/` becomes `-`, a space `_`.
#[must_use]
pub fn normalize(name: &str) -> String {
    name.trim()
        .chars()
        .map(|character| match character {
            '/' => '-',
            ' ' => '_',
            other => other,
        })
        .collect()
}

/// The consumers of a document, in its order; one called `default` where there is no document. Groups without users
/// have none.
///
/// # Errors
/// Two of them would have one name, or a name would be too long.
pub fn members(document: Option<&Document>, mode: Mode) -> Result<Vec<Member>, Vec<Problem>> {
    let Some(document) = document else {
        return Ok(vec![Member {
            consumer: DEFAULT.to_owned(),
            group: None,
            user: None,
            email: None,
            user_count: 1,
            place: None,
        }]);
    };
    let mut members = Vec::new();
    let mut sources: HashMap<String, (String, usize)> = HashMap::new();
    let mut problems = Vec::new();
    for (member, line) in named(document, mode) {
        let source = source(&member);
        if member.consumer.len() > crate::document::MAX_NAME {
            let message = format!("the consumer of {source} would have a name of more than 100 characters");
            problems.push(Problem::at(Some(line).filter(|line| *line > 0), message));
        }
        if let Some((other, at)) = sources.get(&member.consumer) {
            let message = format!(
                "{source} and {other} (line {at}) would both be the consumer `{}`: rename one of them",
                member.consumer
            );
            problems.push(Problem::at(Some(line).filter(|line| *line > 0), message));
        } else {
            sources.insert(member.consumer.clone(), (source, line));
        }
        members.push(member);
    }
    if problems.is_empty() {
        Ok(members)
    } else {
        Err(problems)
    }
}

fn named(document: &Document, mode: Mode) -> Vec<(Member, usize)> {
    let mut named = Vec::new();
    for (place, group) in document.groups.iter().enumerate() {
        let name = normalize(&group.name);
        match mode {
            Mode::PerGroup if group.users.is_empty() => {}
            Mode::PerGroup => {
                let member = Member {
                    consumer: format!("group-{name}"),
                    group: Some(group.name.clone()),
                    user: None,
                    email: None,
                    user_count: group.users.len() as u64,
                    place: Some(place),
                };
                named.push((member, group.line));
            }
            Mode::PerUser => named.extend(group.users.iter().map(|user| {
                let member = Member {
                    consumer: format!("{name}-{}", normalize(&user.name)),
                    group: Some(group.name.clone()),
                    user: Some(user.name.clone()),
                    email: user.email.clone(),
                    user_count: 1,
                    place: Some(place),
                };
                (member, user.line)
            })),
        }
    }
    named
}

fn source(member: &Member) -> String {
    match (&member.group, &member.user) {
        (Some(group), Some(user)) => format!("user `{user}` of group `{group}`"),
        (Some(group), None) => format!("group `{group}`"),
        _ => "the only consumer".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(yaml: &str, mode: Mode) -> Result<Vec<String>, Vec<Problem>> {
        let document = Document::from_yaml(yaml).unwrap().document;
        let members = members(Some(&document), mode)?;
        Ok(members.into_iter().map(|member| member.consumer).collect())
    }

    #[test]
    fn consumers_are_named_by_group_and_user() {
        let yaml = "groups:\n  my team/a: [alice smith, bob]\n  beta: {users: [dave]}\n  empty: []\n";
        assert_eq!(
            names(yaml, Mode::PerUser).unwrap(),
            ["my_team-a-alice_smith", "my_team-a-bob", "beta-dave"]
        );
        assert_eq!(
            names(yaml, Mode::PerGroup).unwrap(),
            ["group-my_team-a", "group-beta"]
        );
        assert_eq!(members(None, Mode::PerUser).unwrap()[0].consumer, "default");
    }

    #[test]
    fn collisions_are_found_with_both_sources() {
        let problems = names("groups:\n  a-b: [c]\n  a: [b-c]\n", Mode::PerUser).unwrap_err();
        assert_eq!(problems[0].line, Some(3));
        let text = problems[0].to_string();
        assert!(
            text.contains("`b-c` of group `a`") && text.contains("`c` of group `a-b` (line 2)"),
            "{text}"
        );
        let slash = names("groups:\n  a/b: [x]\n  a-b: [y]\n", Mode::PerGroup).unwrap_err();
        assert_eq!(slash.len(), 1);
    }
}
