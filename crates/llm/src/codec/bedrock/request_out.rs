//! Requests for providers, written.

use std::collections::BTreeMap;

use super::blocks_out::Writer;
use super::model::Model;
use super::{HERE, tools_out};
use crate::chat::{ChatRequest, Drops, Effort, Json, Object, OutputFormat, PartKind, Unsayable, array};
use crate::codec::TargetRules;
use crate::codec::claude::{Depth, Dials, Platform, closed_schema, instruction};
use crate::codec::messages::{Message, run_together};

/// What the user says where the conversation does not begin with the user, or where a document stands without a text.
const OPENING: &str = "Begin.";

/// Members that are partly known and partly the client's own.
const MERGED: [&str; 4] = [
    "inferenceConfig",
    "toolConfig",
    "outputConfig",
    "additionalModelRequestFields",
];

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
    let model = Model::of(target.model);
    let mut dials = Dials::of(request, model.claude, Platform::Bedrock, drops);
    let mut writer = Writer::new(request.extension.protocol(), model, drops);
    // Marks of the prompt cache count in this order.
    let tools = tools_out::config(request, model, &mut writer);
    let mut system = system(request, &mut writer)?;
    let mut messages = messages(request, &mut writer)?;
    let is_native = writer.is_native();
    let enforced = request.format.as_ref().filter(|format| {
        matches!(format, OutputFormat::JsonSchema { .. }) && (is_native || model.enforces_schemas())
    });
    if enforced.is_none() {
        let asked = request.format.as_ref().and_then(instruction);
        system.extend(asked.map(|text| Object::new().set("text", &text).finish()));
    }
    if messages.is_empty() && !is_native {
        messages.push(opening(&mut system));
    }
    note_unsayable(request, drops);
    fit_model(request, model, &mut dials, drops);

    let mut out = Object::new().set("messages", &array(&messages));
    if !system.is_empty() {
        out.put("system", &array(&system));
    }
    out = out
        .set_some(
            "inferenceConfig",
            merged(request, inference(request, &dials, drops), MERGED[0]),
        )
        .set_some(
            "toolConfig",
            merged(request, tools.unwrap_or_default(), MERGED[1]),
        )
        .set_some(
            "outputConfig",
            merged(request, output(&dials, enforced, is_native), MERGED[2]),
        )
        .set_some(
            "additionalModelRequestFields",
            merged(request, additional(&dials), MERGED[3]),
        )
        .set_some("requestMetadata", metadata(request, drops))
        .set_some("serviceTier", service_tier(request, drops));
    for (name, value) in request.extension.members(HERE) {
        if !MERGED.contains(&name.as_str()) {
            out.put(name, value);
        }
    }
    Ok(out.finish())
}

/// An object with what the client said beside what the model has words for; `None` if that is nothing.
fn merged(request: &ChatRequest, object: Object, name: &str) -> Option<Json> {
    let left = request.extension.get(HERE, name).and_then(Json::fields);
    let object = match left {
        Some(left) => object.extend(&left.into_extension(HERE), HERE),
        None => object,
    };
    (!object.is_empty()).then(|| object.finish())
}

/// Takes out what only Claude models take.
fn fit_model(request: &ChatRequest, model: Model<'_>, dials: &mut Dials, drops: &mut Drops) {
    if model.claude.is_some() {
        return;
    }
    drops.note_if(dials.top_k.take().is_some(), "top_k");
    let thinks = matches!(dials.depth.take(), Some(Depth::Budget(_) | Depth::Adaptive));
    drops.note_if(thinks, "thinking");
    if request.extension.protocol() != HERE {
        drops.note_if(dials.effort.take().is_some(), "reasoning_effort");
    }
}

/// Notes what Converse has no word for.
fn note_unsayable(request: &ChatRequest, drops: &mut Drops) {
    let sampling = &request.sampling;
    for (is_there, name) in [
        (sampling.seed.is_some(), "seed"),
        (sampling.frequency_penalty.is_some(), "frequency_penalty"),
        (sampling.presence_penalty.is_some(), "presence_penalty"),
        (sampling.choices.is_some_and(|choices| choices > 1), "n"),
        (sampling.logprobs == Some(true), "logprobs"),
        (sampling.top_logprobs.is_some(), "top_logprobs"),
        (request.store == Some(true), "store"),
    ] {
        drops.note_if(is_there, name);
    }
    request.extension.drop_unless(HERE, "", drops);
}

fn system(request: &ChatRequest, writer: &mut Writer<'_, '_>) -> Result<Vec<Json>, Unsayable> {
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
            blocks.extend(writer.blocks(part)?);
        }
    }
    Ok(blocks)
}

/// The first message of a conversation that the user does not begin: the system messages if there is nothing else.
fn opening(system: &mut Vec<Json>) -> Json {
    let content = if system.is_empty() {
        vec![Object::new().set("text", OPENING).finish()]
    } else {
        std::mem::take(system)
    };
    Object::new()
        .set("role", "user")
        .set("content", &array(&content))
        .finish()
}

fn messages(request: &ChatRequest, writer: &mut Writer<'_, '_>) -> Result<Vec<Json>, Unsayable> {
    let turns = request
        .turns
        .get(request.leading_system().len()..)
        .unwrap_or_default();
    for turn in turns {
        turn.extension.drop_unless(HERE, "messages[].", writer.drops);
        writer.drops.note_if(turn.name.is_some(), "messages[].name");
    }
    let is_native = writer.is_native();
    let messages = run_together(turns, is_native, |part| writer.blocks(part))?;
    let begins_late = messages
        .first()
        .is_some_and(|message| message.role == "assistant");
    let mut written: Vec<_> = messages
        .into_iter()
        .map(|message| write_message(message, is_native))
        .collect();
    if begins_late && !is_native {
        written.insert(0, opening(&mut Vec::new()));
    }
    Ok(written)
}

fn write_message(message: Message<'_>, is_native: bool) -> Json {
    let (role, extension) = (message.role, message.extension);
    let mut blocks = message.into_blocks();
    let has = |blocks: &[Json], start: &str| blocks.iter().any(|block| block.text().starts_with(start));
    // A document must not stand alone.
    if !is_native && has(&blocks, "{\"document\":") && !has(&blocks, "{\"text\":") {
        blocks.push(Object::new().set("text", OPENING).finish());
    }
    Object::new()
        .set("role", role)
        .set("content", &array(&blocks))
        .extend(extension, HERE)
        .finish()
}

fn inference(request: &ChatRequest, dials: &Dials, drops: &mut Drops) -> Object {
    let is_native = request.extension.protocol() == HERE;
    let all = request.sampling.stop.iter();
    let stop: Vec<_> = all.filter(|text| is_native || !text.trim().is_empty()).collect();
    drops.note_if(stop.len() < request.sampling.stop.len(), "stop");
    Object::new()
        .set_some("maxTokens", dials.max_tokens)
        .set_some("temperature", dials.temperature.as_ref())
        .set_some("topP", dials.top_p.as_ref())
        .set_some("stopSequences", (!stop.is_empty()).then_some(stop))
}

fn output(dials: &Dials, format: Option<&OutputFormat>, is_native: bool) -> Object {
    let format = format.and_then(|format| text_format(format, is_native));
    Object::new()
        .set_some("textFormat", format)
        .set_some("effort", dials.effort.map(Effort::name))
}

/// A schema, which Converse takes as text.
fn text_format(format: &OutputFormat, is_native: bool) -> Option<Json> {
    let OutputFormat::JsonSchema {
        name,
        description,
        schema,
        ..
    } = format
    else {
        return None;
    };
    let schema = if is_native {
        schema.clone()
    } else {
        closed_schema(schema)
    };
    let schema = Object::new()
        .set("schema", schema.text())
        .set_some("name", name.as_ref())
        .set_some("description", description.as_ref());
    let structure = Object::new().set("jsonSchema", &schema.finish());
    let format = Object::new()
        .set("type", "json_schema")
        .set("structure", &structure.finish());
    Some(format.finish())
}

fn additional(dials: &Dials) -> Object {
    Object::new()
        .set_some("thinking", dials.depth.map(|depth| depth.json(dials.show)))
        .set_some("top_k", dials.top_k.as_ref())
}

/// Names and values that Bedrock writes to its log of calls, the end user among them as `user_id`. It takes at most
/// sixteen, of letters, digits and a few signs.
fn metadata(request: &ChatRequest, drops: &mut Drops) -> Option<Json> {
    if request.extension.protocol() == HERE {
        return request.metadata.clone();
    }
    let allowed = |text: &String| {
        text.len() <= 256
            && text
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || " :_@$#=/+,-.".contains(letter))
    };
    let said = request.metadata.as_ref();
    let mut all: BTreeMap<String, String> = said.and_then(Json::read).unwrap_or_default();
    let fits = all.len() < 16
        && all
            .iter()
            .all(|(name, value)| !name.is_empty() && allowed(name) && allowed(value));
    if !fits || (all.is_empty() && said.is_some()) {
        all.clear();
        drops.note("metadata");
    }
    if let Some(user) = &request.end_user {
        if allowed(user) {
            all.insert("user_id".to_owned(), user.clone());
        } else {
            drops.note("user");
        }
    }
    (!all.is_empty()).then(|| Json::of(&all))
}

fn service_tier(request: &ChatRequest, drops: &mut Drops) -> Option<Json> {
    let tier = request.service_tier.as_deref()?;
    let tier = match tier {
        _ if request.extension.protocol() == HERE => tier,
        "default" | "priority" | "flex" => tier,
        "standard" | "standard_only" => "default",
        "auto" => return None,
        _ => {
            drops.note("service_tier");
            return None;
        }
    };
    Some(Object::new().set("type", tier).finish())
}
