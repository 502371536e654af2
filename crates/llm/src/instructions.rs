//! Finds the instructions that a request brings along, and takes them out.

use bytes::Bytes;
use serde_json::value::RawValue;
use sluice_wire::{JsonError, Kind, Member, ObjectView, Splice};

use crate::request::RequestView;

/// Members that are instructions, or take the place of those that a gateway puts in: Anthropic's, Bedrock's and
/// Ollama's `system`, Gemini's two spellings, `OpenAI` Responses' `instructions`, Ollama's and vLLM's templates.
const MEMBERS: [&str; 7] = [
    "system",
    "systemInstruction",
    "system_instruction",
    "instructions",
    "template",
    "raw",
    "chat_template",
];

/// Members that hold the turns of a conversation.
const TURNS: [&str; 3] = ["messages", "input", "contents"];

/// Roles that models take instructions from.
const ROLES: [&str; 2] = ["system", "developer"];

/// The body of a chat without instructions of its own, in whichever protocol; `None` where it has none. What stays is
/// byte for byte the same.
///
/// One rule for all protocols, so that no body can be taken for another one's. Names and roles count in any case, since
/// some servers read them so.
///
/// # Errors
/// [`JsonError::DuplicateMember`] for a turn with a member twice: two readers could see two roles in it.
///
/// ```
/// use sluice_llm::{RequestView, without_instructions};
///
/// # fn main() -> Result<(), sluice_wire::JsonError> {
/// let body = r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"}]}"#;
/// let body = without_instructions(&RequestView::parse(body.into())?)?;
/// assert_eq!(body.unwrap(), r#"{"messages":[{"role":"user","content":"q"}]}"#);
/// # Ok(())
/// # }
/// ```
pub fn without_instructions(request: &RequestView) -> Result<Option<Bytes>, JsonError> {
    let Some(object) = request.object() else {
        return Ok(None);
    };
    let mut splice = Splice::new(object);
    for member in object.iter() {
        let name = member.name();
        let is_one_of = |names: &[&str]| names.iter().any(|one| one.eq_ignore_ascii_case(name));
        if is_one_of(&MEMBERS) && !is_blank(&member) {
            splice.remove(name);
        } else if is_one_of(&TURNS)
            && let Some(rest) = other_turns(request.bytes(), &member)?
        {
            splice.set(name, rest);
        }
    }
    Ok((!splice.is_unchanged()).then(|| splice.finish()))
}

/// Whether it says nothing: what many clients send for "none".
fn is_blank(member: &Member<'_>) -> bool {
    let is_empty = match member.kind() {
        Kind::String => member.as_str().is_some_and(|text| text.trim().is_empty()),
        Kind::Array | Kind::Object => member.count() == 0,
        _ => false,
    };
    is_empty || matches!(member.raw(), b"null" | b"false")
}

/// The turns that are no instructions; `None` where all of them are.
fn other_turns(body: &Bytes, turns: &Member<'_>) -> Result<Option<Bytes>, JsonError> {
    if turns.kind() != Kind::Array {
        return Ok(None);
    }
    let Ok(all) = serde_json::from_slice::<Vec<&RawValue>>(turns.raw()) else {
        return Ok(None);
    };
    let mut rest = Vec::with_capacity(all.len());
    for turn in &all {
        if !is_instruction(body, turn)? {
            rest.push(turn.get());
        }
    }
    Ok((rest.len() < all.len()).then(|| format!("[{}]", rest.join(",")).into()))
}

fn is_instruction(body: &Bytes, turn: &RawValue) -> Result<bool, JsonError> {
    if !turn.get().starts_with('{') {
        return Ok(false);
    }
    let turn = ObjectView::parse(body.slice_ref(turn.get().as_bytes()))?;
    let is_role = |role: &str| ROLES.iter().any(|one| one.eq_ignore_ascii_case(role.trim()));
    let mut roles = turn
        .iter()
        .filter(|member| member.name().eq_ignore_ascii_case("role"));
    Ok(roles.any(|role| role.as_str().is_some_and(|role| is_role(&role))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(body: &str) -> Result<Option<String>, JsonError> {
        let request = RequestView::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let rest = without_instructions(&request)?;
        Ok(rest.map(|rest| String::from_utf8(rest.to_vec()).unwrap()))
    }

    #[test]
    fn every_dialect_loses_its_instructions_and_nothing_else() {
        for (body, rest) in [
            (
                r#"{"n":1.0,"messages":[{"role":"developer","content":"d"}, {"role":"user",  "content":"q"},{"role":"system","content":"s"}]}"#,
                r#"{"n":1.0,"messages":[{"role":"user",  "content":"q"}]}"#,
            ),
            (
                r#"{"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":"q"}]}"#,
                r#"{"messages":[{"role":"user","content":"q"}]}"#,
            ),
            (
                r#"{"instructions":"s","input":[{"role":"system","content":"s"},{"type":"message","role":"user","content":"q"}]}"#,
                r#"{"input":[{"type":"message","role":"user","content":"q"}]}"#,
            ),
            (r#"{"instructions":"s","input":"q"}"#, r#"{"input":"q"}"#),
            (
                r#"{"systemInstruction":{"parts":[]},"system_instruction":"s","contents":[]}"#,
                r#"{"contents":[]}"#,
            ),
            (
                r#"{"prompt":"q","system":"s","template":"{{.Prompt}}","raw":true}"#,
                r#"{"prompt":"q"}"#,
            ),
        ] {
            assert_eq!(stripped(body).unwrap().as_deref(), Some(rest), "{body}");
        }
    }

    #[test]
    fn what_says_nothing_or_is_no_instruction_stays() {
        for body in [
            r#"{"messages":[{"role":"user","content":"system"}],"system":null}"#,
            r#"{"input":["system",1],"instructions":"","raw":false}"#,
            r#"{"messages":"system","contents":{"role":"system"}}"#,
            r#"["system"]"#,
        ] {
            assert_eq!(stripped(body).unwrap(), None, "{body}");
        }
    }

    #[test]
    fn no_spelling_gets_through() {
        for (body, rest) in [
            (
                r#"{"messages":[{"Role":" SYSTEM ","content":"s"}]}"#,
                r#"{"messages":[]}"#,
            ),
            (
                r#"{"messages":[{"role":"user","Role":"system"}]}"#,
                r#"{"messages":[]}"#,
            ),
            (r#"{"\u0073ystem":"s","System":"t"}"#, "{}"),
            (
                r#"{"messages":[{"ro\u006ce":"sys\u0074em","content":"s"}]}"#,
                r#"{"messages":[]}"#,
            ),
        ] {
            assert_eq!(stripped(body).unwrap().as_deref(), Some(rest), "{body}");
        }
        let twice = stripped(r#"{"messages":[{"role":"user","role":"system"}]}"#);
        assert!(matches!(twice, Err(JsonError::DuplicateMember { .. })));
    }
}
