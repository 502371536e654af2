//! Users as a table: columns `group`, `user` and, if wanted, `email`.

use crate::document::{Parsed, check_name, is_email};
use crate::{Document, Group, Problem, User};

/// Largest table, in bytes.
const MAX_BYTES: usize = 4 << 20;

impl Document {
    /// Reads a CSV table with a header. Columns are found by name: `group`, `user` (or `name`), `email`; others are
    /// passed over with a warning.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of lines.
    pub fn from_csv(text: &str) -> Result<Parsed, Vec<Problem>> {
        if text.len() > MAX_BYTES {
            return Err(vec![Problem::at(
                None,
                format!("the file has more than {MAX_BYTES} bytes"),
            )]);
        }
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .flexible(true)
            .from_reader(text.as_bytes());
        let header = reader
            .headers()
            .map_err(|error| vec![unreadable(&error)])?
            .clone();
        let columns = Columns::of(&header).map_err(|problem| vec![problem])?;
        let mut parsed = Parsed {
            warnings: columns.unknown(&header),
            ..Parsed::default()
        };
        let mut problems = Vec::new();
        for record in reader.records() {
            match record {
                Ok(record) => {
                    if let Err(problem) = columns.add(&record, &mut parsed.document) {
                        problems.push(problem);
                    }
                }
                Err(error) => problems.push(unreadable(&error)),
            }
        }
        if problems.is_empty() && parsed.document.groups.is_empty() {
            problems.push(Problem::at(None, "the table has no rows"));
        }
        if problems.is_empty() {
            Ok(parsed)
        } else {
            Err(problems)
        }
    }
}

struct Columns {
    group: usize,
    user: usize,
    email: Option<usize>,
}

impl Columns {
    fn of(header: &csv::StringRecord) -> Result<Self, Problem> {
        let find = |names: &[&str]| {
            header.iter().position(|column| {
                names
                    .iter()
                    .any(|name| column.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name))
            })
        };
        let missing = |name: &str| {
            Problem::at(
                1,
                format!("the first line names the columns, and `{name}` is not among them"),
            )
        };
        Ok(Self {
            group: find(&["group", "team"]).ok_or_else(|| missing("group"))?,
            user: find(&["user", "name", "username"]).ok_or_else(|| missing("user"))?,
            email: find(&["email", "e-mail", "mail"]),
        })
    }

    fn unknown(&self, header: &csv::StringRecord) -> Vec<Problem> {
        let known = |place: &usize| [Some(self.group), Some(self.user), self.email].contains(&Some(*place));
        let unknown = header.iter().enumerate().filter(|(place, _)| !known(place));
        unknown
            .map(|(_, column)| {
                Problem::at(1, format!("the column `{column}` is not known and has no effect"))
            })
            .collect()
    }

    fn add(&self, record: &csv::StringRecord, document: &mut Document) -> Result<(), Problem> {
        let line = record
            .position()
            .and_then(|position| usize::try_from(position.line()).ok())
            .unwrap_or_default();
        let cell = |place: usize| record.get(place).unwrap_or_default();
        let (group, user) = (cell(self.group), cell(self.user));
        for (what, name) in [("group", group), ("user", user)] {
            check_name(name)
                .map_err(|message| Problem::at(line, format!("the name of the {what} {message}")))?;
        }
        let email = self
            .email
            .map(cell)
            .filter(|email| !email.is_empty())
            .map(str::to_owned);
        if email.as_deref().is_some_and(|email| !is_email(email)) {
            return Err(Problem::at(line, "this is no e-mail address"));
        }
        let place = document
            .groups
            .iter()
            .position(|known| known.name == group)
            .unwrap_or_else(|| {
                document.groups.push(Group {
                    name: group.to_owned(),
                    line,
                    ..Group::default()
                });
                document.groups.len() - 1
            });
        let Some(known) = document.groups.get_mut(place) else {
            return Ok(());
        };
        if known
            .users
            .iter()
            .any(|there| crate::normalize(&there.name) == crate::normalize(user))
        {
            return Err(Problem::at(
                line,
                format!("user `{user}` is in group `{group}` twice"),
            ));
        }
        known.users.push(User {
            name: user.to_owned(),
            email,
            line,
        });
        Ok(())
    }
}

fn unreadable(error: &csv::Error) -> Problem {
    let line = error
        .position()
        .and_then(|position| usize::try_from(position.line()).ok());
    Problem::at(line, "this line is no CSV in UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_becomes_groups() {
        let parsed =
            Document::from_csv("Group,User,Email,Seat\nalpha,alice,a@x.org,1\nbeta,dave,,2\nalpha,bob,,3\n")
                .unwrap();
        let groups: Vec<_> = parsed
            .document
            .groups
            .iter()
            .map(|group| (group.name.as_str(), group.users.len()))
            .collect();
        assert_eq!(groups, [("alpha", 2), ("beta", 1)]);
        assert!(parsed.warnings[0].message.contains("Seat"));
    }

    #[test]
    fn what_is_wrong_is_told_by_line() {
        let lines = |text: &str| {
            Document::from_csv(text)
                .unwrap_err()
                .into_iter()
                .map(|problem| problem.line)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines("user\nx"), [Some(1)]);
        assert_eq!(
            lines("group,user,email\na,b,nobody\n,x,\na,b,\na,b,\n"),
            [Some(2), Some(3), Some(5)]
        );
        assert_eq!(lines("group,user\n"), [None]);
    }
}
