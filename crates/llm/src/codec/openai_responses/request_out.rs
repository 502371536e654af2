//! Requests for providers, written.

use serde::Serialize;

use super::PROTOCOL;
use super::items_out::{self, Target};
use super::marks;
use super::request_in::{ENCRYPTED, LOGPROBS};
use super::tools_out;
use crate::chat::{
    ChatRequest, Drops, Effort, Extension, Json, Object, OutputFormat, PartKind, Role, Turn, Unsayable, array,
};
use crate::codec::TargetRules;
use crate::codec::openai_models::{has_no_dials, thinks};
use crate::protocol::Protocol;

/// Members of OpenAI chat that have the same name and meaning here.
const SHARED_WITH_CHAT: [&str; 5] = [
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
];

/// Writes a request.
pub(super) fn write(
    request: &ChatRequest,
    rules: &TargetRules<'_>,
    drops: &mut Drops,
) -> Result<Json, Unsayable> {
    let mut body = Body {
        object: Object::new(),
        target: Target { rules, drops },
    };
    body.put_some("model", request.model.as_ref());
    body.input(request)?;
    let tools = tools_out::write(&request.tools, &mut body.target);
    let has_tools = tools.is_some();
    body.put_some("tools", tools);
    body.tool_choice(request, has_tools);
    body.put_some("parallel_tool_calls", request.parallel_tool_calls);
    body.text(request);
    body.reasoning(request);
    body.sampling(request);
    body.end_user(request);
    body.service_tier(request);
    body.put_some("metadata", request.metadata.as_ref());
    body.put_some("previous_response_id", request.previous_response.as_ref());
    body.stored(request);
    body.put_some("stream", request.stream.then_some(true));
    body.others(&request.extension);
    Ok(body.object.finish())
}

struct Body<'a> {
    object: Object,
    target: Target<'a>,
}

impl Body<'_> {
    /// Writes a member unless the provider refuses it.
    fn put<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        if self.target.rules.quirks.refuses.contains(&name) {
            self.target.drops.note(name);
        } else {
            self.object.put(name, value);
        }
    }

    fn put_some<T: Serialize>(&mut self, name: &'static str, value: Option<T>) {
        if let Some(value) = value {
            self.put(name, &value);
        }
    }

    fn input(&mut self, request: &ChatRequest) -> Result<(), Unsayable> {
        let is_instructions = |turn: &&Turn| marks::has(&turn.extension, marks::INSTRUCTIONS);
        let instructions = request.turns.iter().find(is_instructions).and_then(only_text);
        self.put_some("instructions", instructions);
        let mut turns = request
            .turns
            .iter()
            .filter(|turn| instructions.is_none() || !is_instructions(turn))
            .peekable();
        let Some(first) = turns.next() else {
            if marks::has(&request.extension, marks::INPUT) {
                self.put("input", &[(); 0]);
            }
            return Ok(());
        };
        if turns.peek().is_none()
            && marks::has(&first.extension, marks::INPUT)
            && let Some(text) = only_text(first)
        {
            self.put("input", text);
            return Ok(());
        }
        let mut items = Vec::new();
        for turn in std::iter::once(first).chain(turns) {
            items_out::write(turn, &mut items, &mut self.target)?;
        }
        self.put("input", &array(&items));
        Ok(())
    }

    fn tool_choice(&mut self, request: &ChatRequest, has_tools: bool) {
        let Some(choice) = &request.tool_choice else {
            return;
        };
        // Without tools there is nothing to choose from, and the provider says so.
        if has_tools || request.extension.protocol() == PROTOCOL {
            self.put("tool_choice", &tools_out::write_choice(choice, &request.tools));
        } else {
            self.target.drops.note("tool_choice");
        }
    }

    fn text(&mut self, request: &ChatRequest) {
        let mut text = Object::new();
        if let Some(format) = &request.format {
            text.put("format", &write_format(format, &request.extension));
        }
        for (name, value) in request.extension.members(PROTOCOL) {
            match name.strip_prefix("text.") {
                Some(name) if !name.starts_with("format.") => text.put(name, value),
                _ => {}
            }
        }
        if let Some(verbosity) = request.extension.get(Protocol::OpenAiChat, "verbosity") {
            text.put("verbosity", verbosity);
        }
        if !text.is_empty() {
            self.put("text", &text.finish());
        }
    }

    /// Thinking. Clients of other protocols do not know which models refuse to be asked for it.
    fn reasoning(&mut self, request: &ChatRequest) {
        let mut reasoning = Object::new();
        let is_own = request.extension.protocol() == PROTOCOL;
        let takes = is_own || thinks(self.target.rules.model);
        if let Some(asked) = request.reasoning.as_ref().filter(|_| !takes) {
            let is_asked = asked.adaptive || asked.show == Some(true) || asked.as_effort().is_some();
            self.target.drops.note_if(is_asked, "reasoning_effort");
        }
        if let Some(asked) = request.reasoning.as_ref().filter(|_| takes) {
            if let Some(effort) = asked.as_effort() {
                reasoning.put("effort", effort.name());
            }
            let shown = (asked.show == Some(true)).then_some("auto");
            if let Some(summary) = asked.summary.as_deref().or(shown) {
                reasoning.put("summary", summary);
            }
        }
        marks::put_rest(&mut reasoning, &request.extension, "reasoning.");
        if !reasoning.is_empty() {
            self.put("reasoning", &reasoning.finish());
        }
    }

    fn sampling(&mut self, request: &ChatRequest) {
        let sampling = &request.sampling;
        self.put_some("max_output_tokens", sampling.max_tokens);
        let is_own = request.extension.protocol() == PROTOCOL;
        let has_dials = is_own || !has_no_dials(self.target.rules.model);
        for (name, value) in [("temperature", &sampling.temperature), ("top_p", &sampling.top_p)] {
            if has_dials {
                self.put_some(name, value.as_ref());
            } else {
                let is_set = value.as_ref().is_some_and(|value| value.as_f64() != Some(1.0));
                self.target.drops.note_if(is_set, name);
            }
        }
        self.put_some("top_logprobs", sampling.top_logprobs);
        match request.extension.kept(PROTOCOL, marks::INCLUDE) {
            Some(include) => self.put("include", include),
            None if !is_own => self.include(request),
            None => {}
        }
        let drops = &mut *self.target.drops;
        drops.note_if(!sampling.stop.is_empty(), "stop");
        drops.note_if(sampling.top_k.is_some(), "top_k");
        drops.note_if(sampling.seed.is_some(), "seed");
        drops.note_if(sampling.frequency_penalty.is_some(), "frequency_penalty");
        drops.note_if(sampling.presence_penalty.is_some(), "presence_penalty");
        drops.note_if(sampling.choices.is_some_and(|count| count > 1), "n");
    }

    /// Thoughts come back with the conversation, as nothing is stored: they are asked for where the client asks for
    /// thinking, in the one form that can be sent back.
    fn include(&mut self, request: &ChatRequest) {
        let asked = request.reasoning.as_ref();
        let is_on = asked.is_some_and(|asked| asked.as_effort() != Some(Effort::None));
        let thinks = is_on && thinks(self.target.rules.model);
        let wanted = [
            (thinks, ENCRYPTED),
            (request.sampling.logprobs == Some(true), LOGPROBS),
        ];
        let names: Vec<_> = wanted
            .iter()
            .filter(|(is_wanted, _)| *is_wanted)
            .map(|(_, name)| name)
            .collect();
        if !names.is_empty() {
            self.put("include", &names);
        }
    }

    /// Other protocols' answers are not stored unless their client says so; here they would be.
    fn stored(&mut self, request: &ChatRequest) {
        match request.extension.protocol() {
            PROTOCOL => self.put_some("store", request.store),
            _ => self.put("store", &request.store.unwrap_or(false)),
        }
    }

    fn end_user(&mut self, request: &ChatRequest) {
        let kept = request.extension.kept(PROTOCOL, marks::END_USER);
        let is_user = kept.is_some_and(|name| name.text() == "\"user\"");
        let is_named = request
            .extension
            .get(Protocol::OpenAiChat, "safety_identifier")
            .is_some();
        let name = if is_user || is_named {
            "user"
        } else {
            "safety_identifier"
        };
        self.put_some(name, request.end_user.as_ref());
    }

    /// OpenAI's words are handed on; of others those that mean the same.
    fn service_tier(&mut self, request: &ChatRequest) {
        let Some(tier) = request.service_tier.as_deref() else {
            return;
        };
        let known = match (request.extension.protocol(), tier) {
            (PROTOCOL | Protocol::OpenAiChat, tier) => Some(tier),
            (_, "auto" | "flex" | "priority") => Some(tier),
            (_, "standard" | "standard_only" | "default") => Some("default"),
            _ => None,
        };
        match known {
            Some(tier) => self.put("service_tier", tier),
            None => self.target.drops.note("service_tier"),
        }
    }

    /// What the model has no word for.
    fn others(&mut self, extension: &Extension) {
        for (name, value) in extension.members(PROTOCOL) {
            let is_elsewhere = name.starts_with("text.") || name.starts_with("reasoning.");
            if !is_elsewhere && name != marks::INCLUDE {
                self.other(name, value);
            }
        }
        let mut rest = extension.clone();
        for name in SHARED_WITH_CHAT {
            if let Some(value) = extension.get(Protocol::OpenAiChat, name) {
                self.other(name, value);
                rest.take(name);
            }
        }
        if extension.get(Protocol::OpenAiChat, "verbosity").is_some() {
            rest.take("verbosity");
        }
        rest.drop_unless(PROTOCOL, "", self.target.drops);
    }

    fn other(&mut self, name: &str, value: &Json) {
        if self.target.rules.quirks.refuses.contains(&name) {
            self.target.drops.note(name.to_owned());
        } else {
            self.object.put(name, value);
        }
    }
}

/// The text of a system or user turn that is a single text.
fn only_text(turn: &Turn) -> Option<&str> {
    match turn.parts.as_slice() {
        [part] if part.cache.is_none() && turn.role != Role::Assistant => match &part.kind {
            PartKind::Text(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn write_format(format: &OutputFormat, extension: &Extension) -> Json {
    let mut object = match format {
        OutputFormat::Text => Object::new().set("type", "text"),
        OutputFormat::JsonObject => Object::new().set("type", "json_object"),
        OutputFormat::JsonSchema {
            name,
            description,
            schema,
            strict,
        } => Object::new()
            .set("type", "json_schema")
            .set("name", name.as_deref().unwrap_or("answer"))
            .set_some("description", description.as_ref())
            .set("schema", schema)
            .set_some("strict", *strict),
    };
    marks::put_rest(&mut object, extension, "text.format.");
    object.finish()
}
