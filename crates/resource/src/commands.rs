//! Which commands plugins may run: what a local file says, never the Admin API (DESIGN §8).

use serde::{Deserialize, Serialize};

/// The commands that plugins may run on this machine. None unless the operator lists them.
///
/// ```
/// use sluice_resource::AllowedCommands;
///
/// let allowed: AllowedCommands = serde_json::from_str(r#"["/opt/mcp/files", ["npx", "-y", "mcp-time"]]"#)?;
/// assert!(allowed.permits("/opt/mcp/files", &["--root".to_owned()]));
/// assert!(allowed.permits("npx", &["-y".to_owned(), "mcp-time".to_owned()]));
/// assert!(!allowed.permits("npx", &["-y".to_owned(), "anything".to_owned()]));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AllowedCommands(Vec<AllowedCommand>);

/// One entry of the list. Programs are compared as they are written: `npx` is not `/usr/bin/npx`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a program, or a list of a program and its arguments"
)]
enum AllowedCommand {
    /// A program, with any arguments.
    Program(String),
    /// A program with exactly these arguments.
    Line(Vec<String>),
}

impl AllowedCommands {
    /// Whether this program may be run with these arguments.
    #[must_use]
    pub fn permits(&self, program: &str, args: &[String]) -> bool {
        self.0.iter().any(|allowed| match allowed {
            AllowedCommand::Program(known) => known == program,
            AllowedCommand::Line(line) => line
                .split_first()
                .is_some_and(|(known, rest)| known == program && rest == args),
        })
    }

    /// Refuses a command that is not listed.
    ///
    /// # Errors
    /// A text for the operator, which names the setting.
    pub fn check(&self, program: &str, args: &[String]) -> Result<(), String> {
        if self.permits(program, args) {
            return Ok(());
        }
        Err(format!(
            "command \"{program}\" is not allowed with these arguments: `commands.allowed` in the gateway's configuration \
             file does not list it"
        ))
    }

    /// Whether every entry names a program.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        self.0.iter().all(|allowed| match allowed {
            AllowedCommand::Program(program) => !program.is_empty(),
            AllowedCommand::Line(line) => line.first().is_some_and(|program| !program.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn allowed(entries: serde_json::Value) -> AllowedCommands {
        serde_json::from_value(entries).unwrap()
    }

    fn args(args: &[&str]) -> Vec<String> {
        args.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_is_allowed_unless_it_is_listed() {
        assert!(!AllowedCommands::default().permits("/bin/true", &[]));
        let listed = allowed(json!(["/bin/true"]));
        assert!(listed.permits("/bin/true", &args(&["any", "thing"])));
        for other in ["true", "/bin/true ", "/bin/../bin/true", "/bin/TRUE", ""] {
            assert!(!listed.permits(other, &[]), "{other}");
        }
    }

    #[test]
    fn a_line_is_the_whole_command() {
        let listed = allowed(json!([["sh", "serve.sh", "-x"], ["true"]]));
        assert!(listed.permits("sh", &args(&["serve.sh", "-x"])));
        for other in [
            &["serve.sh"][..],
            &["serve.sh", "-x", "-y"],
            &["-x", "serve.sh"],
            &[],
        ] {
            assert!(!listed.permits("sh", &args(other)), "{other:?}");
        }
        assert!(listed.permits("true", &[]));
        assert!(!listed.permits("true", &args(&["x"])));
    }

    #[test]
    fn a_refusal_names_the_setting() {
        let refusal = AllowedCommands::default().check("/bin/sh", &[]).unwrap_err();
        assert!(
            refusal.contains("\"/bin/sh\"") && refusal.contains("`commands.allowed`"),
            "{refusal}"
        );
    }

    #[test]
    fn entries_name_programs() {
        assert!(allowed(json!(["a", ["b", ""]])).is_well_formed());
        for wrong in [json!([""]), json!([[]]), json!([["", "x"]])] {
            assert!(!allowed(wrong.clone()).is_well_formed(), "{wrong}");
        }
        let error = serde_json::from_value::<AllowedCommands>(json!([{"run": "a"}])).unwrap_err();
        assert!(error.to_string().contains("expected a program"), "{error}");
    }
}
