//! Requests for providers, written.

use super::HERE;
use super::blocks_out::{Writer, plain_text};
use crate::chat::{
    ChatRequest, Drops, Json, Object, OutputFormat, PartKind, Tool, ToolChoice, ToolKind, Unsayable, array,
};
use crate::codec::TargetRules;
use crate::codec::claude::{Claude, Dials, Platform, closed_schema, instruction};
use crate::codec::common::custom_schema;
use crate::codec::messages::{Message, run_together};

/// What the user says where the conversation does not begin with the user, as it must.
const OPENING: &str = "Begin.";

pub(super) fn encode(
    request: &ChatRequest,
    target: &TargetRules<'_>,
    drops: &mut Drops,
) -> Result<Json, Unsayable> {
    if request.previous_response.is_some() {
        return Err(Unsayable::at(
            "previous_response_id",
            "this model's provider stores no answers; send the whole conversation",
        ));
    }
    let claude = Claude::of(target.model);
    let dials = Dials::of(request, claude, Platform::Anthropic, drops);
    let mut writer = Writer::new(request.extension.protocol(), drops);
    // Marks of the prompt cache count in this order.
    let tools = tools(request, claude, &mut writer)?;
    let mut system = system(request, &mut writer)?;
    let mut messages = messages(request, &mut writer)?;
    let enforced = match &request.format {
        Some(format) if is_enforced(format, claude, writer.is_native()) => Some(format),
        Some(format) => {
            system.extend(instruction(format).map(|text| text_block(&text)));
            None
        }
        None => None,
    };
    if messages.is_empty() && !writer.is_native() {
        messages.push(opening(&mut system));
    }
    note_unsayable(request, writer.drops);

    let mut out = Out {
        object: Object::new(),
        request,
        refuses: target.quirks.refuses,
        drops: writer.drops,
    };
    out.put("model", &target.model);
    out.put_some("max_tokens", dials.max_tokens);
    out.put_system(&system);
    out.put("messages", &array(&messages));
    if !tools.is_empty() {
        out.put("tools", &array(&tools));
        out.put_some("tool_choice", tool_choice(request));
    }
    out.put_some("thinking", dials.depth.map(|depth| depth.json(dials.show)));
    out.put_config(&dials, enforced);
    out.put_sampling(&dials);
    out.put_metadata();
    let tier = out.service_tier();
    out.put_some("service_tier", tier);
    if request.stream {
        out.put("stream", &true);
    }
    Ok(out.finish())
}

/// The body being written.
struct Out<'a> {
    object: Object,
    request: &'a ChatRequest,
    refuses: &'static [&'static str],
    drops: &'a mut Drops,
}

/// Members that are partly known and partly the client's own.
const MERGED: [&str; 2] = ["metadata", "output_config"];

impl<'a> Out<'a> {
    /// Adds a member, unless the provider refuses it or the client said it in its own words.
    fn put<T: serde::Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        if self.refuses.contains(&name) {
            self.drops.note(name);
        } else if MERGED.contains(&name) || self.request.extension.get(HERE, name).is_none() {
            self.object.put(name, value);
        }
    }

    fn put_some<T: serde::Serialize>(&mut self, name: &'static str, value: Option<T>) {
        if let Some(value) = value {
            self.put(name, &value);
        }
    }

    /// What the client said under a name, beside what the model has words for.
    fn left(&self, name: &str) -> Option<crate::chat::Extension> {
        let left = self.request.extension.get(HERE, name)?.fields()?;
        Some(left.into_extension(HERE))
    }

    /// `system`: a text where it is one and no more.
    fn put_system(&mut self, blocks: &[Json]) {
        let text = match self.request.leading_system() {
            [turn] if blocks.len() == 1 => plain_text(&turn.parts),
            _ => None,
        };
        match text.filter(|text| !text.trim().is_empty()) {
            Some(text) => self.put("system", text),
            None if blocks.is_empty() => {}
            None => self.put("system", &array(blocks)),
        }
    }

    fn put_sampling(&mut self, dials: &Dials) {
        self.put_some("temperature", dials.temperature.as_ref());
        self.put_some("top_p", dials.top_p.as_ref());
        self.put_some("top_k", dials.top_k.as_ref());
        let stop = self.stop();
        self.put_some("stop_sequences", (!stop.is_empty()).then_some(stop));
    }

    fn put_config(&mut self, dials: &Dials, format: Option<&OutputFormat>) {
        let effort = dials.effort.map(crate::chat::Effort::name);
        let mut config = Object::new().set_some("effort", effort);
        if let Some(OutputFormat::JsonSchema { schema, .. }) = format {
            let is_native = self.request.extension.protocol() == HERE;
            let schema = if is_native {
                schema.clone()
            } else {
                closed_schema(schema)
            };
            let format = Object::new().set("type", "json_schema").set("schema", &schema);
            config = config.set("format", &format.finish());
        }
        if let Some(left) = self.left("output_config") {
            config = config.extend(&left, HERE);
        }
        if !config.is_empty() {
            self.put("output_config", &config.finish());
        }
    }

    fn put_metadata(&mut self) {
        let mut metadata = Object::new().set_some("user_id", self.request.end_user.as_ref());
        if let Some(left) = self.left("metadata") {
            metadata = metadata.extend(&left, HERE);
        }
        if !metadata.is_empty() {
            self.put("metadata", &metadata.finish());
        }
    }

    /// Stop texts; Anthropic refuses those that are all white space.
    fn stop(&mut self) -> Vec<&'a str> {
        let all = self.request.sampling.stop.iter().map(String::as_str);
        let stop: Vec<_> = all.filter(|text| !text.trim().is_empty()).collect();
        self.drops
            .note_if(stop.len() < self.request.sampling.stop.len(), "stop");
        stop
    }

    fn service_tier(&mut self) -> Option<&'a str> {
        let tier = self.request.service_tier.as_deref()?;
        match tier {
            _ if self.request.extension.protocol() == HERE => Some(tier),
            "auto" => Some("auto"),
            "default" | "standard" | "standard_only" => Some("standard_only"),
            _ => {
                self.drops.note("service_tier");
                None
            }
        }
    }

    fn finish(self) -> Json {
        let mut object = self.object;
        for (name, value) in self.request.extension.members(HERE) {
            if self.refuses.contains(&name.as_str()) {
                self.drops.note(name.clone());
            } else if !MERGED.contains(&name.as_str()) {
                object.put(name, value);
            }
        }
        object.finish()
    }
}

/// Notes what Anthropic has no word for.
fn note_unsayable(request: &ChatRequest, drops: &mut Drops) {
    let sampling = &request.sampling;
    for (is_there, name) in [
        (sampling.seed.is_some(), "seed"),
        (sampling.frequency_penalty.is_some(), "frequency_penalty"),
        (sampling.presence_penalty.is_some(), "presence_penalty"),
        (sampling.choices.is_some_and(|choices| choices > 1), "n"),
        (sampling.logprobs == Some(true), "logprobs"),
        (sampling.top_logprobs.is_some(), "top_logprobs"),
        (request.metadata.is_some(), "metadata"),
        (request.store == Some(true), "store"),
    ] {
        drops.note_if(is_there, name);
    }
    request.extension.drop_unless(HERE, "", drops);
}

fn is_enforced(format: &OutputFormat, claude: Option<Claude>, is_native: bool) -> bool {
    matches!(format, OutputFormat::JsonSchema { .. })
        && (is_native || claude.is_some_and(Claude::enforces_schemas))
}

fn text_block(text: &str) -> Json {
    Object::new().set("type", "text").set("text", text).finish()
}

/// The first message of a conversation that has system messages only: they are what the user says.
fn opening(system: &mut Vec<Json>) -> Json {
    let message = Object::new().set("role", "user");
    if system.is_empty() {
        return message.set("content", OPENING).finish();
    }
    message.set("content", &array(&std::mem::take(system))).finish()
}

fn system(request: &ChatRequest, writer: &mut Writer<'_>) -> Result<Vec<Json>, Unsayable> {
    let mut blocks = Vec::new();
    for turn in request.leading_system() {
        turn.extension.drop_unless(HERE, "messages[].", writer.drops);
        for part in &turn.parts {
            if matches!(part.kind, PartKind::Media(_)) {
                return Err(Unsayable::at(
                    "messages",
                    "system messages can only be text for this model",
                ));
            }
            blocks.extend(writer.block(part)?);
        }
    }
    Ok(blocks)
}

fn messages(request: &ChatRequest, writer: &mut Writer<'_>) -> Result<Vec<Json>, Unsayable> {
    let turns = request
        .turns
        .get(request.leading_system().len()..)
        .unwrap_or_default();
    for turn in turns {
        turn.extension.drop_unless(HERE, "messages[].", writer.drops);
        writer.drops.note_if(turn.name.is_some(), "messages[].name");
    }
    let is_native = writer.is_native();
    let messages = run_together(turns, is_native, |part| {
        Ok(writer.block(part)?.into_iter().collect())
    })?;
    let begins_late = messages
        .first()
        .is_some_and(|message| message.role == "assistant");
    let mut written: Vec<_> = messages.into_iter().map(write_message).collect();
    if begins_late && !is_native {
        written.insert(0, opening(&mut Vec::new()));
    }
    Ok(written)
}

fn write_message(message: Message<'_>) -> Json {
    let extension = message.extension;
    let object = Object::new().set("role", message.role);
    let object = match message.only.and_then(|turn| plain_text(&turn.parts)) {
        Some(text) => object.set("content", text),
        None => object.set("content", &array(&message.into_blocks())),
    };
    object.extend(extension, HERE).finish()
}

fn tools(
    request: &ChatRequest,
    claude: Option<Claude>,
    writer: &mut Writer<'_>,
) -> Result<Vec<Json>, Unsayable> {
    let allowed = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => Some(names),
        _ => None,
    };
    let mut written = Vec::new();
    for tool in &request.tools {
        let is_allowed = allowed.is_none_or(|names| {
            tool.name()
                .is_none_or(|name| names.iter().any(|allowed| allowed == name))
        });
        if is_allowed {
            written.extend(write_tool(tool, claude, writer));
        }
    }
    Ok(written)
}

fn write_tool(tool: &Tool, claude: Option<Claude>, writer: &mut Writer<'_>) -> Option<Json> {
    let object = match &tool.kind {
        ToolKind::Function {
            name,
            description,
            parameters,
            strict,
        } => {
            let is_native = writer.is_native();
            let is_enforced = claude.is_some_and(Claude::enforces_schemas);
            let is_dropped = *strict == Some(true) && !is_native && !is_enforced;
            writer.drops.note_if(is_dropped, "tools[].strict");
            let strict = strict.filter(|strict| is_native || (*strict && is_enforced));
            let schema = match parameters {
                Some(schema) if strict == Some(true) && !is_native => Some(closed_schema(schema)),
                Some(schema) => Some(schema.clone()),
                None if is_native => None,
                None => Json::parse(r#"{"type":"object","properties":{}}"#),
            };
            Object::new()
                .set("name", name)
                .set_some("description", description.as_ref())
                .set_some("input_schema", schema)
                .set_some("strict", strict)
        }
        ToolKind::Custom {
            name,
            description,
            format,
        } => {
            writer.drops.note_if(format.is_some(), "tools[].custom.format");
            Object::new()
                .set("name", name)
                .set_some("description", description.as_ref())
                .set("input_schema", &custom_schema())
        }
        ToolKind::BuiltIn { kind } if tool.extension.protocol() != HERE => {
            writer.drops.note(format!("tools.{kind}"));
            return None;
        }
        ToolKind::BuiltIn { .. } => Object::new(),
    };
    tool.extension.drop_unless(HERE, "tools[].", writer.drops);
    let object = object.extend(&tool.extension, HERE);
    Some(object.set_some("cache_control", writer.mark(tool.cache)).finish())
}

fn tool_choice(request: &ChatRequest) -> Option<Json> {
    let is_native = request.extension.protocol() == HERE;
    let one_at_a_time = match request.parallel_tool_calls {
        Some(true) if !is_native => None,
        said => said.map(|parallel| !parallel),
    };
    let choice = match (&request.tool_choice, one_at_a_time) {
        (Some(choice), _) => choice,
        (None, Some(true)) => &ToolChoice::Auto,
        (None, _) => return None,
    };
    let object = Object::new();
    let object = match choice {
        ToolChoice::None => return Some(object.set("type", "none").finish()),
        ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => object.set("type", "auto"),
        ToolChoice::Required | ToolChoice::Allowed { required: true, .. } => object.set("type", "any"),
        ToolChoice::Tool(name) => object.set("type", "tool").set("name", name),
    };
    Some(
        object
            .set_some("disable_parallel_tool_use", one_at_a_time)
            .finish(),
    )
}
