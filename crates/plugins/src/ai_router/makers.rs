//! Who made what a request goes on with: a response, or thoughts that only their maker can read.

use std::time::Instant;

use sluice_core::{Context, Failure};
use sluice_exchange::keeps_response;
use sluice_llm::{Protocol, RequestView, request_marks};
use sluice_record::Text;

use super::compile::RoutedModel;
use super::pick::owner;
use super::refusals;

/// Targets, as indexes.
#[derive(Default)]
pub(super) struct Makers {
    /// Nobody else can answer.
    pub(super) only: Option<Vec<usize>>,
    /// Others can, without the thoughts.
    pub(super) preferred: Option<Vec<usize>>,
}

impl RoutedModel {
    /// The targets that made what a request goes on with.
    pub(super) fn makers(&self, cx: &Context) -> Result<Makers, Box<Failure>> {
        match previous_response(cx) {
            Some(id) => Ok(Makers {
                only: self.makers_of_response(cx, &id)?,
                preferred: None,
            }),
            None if self.targets.len() < 2 => Ok(Makers::default()),
            None => self.makers_of_signatures(cx),
        }
    }

    /// Those that can go on with the answer of that id; `None` where everybody can.
    fn makers_of_response(&self, cx: &Context, id: &str) -> Result<Option<Vec<usize>>, Box<Failure>> {
        let speaks = |index: &usize| self.speaks_responses(*index);
        let known = cx.services.affinities.maker(&owner(cx), id, Instant::now());
        let found: Vec<usize> = match known {
            Some(known) => self
                .usable()
                .filter(|index| self.maker_key(*index) == known)
                .collect(),
            // What the gateway keeps itself is for those whom it tells the whole conversation.
            None if keeps_response(cx, id) => self.usable().filter(|index| !speaks(index)).collect(),
            None if self.targets.len() == 1 || !self.usable().any(|index| speaks(&index)) => return Ok(None),
            None => return Err(Box::new(refusals::unknown_response(id))),
        };
        match found.is_empty() {
            true => Err(Box::new(refusals::maker_gone())),
            false => Ok(Some(found)),
        }
    }

    /// Those that signed the last thoughts that a request brings back and whose signer is known; without any, those whose
    /// provider reads thoughts of the kind.
    fn makers_of_signatures(&self, cx: &Context) -> Result<Makers, Box<Failure>> {
        let Some(ai) = cx.ai.as_deref() else {
            return Ok(Makers::default());
        };
        let body = ai.request.as_ref().map(RequestView::bytes);
        let marks = body.map(|body| request_marks(body)).unwrap_or_default();
        let (owner, now) = (owner(cx), Instant::now());
        let known = marks.iter().find_map(|mark| {
            let maker = cx
                .services
                .affinities
                .maker(&owner, &signature_id(&mark.digest), now)?;
            Some((mark, maker))
        });
        let Some((mark, maker)) = known else {
            let kin = marks.first().map(|mark| {
                let reads = |index: &usize| {
                    let mut protocols = mark.protocols().iter();
                    protocols.any(|protocol| self.speaks(*index, *protocol))
                };
                self.usable().filter(reads).collect()
            });
            return Ok(Makers {
                only: None,
                preferred: kin,
            });
        };
        let made: Vec<usize> = self
            .usable()
            .filter(|index| self.maker_key(*index) == maker)
            .collect();
        // Other accounts refuse them; protocols that cannot say them leave them out.
        let is_bound = mark.is_bound() && ai.protocol == Protocol::OpenAiResponses;
        match is_bound {
            true if made.is_empty() => Err(Box::new(refusals::thinker_gone())),
            true => Ok(Makers {
                only: Some(made),
                preferred: None,
            }),
            false => Ok(Makers {
                only: None,
                preferred: Some(made),
            }),
        }
    }

    fn speaks_responses(&self, index: usize) -> bool {
        self.speaks(index, Protocol::OpenAiResponses)
    }

    fn speaks(&self, index: usize, protocol: Protocol) -> bool {
        let ready = self.targets[index].ready.as_ref();
        ready.is_some_and(|ready| ready.target.speaks(protocol))
    }

    /// What the table of makers calls a target: state and credentials may change, the name stays.
    pub(super) fn maker_key(&self, index: usize) -> Text {
        Text::from(format!("{} {}", self.key, self.targets[index].name))
    }
}

/// What the table of makers calls a signature.
pub(super) fn signature_id(mark: &str) -> String {
    format!("signature {mark}")
}

/// `previous_response_id` of a request to OpenAI Responses.
pub(super) fn previous_response(cx: &Context) -> Option<String> {
    let ai = cx
        .ai
        .as_deref()
        .filter(|ai| ai.protocol == Protocol::OpenAiResponses)?;
    let object = ai.request.as_ref().and_then(RequestView::object)?;
    let id = object.get("previous_response_id")?.as_str()?;
    (!id.is_empty()).then(|| id.into_owned())
}
