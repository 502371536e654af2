use futures_util::FutureExt;
use proptest::prelude::*;
use sluice_wire::Kind;

use super::*;
use crate::testing::Gateway;

fn request(target: &str) -> Request {
    Gateway::new().context("GET", target).request
}

/// A body in pieces that does not say how long it is.
fn pieces(pieces: &[&'static str]) -> Body {
    let frames: Vec<_> = pieces
        .iter()
        .map(|piece| Ok::<_, BodyError>(Frame::data(Bytes::from(*piece))))
        .collect();
    Body::boxed(StreamBody::new(futures_util::stream::iter(frames)))
}

fn read(body: &mut RequestBody, limit: u64) -> Result<Bytes, ReadBodyError> {
    body.read(limit).now_or_never().unwrap()
}

fn sent(body: &mut RequestBody) -> Result<Bytes, BodyError> {
    body.take().collect_limited(1000).now_or_never().unwrap()
}

#[test]
fn query_arguments() {
    let request = request("/?a=1&b=x+y%21&a=2&%63=d&flag&=e&&");
    assert_eq!(request.query_arg("a").as_deref(), Some("1"));
    assert_eq!(request.query_arg("b").as_deref(), Some("x y!"));
    assert_eq!(request.query_arg("c").as_deref(), Some("d"));
    assert_eq!(request.query_arg("flag").as_deref(), Some(""));
    assert_eq!(request.query_arg("none"), None);
    let all: Vec<_> = request.query_args().collect();
    let pair = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    let expected = [
        ("a", Some("1")),
        ("b", Some("x y!")),
        ("a", Some("2")),
        ("c", Some("d")),
        ("flag", None),
        ("", Some("e")),
    ];
    assert_eq!(all, expected.map(|(name, value)| pair(name, value)));
}

#[test]
fn detached_headers_are_the_same_in_memory_of_their_own() {
    let buffer = Bytes::from_static(b"onetwothree");
    let mut request = request("/");
    for (name, value) in [
        ("a", buffer.slice(..3)),
        ("b", buffer.slice(3..6)),
        ("a", buffer.slice(6..)),
    ] {
        let mut value = HeaderValue::from_maybe_shared(value).unwrap();
        value.set_sensitive(name == "b");
        request.headers.append(name, value);
    }
    let before = request.headers.clone();
    request.detach_headers();
    assert_eq!(request.headers, before);
    assert!(request.headers["b"].is_sensitive());
    let within = buffer.as_ptr_range();
    for value in request.headers.values() {
        assert!(!within.contains(&value.as_bytes().as_ptr()));
    }
}

#[test]
fn without_a_query() {
    let mut request = request("/");
    assert_eq!(request.query_arg("a"), None);
    assert_eq!(request.query_args().count(), 0);
    request.remove_query_arg("a");
    assert_eq!(request.query, None);
}

#[test]
fn removing_query_arguments_leaves_the_rest_as_it_is() {
    for (query, left) in [
        ("key=k", None),
        ("key", None),
        ("a=%41&key=k&b=+&key=2", Some("a=%41&b=+")),
        ("%6bey=k&a", Some("a")),
        ("keys=1", Some("keys=1")),
        ("a=key=b", Some("a=key=b")),
    ] {
        let mut request = request(&format!("/?{query}"));
        request.remove_query_arg("key");
        assert_eq!(request.query.as_deref(), left, "{query}");
    }
}

proptest! {
    #[test]
    fn what_was_removed_is_gone_and_the_rest_stays(query in "[ab=&%+1]{0,12}") {
        let mut request = request("/");
        request.query = Some(query);
        let before: Vec<_> = request.query_args().filter(|(name, _)| name != "a").collect();
        request.remove_query_arg("a");
        prop_assert_eq!(request.query_arg("a"), None);
        prop_assert_eq!(request.query_args().collect::<Vec<_>>(), before);
    }
}

#[test]
fn cookies_are_removed_one_by_one() {
    let mut request = request("/");
    for value in ["a=1; jwt=x;b=2 ;  jwt=y", "jwt=z", "\u{e9}=1;jwt", "jwt2=1"] {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers.append("cookie", value);
    }
    request.remove_cookie("jwt");
    let left: Vec<_> = request
        .headers
        .get_all("cookie")
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    assert_eq!(left, ["a=1; b=2".as_bytes(), "\u{e9}=1".as_bytes(), b"jwt2=1"]);
}

#[test]
fn cookies() {
    let mut request = request("/");
    for value in ["a=1; b=2;c=x=y", "d=\"q\"; bare; a=3"] {
        request.headers.append("cookie", HeaderValue::from_static(value));
    }
    let cookie = |name| request.cookie(name);
    assert_eq!(
        [cookie("a"), cookie("b"), cookie("c")],
        [Some("1"), Some("2"), Some("x=y")]
    );
    assert_eq!(
        [cookie("d"), cookie("bare"), cookie("e")],
        [Some("\"q\""), None, None]
    );
}

#[test]
fn headers_that_are_no_text_have_no_value() {
    let mut request = request("/");
    request
        .headers
        .insert("x-a", HeaderValue::from_bytes(b"\xff").unwrap());
    assert_eq!(request.header("x-a"), None);
    request.headers.insert("x-a", HeaderValue::from_static("1"));
    assert_eq!(request.header("X-A"), Some("1"));
}

#[test]
fn a_body_is_read_once_and_shared() {
    let mut body = RequestBody::new(pieces(&["ab", "cd"]));
    assert_eq!(body.bytes(), None);
    let first = read(&mut body, 4).unwrap();
    assert_eq!(first, "abcd");
    let again = read(&mut body, 4).unwrap();
    assert_eq!(again.as_ptr(), first.as_ptr());
    assert_eq!(body.bytes(), Some(&first));
    assert!(!body.is_changed());
}

#[test]
fn an_announced_body_over_the_limit_stays_unread() {
    let mut body = RequestBody::new(Body::from("abcde"));
    let error = read(&mut body, 4).unwrap_err();
    assert_eq!(
        error.to_string(),
        "request size 5 is greater than the maximum size 4 allowed"
    );
    assert_eq!(read(&mut body, 5).unwrap(), "abcde");
    let error = read(&mut body, 4).unwrap_err();
    assert!(
        matches!(error, ReadBodyError::TooLarge { size: 5, limit: 4 }),
        "the limit holds for bytes at hand too"
    );
    assert_eq!(sent(&mut body).unwrap(), "abcde");
}

#[test]
fn a_body_that_turns_out_too_large_is_not_forwarded_in_part() {
    let mut body = RequestBody::new(pieces(&["abc", "def", "ghi"]));
    let error = read(&mut body, 4).unwrap_err();
    assert!(
        matches!(error, ReadBodyError::TooLarge { size: 6, limit: 4 }),
        "{error}"
    );
    assert!(matches!(read(&mut body, 100), Err(ReadBodyError::Gone)));
    assert!(sent(&mut body).is_err());
}

#[test]
fn a_broken_body() {
    let broken = futures_util::stream::iter([Err::<Frame<Bytes>, _>(BodyError::other("reset"))]);
    let mut body = RequestBody::new(Body::boxed(StreamBody::new(broken)));
    assert!(matches!(read(&mut body, 4), Err(ReadBodyError::Broken(_))));
    assert!(matches!(read(&mut body, 4), Err(ReadBodyError::Gone)));
}

#[test]
fn taking_an_unread_body_passes_it_on() {
    let mut body = RequestBody::new(pieces(&["ab", "cd"]));
    assert_eq!(sent(&mut body).unwrap(), "abcd");
    assert!(matches!(read(&mut body, 100), Err(ReadBodyError::Gone)));
    assert!(sent(&mut body).is_err(), "not silently empty");
}

#[test]
fn taking_a_read_body_leaves_it_readable() {
    let mut body = RequestBody::new(pieces(&["ab"]));
    read(&mut body, 2).unwrap();
    assert_eq!(sent(&mut body).unwrap(), "ab");
    assert_eq!(sent(&mut body).unwrap(), "ab");
    assert_eq!(read(&mut body, 2).unwrap(), "ab");
}

#[test]
fn replaced_bodies_are_what_everybody_sees() {
    let mut body = RequestBody::new(Body::from(r#"{"a":1}"#));
    read(&mut body, 10).unwrap();
    assert!(body.json().unwrap().as_object().unwrap().get("a").is_some());
    body.replace(Bytes::from("[]"));
    assert!(body.is_changed());
    assert!(body.json().unwrap().as_object().is_none());
    assert_eq!(read(&mut body, 10).unwrap(), "[]");
    assert_eq!(sent(&mut body).unwrap(), "[]");
}

#[test]
fn json_is_there_once_the_body_was_read() {
    let mut body = RequestBody::new(Body::from(r#"{"a":[]}"#));
    assert!(body.json().is_none());
    read(&mut body, 100).unwrap();
    assert_eq!(
        body.json().unwrap().as_object().unwrap().get("a").unwrap().kind(),
        Kind::Array
    );
    body.replace(Bytes::from("{"));
    assert!(body.json().is_none());
}

#[test]
fn wrapping_concerns_unread_bodies_only() {
    let shout = |_| Body::from("wrapped");
    let mut body = RequestBody::new(pieces(&["ab"]));
    body.wrap(shout);
    assert_eq!(read(&mut body, 10).unwrap(), "wrapped");
    let mut body = RequestBody::new(pieces(&["ab"]));
    read(&mut body, 10).unwrap();
    body.wrap(shout);
    assert_eq!(sent(&mut body).unwrap(), "ab");
}
