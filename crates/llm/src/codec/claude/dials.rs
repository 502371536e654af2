//! Limits, dials and thinking of a request, as a Claude model takes them.

use serde_json::Number;
use serde_json::value::RawValue;

use super::{Claude, OTHER_MAX_TOKENS};
use crate::chat::{
    ChatRequest, Drops, Effort, Fields, PartKind, ReasoningRequest, Role, SignatureOrigin, ToolChoice,
};
use crate::protocol::Protocol;

/// Least budget of thinking.
const MIN_BUDGET: u64 = 1024;

/// What is said about generation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::codec) struct Dials {
    /// Most tokens of the answer, thoughts included; always there if it was needed.
    pub(in crate::codec) max_tokens: Option<u64>,
    /// Temperature.
    pub(in crate::codec) temperature: Option<Number>,
    /// Nucleus sampling.
    pub(in crate::codec) top_p: Option<Number>,
    /// Number of candidate tokens.
    pub(in crate::codec) top_k: Option<Number>,
    /// How much is thought; the model's default without.
    pub(in crate::codec) depth: Option<Depth>,
    /// Whether thoughts are shown; the model's default without.
    pub(in crate::codec) show: Option<bool>,
    /// How much effort goes into the answer as a whole.
    pub(in crate::codec) effort: Option<Effort>,
}

/// Where a model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) enum Platform {
    /// Behind Anthropic's protocol, which demands a limit of tokens. Models that are no Claude take a budget of thinking.
    Anthropic,
    /// On Bedrock. Models that are no Claude have no common word for thinking.
    Bedrock,
}

impl Platform {
    /// The protocol that it speaks.
    fn protocol(self) -> Protocol {
        match self {
            Self::Anthropic => Protocol::AnthropicMessages,
            Self::Bedrock => Protocol::BedrockConverse,
        }
    }
}

/// How much is thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) enum Depth {
    /// Nothing.
    Off,
    /// Up to that many tokens.
    Budget(u64),
    /// As the model decides.
    Adaptive,
}

impl Depth {
    /// Reads `thinking` as Anthropic writes it, and whether thoughts are shown; `None` if it says what there is no word
    /// for here.
    pub(in crate::codec) fn read(thinking: &RawValue) -> Option<(Self, Option<bool>)> {
        let mut fields = Fields::read(thinking).ok()?;
        let kind: String = fields.need("type").ok()?;
        let display: Option<String> = fields.take("display").ok()?;
        let depth = match kind.as_str() {
            "enabled" => Self::Budget(fields.need("budget_tokens").ok()?),
            "adaptive" => Self::Adaptive,
            "disabled" if display.is_none() => Self::Off,
            _ => return None,
        };
        let show = match display.as_deref() {
            None => None,
            Some("summarized") => Some(true),
            Some("omitted") => Some(false),
            Some(_) => return None,
        };
        fields.is_empty().then_some((depth, show))
    }

    /// The same as a wish.
    pub(in crate::codec) fn wish(self, show: Option<bool>, effort: Option<Effort>) -> ReasoningRequest {
        let mut wish = ReasoningRequest {
            effort,
            show,
            ..ReasoningRequest::default()
        };
        match self {
            Self::Off => wish.effort = Some(Effort::None),
            Self::Budget(budget) => wish.budget = Some(budget),
            Self::Adaptive => wish.adaptive = true,
        }
        wish
    }

    /// As Anthropic writes it.
    pub(in crate::codec) fn json(self, show: Option<bool>) -> crate::chat::Json {
        let object = crate::chat::Object::new();
        let display = show.map(|show| if show { "summarized" } else { "omitted" });
        match self {
            Self::Off => object.set("type", "disabled"),
            Self::Budget(budget) => object
                .set("type", "enabled")
                .set("budget_tokens", &budget)
                .set_some("display", display),
            Self::Adaptive => object.set("type", "adaptive").set_some("display", display),
        }
        .finish()
    }
}

impl Dials {
    /// The dials of a request. What clients of Anthropic and Bedrock say stands as they said it (thinking is put in the
    /// words of the model's generation where the platform is not their own); what others say is fitted to the model, and noted in `drops` where it does not fit:
    ///
    /// * temperatures over 1 become 1; thinking takes no temperature, no `top_k` and no `top_p` under 0.95; models
    ///   since 4.1 take one of temperature and `top_p`, models since 4.7 none of the three;
    /// * efforts become adaptive thinking for models since 4.6, and a budget before;
    /// * nothing is thought where a tool is forced, nor where a turn with tool calls goes on whose thoughts the client
    ///   did not send back: models refuse both;
    /// * a budget that does not fit under the limit of tokens becomes half of the limit.
    ///
    pub(in crate::codec) fn of(
        request: &ChatRequest,
        claude: Option<Claude>,
        platform: Platform,
        drops: &mut Drops,
    ) -> Self {
        let sampling = &request.sampling;
        let limit = claude.map_or(OTHER_MAX_TOKENS, Claude::default_max_tokens);
        let mut dials = Self {
            max_tokens: sampling
                .max_tokens
                .or((platform == Platform::Anthropic).then_some(limit)),
            temperature: sampling.temperature.clone(),
            top_p: sampling.top_p.clone(),
            top_k: sampling.top_k.clone(),
            ..Self::default()
        };
        let client = request.extension.protocol();
        if client == platform.protocol() {
            dials.think_as_said(request);
        } else if matches!(client, Protocol::AnthropicMessages | Protocol::BedrockConverse) {
            if Self::knows(request, claude) {
                dials.think_as_said(request);
            } else {
                dials.think(request, claude, limit, drops);
            }
        } else {
            if claude.is_some() || platform == Platform::Anthropic {
                dials.think(request, claude, limit, drops);
            } else {
                let effort = request.reasoning.as_ref().and_then(ReasoningRequest::as_effort);
                drops.note_if(
                    effort.is_some_and(|effort| effort > Effort::None),
                    "reasoning_effort",
                );
            }
            dials.fit_sampling(claude, drops);
        }
        dials
    }

    /// Whether a model knows the words in which a client of the other platform asks for thinking.
    fn knows(request: &ChatRequest, claude: Option<Claude>) -> bool {
        let (Some(reasoning), Some(claude)) = (&request.reasoning, claude) else {
            return true;
        };
        let is_off = reasoning.effort == Some(Effort::None);
        if claude.adapts() {
            reasoning.budget.is_none() || !claude.since(4, 7)
        } else {
            !reasoning.adaptive && (reasoning.effort.is_none() || is_off) && claude.thinks()
        }
    }

    fn think_as_said(&mut self, request: &ChatRequest) {
        let Some(reasoning) = &request.reasoning else {
            return;
        };
        self.show = reasoning.show;
        self.effort = reasoning.effort.filter(|effort| *effort != Effort::None);
        self.depth = if reasoning.adaptive {
            Some(Depth::Adaptive)
        } else if let Some(budget) = reasoning.budget {
            Some(Depth::Budget(budget))
        } else {
            (reasoning.effort == Some(Effort::None)).then_some(Depth::Off)
        };
    }

    fn think(&mut self, request: &ChatRequest, claude: Option<Claude>, limit: u64, drops: &mut Drops) {
        let Some(reasoning) = &request.reasoning else {
            return;
        };
        let effort = reasoning.as_effort();
        if effort.is_none() && !reasoning.adaptive {
            drops.note_if(reasoning.summary.is_some(), "reasoning.summary");
            return;
        }
        let can_think = claude.is_none_or(Claude::thinks);
        if effort == Some(Effort::None) && !reasoning.adaptive {
            self.depth = can_think.then_some(Depth::Off);
            return;
        }
        if !can_think || forces_tool(request) || lacks_thoughts(request) {
            drops.note("reasoning_effort");
            return;
        }
        if claude.is_some_and(Claude::adapts) {
            self.depth = Some(Depth::Adaptive);
            self.show = reasoning.show;
            self.effort = effort.map(|effort| effort.max(Effort::Low));
            return;
        }
        let most = self.max_tokens.unwrap_or(limit);
        let budget = reasoning.as_budget().unwrap_or(Effort::Medium.budget());
        let mut budget = budget.max(MIN_BUDGET);
        if budget >= most {
            budget = most / 2;
        }
        if budget < MIN_BUDGET {
            drops.note("reasoning_effort");
            return;
        }
        self.max_tokens = Some(most);
        self.depth = Some(Depth::Budget(budget));
    }

    fn fit_sampling(&mut self, claude: Option<Claude>, drops: &mut Drops) {
        let over_one = |number: &Number| number.as_f64().is_some_and(|number| number > 1.0);
        if self.temperature.as_ref().is_some_and(over_one) {
            self.temperature = Some(Number::from(1));
            drops.note("temperature");
        }
        let since = |major, minor| claude.is_some_and(|claude| claude.since(major, minor));
        let takes_none = since(4, 7);
        let thinks = matches!(self.depth, Some(Depth::Budget(_) | Depth::Adaptive));
        let is_one = |number: &Number| number.as_f64().is_some_and(|number| number >= 1.0);
        let is_high = |number: &Number| number.as_f64().is_some_and(|number| number >= 0.95);
        if takes_none || (thinks && !self.temperature.as_ref().is_some_and(is_one)) {
            drops.note_if(self.temperature.take().is_some(), "temperature");
        }
        if takes_none || thinks {
            drops.note_if(self.top_k.take().is_some(), "top_k");
        }
        let is_second = since(4, 1) && self.temperature.is_some();
        if takes_none || is_second || (thinks && !self.top_p.as_ref().is_some_and(is_high)) {
            drops.note_if(self.top_p.take().is_some(), "top_p");
        }
    }
}

fn forces_tool(request: &ChatRequest) -> bool {
    matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Tool(_) | ToolChoice::Allowed { required: true, .. })
    )
}

/// Whether the conversation goes on behind tool calls of the model without the thoughts that led to them.
fn lacks_thoughts(request: &ChatRequest) -> bool {
    let Some(last) = request
        .turns
        .iter()
        .rposition(|turn| turn.role == Role::Assistant)
    else {
        return false;
    };
    let is_answered = request
        .turns
        .iter()
        .skip(last + 1)
        .any(|turn| turn.role == Role::Tool);
    let calls = request.turns.get(last).is_some_and(|turn| {
        let is_call = |part: &crate::chat::Part| matches!(part.kind, PartKind::ToolCall(_));
        let is_thought = |part: &crate::chat::Part| match &part.kind {
            PartKind::Reasoning(reasoning) => reasoning
                .signature
                .as_ref()
                .is_some_and(|signature| signature.origin == SignatureOrigin::Anthropic),
            _ => false,
        };
        turn.parts.iter().any(is_call) && !turn.parts.iter().any(is_thought)
    });
    is_answered && calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Extension;

    fn request(effort: Option<Effort>, max_tokens: Option<u64>) -> ChatRequest {
        let mut request = ChatRequest::new(Extension::of(Protocol::OpenAiChat));
        request.sampling.max_tokens = max_tokens;
        request.sampling.temperature = Number::from_f64(1.5);
        request.sampling.top_p = Number::from_f64(0.5);
        request.reasoning = effort.map(|effort| ReasoningRequest {
            effort: Some(effort),
            ..ReasoningRequest::default()
        });
        request
    }

    fn dials(model: &str, request: &ChatRequest) -> (Dials, Vec<String>) {
        let mut drops = Drops::default();
        let dials = Dials::of(request, Claude::of(model), Platform::Anthropic, &mut drops);
        let names = drops.names().iter().map(ToString::to_string).collect();
        (dials, names)
    }

    #[test]
    fn temperatures_are_capped_and_one_dial_is_kept_where_two_are_refused() {
        let (old, names) = dials("claude-3-5-sonnet", &request(None, None));
        assert_eq!(old.temperature, Some(Number::from(1)));
        assert_eq!(old.top_p, Number::from_f64(0.5));
        assert_eq!(
            (old.max_tokens, names),
            (Some(8192), vec!["temperature".to_owned()])
        );

        let (newer, names) = dials("claude-sonnet-4-5", &request(None, Some(9)));
        assert_eq!((newer.max_tokens, newer.top_p), (Some(9), None));
        assert_eq!(names, ["temperature", "top_p"]);
        let (newest, _) = dials("claude-opus-4-7", &request(None, None));
        assert_eq!((newest.temperature, newest.top_p), (None, None));
    }

    #[test]
    fn efforts_are_budgets_or_adaptive_by_generation() {
        let (old, names) = dials("claude-sonnet-4-5", &request(Some(Effort::High), None));
        assert_eq!(old.depth, Some(Depth::Budget(16_384)));
        assert_eq!(old.max_tokens, Some(32_000));
        assert_eq!(names, ["temperature", "top_p"]);
        let (tight, _) = dials("claude-sonnet-4-5", &request(Some(Effort::High), Some(4000)));
        assert_eq!(tight.depth, Some(Depth::Budget(2000)));
        let (none, names) = dials("claude-sonnet-4-5", &request(Some(Effort::High), Some(1500)));
        assert_eq!(none.depth, None);
        assert!(names.contains(&"reasoning_effort".to_owned()));
        let (adaptive, _) = dials("claude-opus-4-6", &request(Some(Effort::Minimal), None));
        assert_eq!(
            (adaptive.depth, adaptive.effort),
            (Some(Depth::Adaptive), Some(Effort::Low))
        );
        let (off, _) = dials("claude-opus-4-6", &request(Some(Effort::None), None));
        assert_eq!(off.depth, Some(Depth::Off));
        let (cannot, _) = dials("claude-3-haiku", &request(Some(Effort::None), None));
        assert_eq!(cannot.depth, None);
    }

    #[test]
    fn wishes_of_anthropic_clients_on_bedrock() {
        let on_bedrock = |model: &str, wish: ReasoningRequest| {
            let mut request = ChatRequest::new(Extension::of(Protocol::AnthropicMessages));
            request.reasoning = Some(wish);
            let dials = Dials::of(
                &request,
                Claude::of(model),
                Platform::Bedrock,
                &mut Drops::default(),
            );
            (dials.depth, dials.effort)
        };
        let adaptive = || Depth::Adaptive.wish(None, Some(Effort::High));
        let kept = (Some(Depth::Adaptive), Some(Effort::High));
        assert_eq!(on_bedrock("claude-opus-4-6", adaptive()), kept);
        assert_eq!(
            on_bedrock("claude-sonnet-4-5", adaptive()),
            (Some(Depth::Budget(16_384)), None)
        );
        let budget = || Depth::Budget(5000).wish(None, None);
        let kept = (Some(Depth::Budget(5000)), None);
        assert_eq!(on_bedrock("claude-opus-4-6", budget()), kept);
        assert_eq!(on_bedrock("claude-opus-4-7", budget()).0, Some(Depth::Adaptive));
        let off = Depth::Off.wish(None, None);
        assert_eq!(on_bedrock("claude-sonnet-4-5", off), (Some(Depth::Off), None));
    }

    #[test]
    fn nothing_is_thought_where_a_tool_is_forced() {
        let mut request = request(Some(Effort::High), None);
        request.tool_choice = Some(ToolChoice::Required);
        let (dials, names) = dials("claude-sonnet-4-5", &request);
        assert_eq!(dials.depth, None);
        assert!(names.contains(&"reasoning_effort".to_owned()));
    }
}
