//! Scripts and their arguments.

use redis::Cmd;

/// A Lua script that runs in one step in the server. It must touch the one key that it is given, `KEYS[1]`, and no
/// other, so that a cluster knows where to run it.
#[derive(Debug)]
pub struct Script {
    source: Box<str>,
    digest: Box<str>,
}

/// An argument of a command, or of a script: `ARGV[n]`.
#[derive(Clone, Copy, Debug)]
pub enum Arg<'a> {
    /// A number.
    Int(i64),
    /// Text or bytes.
    Bytes(&'a [u8]),
}

impl Arg<'_> {
    pub(crate) fn write_to(self, command: &mut Cmd) {
        match self {
            Self::Int(number) => command.arg(number),
            Self::Bytes(bytes) => command.arg(bytes),
        };
    }
}

impl Script {
    /// A script of this source.
    #[must_use]
    pub fn new(source: &str) -> Self {
        Self {
            source: source.into(),
            digest: redis::Script::new(source).get_hash().into(),
        }
    }

    /// Runs the script by its digest, which a server knows from the first run on.
    pub(crate) fn by_digest(&self, key: &str, args: &[Arg<'_>]) -> Cmd {
        command("EVALSHA", &self.digest, key, args)
    }

    /// Runs the script by its source, which teaches the server its digest.
    pub(crate) fn by_source(&self, key: &str, args: &[Arg<'_>]) -> Cmd {
        command("EVAL", &self.source, key, args)
    }
}

fn command(name: &str, script: &str, key: &str, args: &[Arg<'_>]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(script).arg(1).arg(key);
    args.iter().for_each(|arg| arg.write_to(&mut command));
    command
}
