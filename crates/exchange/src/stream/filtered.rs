//! A stream that plugins look at: pulled, shown to their filters event by event, pushed on. While a filter waits for
//! its service nothing more is pulled, so that the provider waits as well.

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use http_body_util::BodyExt;
use sluice_core::{AnswerFilters, Flow};
use sluice_llm::{EventSplitter, Framing, StreamEvent};
use sluice_net::{Body, BodyError};

/// The stream as the filters leave it.
pub(super) fn filtered(stream: Body, framing: Framing, filters: AnswerFilters) -> Body {
    let state = Filtered {
        stream,
        splitter: EventSplitter::new(framing),
        array: (framing == Framing::JsonArray).then_some(Array::Empty),
        filters,
        events: Vec::new(),
        over: false,
        failed: None,
    };
    let frames = futures_util::stream::unfold(state, async |mut state| {
        let next = state.next().await?;
        Some((next.map(Frame::data), state))
    });
    Body::boxed(http_body_util::StreamBody::new(frames))
}

/// An array that is being sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Array {
    Empty,
    Begun,
}

struct Filtered {
    stream: Body,
    splitter: EventSplitter,
    /// What of an array has been sent, where the client reads one.
    array: Option<Array>,
    filters: AnswerFilters,
    events: Vec<StreamEvent>,
    over: bool,
    /// Why the stream broke, until the client has learnt of it.
    failed: Option<BodyError>,
}

impl Filtered {
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        while !self.over {
            match self.stream.frame().await {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.cut(data);
                    self.pass().await;
                }
                Some(Err(error)) => {
                    self.failed = Some(error);
                    self.end().await;
                }
                None => self.end().await,
            }
            if let Some(data) = self.sendable() {
                return Some(Ok(data));
            }
        }
        self.failed.take().map(Err)
    }

    fn cut(&mut self, data: Bytes) {
        self.splitter.push(data);
        while let Some(event) = self.splitter.next_event() {
            self.events.push(event);
        }
    }

    /// Shows the events at hand to each filter.
    async fn pass(&mut self) {
        for position in 0..self.filters.len() {
            if self.events.is_empty() {
                return;
            }
            if self.filters[position].events(&mut self.events).decided().await == Flow::End {
                return self.give_up(position + 1).await;
            }
        }
    }

    /// The provider's stream is over: filters let go of what they hold, and later ones see it.
    async fn end(&mut self) {
        self.events.extend(self.splitter.finish());
        self.finish(0).await;
    }

    /// A filter has ended the answer. The provider's stream is dropped, which books it as far as it has come.
    async fn give_up(&mut self, next: usize) {
        self.stream = Body::empty();
        self.finish(next).await;
    }

    async fn finish(&mut self, first: usize) {
        self.over = true;
        let broken = self.failed.is_some();
        for filter in &mut self.filters[first..] {
            let flow = match self.events.is_empty() {
                true => Flow::Continue,
                false => filter.events(&mut self.events).decided().await,
            };
            if flow == Flow::Continue {
                filter.end(&mut self.events, broken).decided().await;
            } else {
                self.stream = Body::empty();
                self.failed = None;
            }
        }
    }

    /// What goes out, as one piece.
    fn sendable(&mut self) -> Option<Bytes> {
        if let Some(array) = self.array {
            return self.elements(array);
        }
        let mut frames = self.events.drain(..).map(StreamEvent::into_frame);
        let first = frames.next()?;
        let Some(second) = frames.next() else {
            return (!first.is_empty()).then_some(first);
        };
        let mut out = BytesMut::from(&first[..]);
        out.extend_from_slice(&second);
        frames.for_each(|frame| out.extend_from_slice(&frame));
        (!out.is_empty()).then(|| out.freeze())
    }

    /// The events as elements of an array, with what stands around them. A broken stream leaves it open.
    fn elements(&mut self, array: Array) -> Option<Bytes> {
        let mut out = BytesMut::new();
        let mut begun = array == Array::Begun;
        for event in self.events.drain(..) {
            let Some(data) = event.data() else { continue };
            out.extend_from_slice(if begun { b",\r\n" } else { b"[" });
            out.extend_from_slice(&data);
            begun = true;
        }
        if self.over && self.failed.is_none() {
            out.extend_from_slice(if begun { b"]" } else { b"[]" });
        }
        self.array = Some(if begun { Array::Begun } else { Array::Empty });
        (!out.is_empty()).then(|| out.freeze())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::FutureExt;
    use sluice_core::{AnswerFilter, FilterStep};

    use super::*;

    /// Holds everything until the end.
    #[derive(Default)]
    struct Hold(Vec<StreamEvent>);

    impl AnswerFilter for Hold {
        fn events<'a>(&'a mut self, events: &'a mut Vec<StreamEvent>) -> FilterStep<'a> {
            self.0.append(events);
            FilterStep::CONTINUE
        }

        fn end<'a>(&'a mut self, events: &'a mut Vec<StreamEvent>, _broken: bool) -> FilterStep<'a> {
            events.append(&mut self.0);
            FilterStep::CONTINUE
        }
    }

    /// Writes `data: b` as `data: X`, and ends the stream at `data: stop`.
    struct Change;

    impl AnswerFilter for Change {
        fn events<'a>(&'a mut self, events: &'a mut Vec<StreamEvent>) -> FilterStep<'a> {
            FilterStep::wait(async {
                for event in events.iter_mut() {
                    if event.data().as_deref() == Some(b"b") {
                        *event = event.with_data(b"X");
                    }
                }
                let stop = events
                    .iter()
                    .position(|event| event.data().as_deref() == Some(b"stop"));
                let Some(stop) = stop else {
                    return Flow::Continue;
                };
                events.truncate(stop);
                events.push(StreamEvent::new("data: denied\n\n".into()));
                Flow::End
            })
        }
    }

    fn filters<const N: usize>(filters: [Box<dyn AnswerFilter>; N]) -> AnswerFilters {
        filters.into_iter().collect()
    }

    fn run(chunks: &[&'static str], filters: AnswerFilters) -> Vec<Bytes> {
        let frames: Vec<_> = chunks
            .iter()
            .map(|chunk| Ok::<_, Infallible>(Frame::data(Bytes::from(*chunk))))
            .collect();
        let stream = Body::boxed(http_body_util::StreamBody::new(futures_util::stream::iter(
            frames,
        )));
        let mut body = filtered(stream, Framing::Sse, filters);
        let mut out = Vec::new();
        while let Some(frame) = body.frame().now_or_never().flatten() {
            out.push(frame.map(|frame| frame.into_data().unwrap_or_default()).unwrap());
        }
        out
    }

    #[test]
    fn events_are_changed_wherever_they_are_cut() {
        let whole = run(
            &["data: a\n\ndata: b\n\ndata: c\n\n"],
            filters([Box::new(Change)]),
        );
        assert_eq!(whole, ["data: a\n\ndata: X\n\ndata: c\n\n"]);
        let cut = run(&["data: a\n", "\ndata: ", "b\n\n"], filters([Box::new(Change)]));
        assert_eq!(cut, ["data: a\n\n", "data: X\n\n"]);
    }

    #[test]
    fn what_is_held_comes_out_at_the_end_and_is_seen_by_later_filters() {
        let out = run(
            &["data: a\n\n", "data: b\n\n"],
            filters([Box::new(Hold::default()), Box::new(Change)]),
        );
        assert_eq!(out, ["data: a\n\ndata: X\n\n"]);
    }

    #[test]
    fn a_filter_can_end_the_answer() {
        let out = run(
            &["data: a\n\ndata: stop\n\ndata: c\n\n", "data: d\n\n"],
            filters([Box::new(Change), Box::new(Hold::default())]),
        );
        assert_eq!(out, ["data: a\n\ndata: denied\n\n"]);
    }

    #[test]
    fn a_broken_stream_stays_broken() {
        let frames = [
            Ok(Frame::data(Bytes::from("data: a\n\n"))),
            Err(BodyError::other("cut")),
        ];
        let stream = Body::boxed(http_body_util::StreamBody::new(futures_util::stream::iter(
            frames,
        )));
        let mut body = filtered(stream, Framing::Sse, filters([Box::new(Hold::default())]));
        let first = body.frame().now_or_never().flatten().unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "data: a\n\n");
        assert!(body.frame().now_or_never().flatten().unwrap().is_err());
    }
}
