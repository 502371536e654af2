//! Rules that choose targets by what a request is.

use std::cell::OnceCell;

use regex::RegexSet;
use sluice_core::{AiCall, CompileError, Context};
use sluice_llm::{PromptMessage, RequestView, TextKind, TokenCounter, has_images, prompt_messages};
use sluice_record::Text;
use sluice_resource::Glob;

use super::config::{RuleConfig, WhenConfig};
use super::task::{Classes, Classified};

/// Most of a text that patterns and classes look at, in bytes.
const TEXT_MAX: usize = 32 << 10;

/// The rules of a model, in order.
pub(super) struct Rules {
    rules: Vec<Rule>,
    classes: Classes,
}

/// A rule.
pub(super) struct Rule {
    pub(super) name: Text,
    when: When,
    /// Targets, as indexes.
    pub(super) targets: Vec<usize>,
    /// Whether no other target is tried.
    pub(super) strict: bool,
}

struct When {
    headers: Vec<(String, Glob)>,
    min_tokens: Option<u64>,
    max_tokens: Option<u64>,
    has_tools: Option<bool>,
    has_images: Option<bool>,
    stream: Option<bool>,
    prompt: Option<RegexSet>,
    /// The class of tasks, and how close a request has to come.
    class: Option<(usize, f32)>,
}

/// What rules ask of a request, found out when the first of them asks.
pub(super) struct Features<'a> {
    ai: &'a AiCall,
    messages: OnceCell<Vec<PromptMessage<'a>>>,
    tokens: OnceCell<u64>,
    images: OnceCell<bool>,
    said: OnceCell<String>,
    classified: OnceCell<Option<Classified>>,
}

impl Rules {
    /// Compiles the rules of a model with targets of these names.
    pub(super) fn compile(configs: &[RuleConfig], targets: &[&Text]) -> Result<Self, CompileError> {
        let mut classes = Vec::new();
        let mut rules = Vec::with_capacity(configs.len());
        for config in configs {
            let when = When::compile(&config.when, &mut classes)
                .map_err(|error| CompileError(format!("rule \"{}\": {error}", config.name)))?;
            let named = |name: &String| targets.iter().position(|target| ***target == **name);
            rules.push(Rule {
                name: Text::from(&*config.name),
                when,
                targets: config.targets.iter().filter_map(named).collect(),
                strict: config.strict,
            });
        }
        Ok(Self {
            rules,
            classes: Classes::new(&classes),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Rule> {
        self.rules.get(index)
    }

    /// The first rule that applies.
    pub(super) fn find(&self, cx: &Context, request: &Features<'_>) -> Option<usize> {
        let applies = |rule: &Rule| rule.when.holds(cx, request, &self.classes);
        self.rules.iter().position(applies)
    }
}

impl When {
    fn compile<'c>(config: &'c WhenConfig, classes: &mut Vec<&'c [String]>) -> Result<Self, String> {
        let prompt = (!config.prompt.is_empty())
            .then(|| RegexSet::new(&config.prompt).map_err(|error| error.to_string()));
        let class = config.task.as_ref().map(|task| {
            classes.push(&task.examples);
            (classes.len() - 1, task.threshold)
        });
        let headers = config.headers.iter();
        Ok(Self {
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), Glob::new(value)))
                .collect(),
            min_tokens: config.min_tokens,
            max_tokens: config.max_tokens,
            has_tools: config.has_tools,
            has_images: config.has_images,
            stream: config.stream,
            prompt: prompt.transpose()?,
            class,
        })
    }

    /// The cheap questions first.
    fn holds(&self, cx: &Context, request: &Features<'_>, classes: &Classes) -> bool {
        let header = |(name, value): &(String, Glob)| {
            cx.request.header(name).is_some_and(|given| value.matches(given))
        };
        let prompt = |patterns: &RegexSet| patterns.is_match(request.said());
        let class = |(class, threshold): &(usize, f32)| {
            let best = request.class(classes);
            best.is_some_and(|best| best.class == *class && best.likeness >= *threshold)
        };
        self.headers.iter().all(header)
            && self.stream.is_none_or(|stream| stream == request.ai.stream)
            && self.has_tools.is_none_or(|wanted| wanted == request.has_tools())
            && self
                .has_images
                .is_none_or(|wanted| wanted == request.has_images())
            && self.min_tokens.is_none_or(|least| request.tokens() >= least)
            && self.max_tokens.is_none_or(|most| request.tokens() <= most)
            && self.prompt.as_ref().is_none_or(prompt)
            && self.class.as_ref().is_none_or(class)
    }
}

impl<'a> Features<'a> {
    pub(super) fn of(ai: &'a AiCall) -> Self {
        Self {
            ai,
            messages: OnceCell::new(),
            tokens: OnceCell::new(),
            images: OnceCell::new(),
            said: OnceCell::new(),
            classified: OnceCell::new(),
        }
    }

    fn request(&self) -> Option<&'a RequestView> {
        self.ai.request.as_ref()
    }

    fn messages(&self) -> &[PromptMessage<'a>] {
        self.messages.get_or_init(|| {
            let body = self.request().map(RequestView::bytes);
            body.map_or_else(Vec::new, |body| prompt_messages(self.ai.protocol, body))
        })
    }

    /// Tokens of the input, estimated from its texts and tools.
    fn tokens(&self) -> u64 {
        *self.tokens.get_or_init(|| {
            let texts = self.messages().iter().flat_map(|message| &message.spans);
            let texts: u64 = texts
                .filter(|span| !span.repeats && span.kind != TextKind::Reasoning)
                .map(|span| TokenCounter::estimate(&span.text))
                .sum();
            let all = texts + self.tools().map_or(0, TokenCounter::estimate);
            // Where nothing is known of the protocol's texts, the body counts as a whole.
            let body = || {
                self.request()
                    .map(|request| String::from_utf8_lossy(request.bytes()))
            };
            match all {
                0 => body().map_or(0, |body| TokenCounter::estimate(&body)),
                all => all,
            }
        })
    }

    fn tools(&self) -> Option<&'a str> {
        let object = self.request()?.object()?;
        let tools = ["tools", "toolConfig", "functions"]
            .into_iter()
            .find_map(|name| object.get(name))?;
        let text = std::str::from_utf8(tools.raw()).ok()?;
        (!matches!(text, "[]" | "{}" | "null")).then_some(text)
    }

    fn has_tools(&self) -> bool {
        self.tools().is_some()
    }

    fn has_images(&self) -> bool {
        *self.images.get_or_init(|| {
            let body = self.request().map(RequestView::bytes);
            body.is_some_and(|body| has_images(body))
        })
    }

    /// What the user said last.
    fn said(&self) -> &str {
        self.said.get_or_init(|| {
            let messages = self.messages().iter();
            let last = messages.rev().find(|message| message.role == "user");
            let mut text = last.map(PromptMessage::said).unwrap_or_default();
            text.truncate(text.floor_char_boundary(TEXT_MAX));
            text
        })
    }

    fn class(&self, classes: &Classes) -> Option<Classified> {
        *self.classified.get_or_init(|| classes.classify(self.said()))
    }
}
