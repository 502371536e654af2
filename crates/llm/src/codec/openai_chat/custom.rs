//! Custom tools on providers that have none: there they are functions with one text argument, `input`.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{Fields, ToolCall, items};

/// Names of the custom tools that a client's body offers.
pub(super) fn offered(body: &[u8]) -> HashSet<String> {
    #[derive(Deserialize)]
    struct Tool {
        custom: Named,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    // Bodies are long and custom tools are rare.
    if memchr::memmem::find(body, b"\"custom\"").is_none() {
        return HashSet::new();
    }
    let fields = Fields::from_slice(body).unwrap_or_default();
    let tools: Vec<&RawValue> = fields.peek("tools").and_then(items).unwrap_or_default();
    let name = |raw: &RawValue| {
        serde_json::from_str::<Tool>(raw.get())
            .ok()
            .map(|tool| tool.custom.name)
    };
    tools.into_iter().filter_map(name).collect()
}

/// The call of a function as that of the custom tool which it stands for, if it does.
pub(super) fn unwrapped(call: &ToolCall, offered: &HashSet<String>) -> Option<ToolCall> {
    (!call.is_custom && offered.contains(&call.name)).then(|| ToolCall {
        arguments: input(&call.arguments),
        is_custom: true,
        ..call.clone()
    })
}

/// The text in the arguments of such a function. What the model wrote in another form is the text itself.
pub(super) fn input(arguments: &str) -> String {
    #[derive(Deserialize)]
    struct Arguments {
        input: String,
    }
    serde_json::from_str(arguments)
        .map_or_else(|_| arguments.to_owned(), |arguments: Arguments| arguments.input)
}
