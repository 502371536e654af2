//! Line formats, compiled once.

use sluice_record::Record;

use super::{AskedVariables, Escape, LogVariable, Variable};

/// Members of the default JSON line, in order. Each is named after its variable.
const MEMBERS: &[&str] = &[
    "time_iso8601",
    "request_id",
    "remote_addr",
    "host",
    "request_method",
    "request_uri",
    "server_protocol",
    "status",
    "response_source",
    "ended",
    "error",
    "request_length",
    "body_bytes_sent",
    "request_time",
    "http_user_agent",
    "http_referer",
    "upstream_addr",
    "upstream_status",
    "upstream_response_time",
    "route_id",
    "service_id",
    "consumer_name",
    "request_type",
];

/// Members that only AI requests have, after [`MEMBERS`].
const AI_MEMBERS: &[&str] = &[
    "request_llm_model",
    "llm_model",
    "llm_provider",
    "llm_instance",
    "llm_stream",
    "llm_time_to_first_token",
    "llm_prompt_tokens",
    "llm_completion_tokens",
    "llm_total_tokens",
    "llm_cache_read_input_tokens",
    "llm_cache_creation_input_tokens",
    "llm_reasoning_tokens",
    "llm_tool_count",
    "llm_has_tool_calls",
    "llm_end_user_id",
    "llm_usage_provenance",
    "llm_cost_micro_usd",
];

/// How a record becomes a line.
#[derive(Clone, Debug)]
pub struct AccessLogFormat(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Json {
        members: Vec<Member>,
        ai_members: Vec<Member>,
    },
    Template {
        pieces: Vec<Piece>,
        escape: Escape,
    },
}

#[derive(Clone, Debug)]
struct Member {
    /// `,"name":`
    key: Box<[u8]>,
    variable: Variable,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(Box<str>),
    Variable(LogVariable),
}

impl AccessLogFormat {
    /// The default: one JSON object per line. Members without a value are left out; numbers are numbers.
    #[must_use]
    pub fn json() -> Self {
        Self(Kind::Json {
            members: members(MEMBERS),
            ai_members: members(AI_MEMBERS),
        })
    }

    /// A template as nginx's `log_format` and APISIX's `access_log_format` write it: text with `$name` or `${name}`.
    /// What records do not have of themselves is added to `asked`.
    #[must_use]
    pub fn template(template: &str, escape: Escape, asked: &mut AskedVariables) -> Self {
        Self(Kind::Template {
            pieces: pieces(template, asked),
            escape,
        })
    }

    /// Appends the line of `record`, without a line end.
    pub fn render(&self, record: &Record, out: &mut Vec<u8>) {
        match &self.0 {
            Kind::Json { members, ai_members } => {
                let start = out.len();
                write_members(members, record, out);
                if record.ai.is_some() {
                    write_members(ai_members, record, out);
                }
                // The first member's comma gives way to the brace; there always is a first: the time.
                out[start] = b'{';
                out.push(b'}');
            }
            Kind::Template { pieces, escape } => {
                for piece in pieces {
                    match piece {
                        Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
                        Piece::Variable(variable) => variable.read(record).write_text(*escape, out),
                    }
                }
            }
        }
    }
}

impl Default for AccessLogFormat {
    fn default() -> Self {
        Self::json()
    }
}

fn members(names: &[&str]) -> Vec<Member> {
    let member = |variable: Variable| Member {
        key: format!(",\"{}\":", variable.name()).into_bytes().into(),
        variable,
    };
    names
        .iter()
        .filter_map(|name| Variable::find(name))
        .map(member)
        .collect()
}

fn write_members(members: &[Member], record: &Record, out: &mut Vec<u8>) {
    for member in members {
        let value = member.variable.read(record);
        if !value.is_empty() {
            out.extend_from_slice(&member.key);
            value.write_json(out);
        }
    }
}

fn pieces(template: &str, asked: &mut AskedVariables) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = template;
    while let Some(dollar) = rest.find('$') {
        let (before, after) = (&rest[..dollar], &rest[dollar + 1..]);
        literal.push_str(before);
        let Some((name, length)) = name(after) else {
            literal.push('$');
            rest = after;
            continue;
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
        }
        pieces.push(Piece::Variable(LogVariable::find(name, asked)));
        rest = &after[length..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.into()));
    }
    pieces
}

/// The name that begins `text`, bare or in braces, and how many bytes it takes.
fn name(text: &str) -> Option<(&str, usize)> {
    if let Some(braced) = text.strip_prefix('{') {
        let end = braced.find('}')?;
        return Some((&braced[..end], end + 2));
    }
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    (end > 0).then(|| (&text[..end], end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ai_record, record};

    fn line(format: &AccessLogFormat, record: &Record) -> String {
        let mut out = b"before ".to_vec();
        format.render(record, &mut out);
        String::from_utf8(out)
            .unwrap()
            .strip_prefix("before ")
            .unwrap()
            .to_owned()
    }

    #[test]
    fn every_default_member_is_a_variable() {
        assert_eq!(members(MEMBERS).len(), MEMBERS.len());
        assert_eq!(members(AI_MEMBERS).len(), AI_MEMBERS.len());
    }

    #[test]
    fn a_plain_request_as_json() {
        assert_eq!(
            line(&AccessLogFormat::json(), &record()),
            concat!(
                r#"{"time_iso8601":"2025-11-20T15:47:00+00:00","request_id":"01234567-89ab-cdef-0123-456789abcdef","#,
                r#""remote_addr":"10.0.0.7","host":"gw.example","request_method":"POST","#,
                r#""request_uri":"/v1/chat?x=1","server_protocol":"HTTP/1.1","status":404,"#,
                r#""response_source":"apisix","ended":"complete","request_length":120,"body_bytes_sent":300,"#,
                r#""request_time":0.250,"http_user_agent":"curl/8 \"q\"","request_type":"traditional_http"}"#,
            )
        );
    }

    #[test]
    fn an_ai_request_as_json_has_its_members() {
        let line = line(&AccessLogFormat::json(), &ai_record());
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["consumer_name"], "alice");
        assert_eq!(json["upstream_addr"], "10.1.0.1:443, 10.1.0.2:443");
        assert_eq!(json["llm_stream"], true);
        assert_eq!(json["llm_prompt_tokens"], 10);
        assert_eq!(json["llm_cost_micro_usd"], 42);
        assert!(json.get("llm_end_user_id").is_none(), "what is empty is left out");
    }

    #[test]
    fn apisix_default_template() {
        let mut asked = AskedVariables::default();
        let format = AccessLogFormat::template(
            "$remote_addr - $remote_user [$time_local] $http_host \"$request\" $status $body_bytes_sent $request_time \
             \"$http_referer\" \"$http_user_agent\" $upstream_addr $upstream_status $upstream_response_time",
            Escape::Default,
            &mut asked,
        );
        assert_eq!(
            line(&format, &ai_record()),
            "10.0.0.7 - - [20/Nov/2025:15:47:00 +0000] gw.example \"POST /v1/chat?x=1 HTTP/1.1\" 200 300 0.250 \
             \"-\" \"curl/8 \\x22q\\x22\" 10.1.0.1:443, 10.1.0.2:443 502, 200 0.010, 0.230"
        );
        assert!(asked.names().is_empty());
    }

    #[test]
    fn a_json_template() {
        let mut asked = AskedVariables::default();
        let template =
            r#"{"s":$status,"ua":"${http_user_agent}","x":"$http_x","y":"$arg_y","again":"$http_x"}"#;
        let format = AccessLogFormat::template(template, Escape::Json, &mut asked);
        let names: Vec<_> = asked.names().iter().map(|name| &**name).collect();
        assert_eq!(names, ["http_x", "arg_y"]);
        let record = Record {
            asked: [Some("a\"b".into()), None].into(),
            ..record()
        };
        assert_eq!(
            line(&format, &record),
            r#"{"s":404,"ua":"curl/8 \"q\"","x":"a\"b","y":"","again":"a\"b"}"#
        );
    }

    #[test]
    fn a_dollar_without_a_name_is_text() {
        let mut asked = AskedVariables::default();
        let format = AccessLogFormat::template("$ 5$-${status $status$", Escape::Default, &mut asked);
        assert_eq!(line(&format, &record()), "$ 5$-${status 404$");
    }
}
