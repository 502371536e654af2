//! What readers and hyper see of each kind of body.

use http_body::Body as HttpBody;
use http_body_util::{BodyExt, StreamBody};

use super::*;

fn frames<const N: usize>(parts: [&'static str; N]) -> Body {
    let parts = parts.map(|part| Ok::<_, BodyError>(Frame::data(Bytes::from_static(part.as_bytes()))));
    Body::boxed(StreamBody::new(futures_util::stream::iter(parts)))
}

#[tokio::test]
async fn says_how_long_it_is_and_when_it_ends() {
    let mut full = Body::from("four");
    assert_eq!(full.size_hint().exact(), Some(4));
    assert!(!full.is_end_stream());
    assert_eq!(full.frame().await.unwrap().unwrap().into_data().unwrap(), "four");
    assert!(full.is_end_stream());
    assert_eq!(full.size_hint().exact(), Some(0));
    assert!(full.frame().await.is_none());

    assert!(Body::empty().is_end_stream());
    assert!(Body::from("").is_end_stream());
    assert!(Body::Full(Bytes::new()).is_end_stream());
}

#[tokio::test]
async fn chunked_hides_the_length_even_of_nothing() {
    for body in [Body::empty(), Body::from("x")] {
        let body = body.into_chunked();
        assert_eq!(body.size_hint().exact(), None);
        assert!(!body.is_end_stream());
    }
    let body = Body::from("x").into_chunked().into_chunked();
    assert_eq!(body.collect_limited(1).await.unwrap(), "x");
}

#[tokio::test]
async fn one_frame_is_collected_without_a_copy() {
    let bytes = Bytes::from(vec![b'x'; 100]);
    let whole = Body::from(bytes.clone()).collect_limited(100).await.unwrap();
    assert_eq!(whole.as_ptr(), bytes.as_ptr());

    let frame = Ok::<_, BodyError>(Frame::data(bytes.clone()));
    let streamed = Body::boxed(StreamBody::new(futures_util::stream::iter([frame])));
    assert_eq!(
        streamed.collect_limited(100).await.unwrap().as_ptr(),
        bytes.as_ptr()
    );
}

#[tokio::test]
async fn collects_up_to_the_limit() {
    assert_eq!(
        frames(["ab", "", "cd", "e"]).collect_limited(5).await.unwrap(),
        "abcde"
    );
    assert_eq!(frames([]).collect_limited(0).await.unwrap(), "");
    for body in [frames(["ab", "cd", "e"]), frames(["abcde"]), Body::from("abcde")] {
        let error = body.collect_limited(4).await.unwrap_err();
        assert!(
            matches!(error, BodyError::TooLarge { read: 5, limit: 4 }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_announced_length_beyond_the_limit_is_refused_unread() {
    struct Announced;
    impl HttpBody for Announced {
        type Data = Bytes;
        type Error = BodyError;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            panic!("must not be read")
        }
        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(1000)
        }
    }
    let error = Body::boxed(Announced).collect_limited(999).await.unwrap_err();
    assert!(matches!(
        error,
        BodyError::TooLarge {
            read: 1000,
            limit: 999
        }
    ));
}

#[test]
fn only_what_is_at_hand_can_be_replayed() {
    assert!(matches!(Body::empty().replay(), Some(Body::Empty)));
    assert!(matches!(Body::from("x").replay(), Some(Body::Full(bytes)) if bytes == "x"));
    assert!(frames(["x"]).replay().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_read_timeout_counts_waiting_only() {
    let limit = Duration::from_secs(10);
    let (frames, receiver) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, BodyError>>(8);
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|frame| (frame, receiver))
    });
    let mut body = Body::boxed(StreamBody::new(stream)).with_read_timeout(limit);
    let frame = || Ok(Frame::data(Bytes::from_static(b"x")));
    for _ in 0..3 {
        frames.send(frame()).await.unwrap();
        tokio::time::advance(Duration::from_secs(60)).await;
        body.frame().await.unwrap().unwrap();
    }
    let start = tokio::time::Instant::now();
    let error = body.frame().await.unwrap().unwrap_err();
    assert!(matches!(error, BodyError::Timeout { .. }), "{error}");
    assert_eq!(start.elapsed(), limit);
    assert!(body.frame().await.is_none());
    assert!(frames.is_closed(), "the sender is told");
}

#[test]
fn debug_shows_no_content() {
    assert_eq!(format!("{:?}", Body::from("secret")), "Full(Some(6))");
}
