//! What a plugin outside this repository is written with.
//!
//! The contract is [`Plugin`]; `examples/custom-plugin` is a whole one. A plugin needs no crate of Sluice but this one.

pub use sluice_core::{
    Caller, CompileEnv, CompileError, CompileFn, Context, Failure, Fault, Phase, Phases, Plugin, PluginDef,
    Profile, Reply, ReplyBody, ResponseHead, Retry, Services, Step, Upstream, Verdict,
};
pub use sluice_llm::ErrorKind;
pub use sluice_net::{Body, BodyError};
pub use sluice_record::{Record, Text};
pub use sluice_resource::{CheckScope, Expr, PluginInfo, SchemaCompileError, Template, Variables};
