//! Signatures as botocore 1.43 makes them; the first, third and the key pair are those of AWS's published test suite.

use std::time::{Duration, UNIX_EPOCH};

use super::*;

/// 2015-08-30 12:36:00 UTC.
const AT: Duration = Duration::from_secs(1_440_938_160);

fn signer(region: &str, service: &str) -> AwsSigner {
    AwsSigner::new(credentials(), region, service)
}

fn credentials() -> AwsCredentials {
    AwsCredentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
}

fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("example.amazonaws.com"));
    for (name, value) in list {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

fn get(query: &str) -> AwsRequest<'_> {
    AwsRequest {
        method: &Method::GET,
        path: "/",
        query,
        body: b"",
    }
}

#[track_caller]
fn assert_signature(
    signer: &AwsSigner,
    request: &AwsRequest<'_>,
    mut headers: HeaderMap,
    signed: &str,
    signature: &str,
) {
    signer.sign(request, &mut headers, UNIX_EPOCH + AT).unwrap();
    assert_eq!(headers["x-amz-date"], "20150830T123600Z");
    let authorization = headers["authorization"].to_str().unwrap();
    let tail = format!("SignedHeaders={signed}, Signature={signature}");
    assert!(authorization.ends_with(&tail), "{authorization}");
}

#[test]
fn known_signatures() {
    let service = signer("us-east-1", "service");
    assert_signature(
        &service,
        &get(""),
        headers(&[]),
        "host;x-amz-date",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    );
    assert_signature(
        &service,
        &get("Param2=value2&Param1=value1&Param1=value%20two&b&x=a%2Fb"),
        headers(&[]),
        "host;x-amz-date",
        "c2ca3abc6bf532e5c081c7798111871ab11d050e0db02a4904233a353e31f035",
    );
    let form = AwsRequest {
        method: &Method::POST,
        body: b"Param1=value1",
        ..get("")
    };
    assert_signature(
        &service,
        &form,
        headers(&[("content-type", "application/x-www-form-urlencoded")]),
        "content-type;host;x-amz-date",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    );
}

#[test]
fn the_path_is_encoded_a_second_time() {
    let request = AwsRequest {
        method: &Method::POST,
        path: "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic/converse",
        query: "",
        body: br#"{"messages":[]}"#,
    };
    let mut headers = headers(&[("content-type", "application/json")]);
    headers.insert(
        header::HOST,
        HeaderValue::from_static("bedrock-runtime.eu-central-1.amazonaws.com"),
    );
    assert_signature(
        &signer("eu-central-1", "bedrock"),
        &request,
        headers,
        "content-type;host;x-amz-date",
        "a43e126c1c9f9e3c31771d05f9aacbe0524b47fe2d5d01ce58c9e5e1643e52dd",
    );
}

#[test]
fn spaces_in_headers_are_collapsed_and_others_are_not_signed() {
    assert_signature(
        &signer("us-east-1", "service"),
        &get(""),
        headers(&[("x-amz-thing", "  a   b  "), ("user-agent", "curl")]),
        "host;x-amz-date;x-amz-thing",
        "84abf5dbb5caa79326b076384e84d4d9e8fb368690d91257d6a30feba33356e5",
    );
}

#[test]
fn a_session_signs_its_token() {
    let signer = AwsSigner::new(
        credentials().with_session_token("AQoDYXdzEPT//////////wEXAMPLEtc764=="),
        "us-east-1",
        "service",
    );
    let request = AwsRequest {
        method: &Method::POST,
        ..get("")
    };
    assert_signature(
        &signer,
        &request,
        headers(&[]),
        "host;x-amz-date;x-amz-security-token",
        "4aa3ff48d3a5b200b3d1e33159e1b9236f7b1838e59cd95c1754281e0b1062cb",
    );
}

#[test]
fn an_earlier_signature_leaves_no_trace() {
    assert_signature(
        &signer("us-east-1", "service"),
        &get(""),
        headers(&[
            ("authorization", "AWS4-HMAC-SHA256 Credential=client"),
            ("x-amz-date", "20010101T000000Z"),
            ("x-amz-security-token", "the client's"),
            ("x-amz-content-sha256", "0"),
        ]),
        "host;x-amz-date",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    );
}

#[test]
fn what_cannot_be_signed_is_an_error_without_secrets() {
    let sign = |credentials: AwsCredentials, mut headers: HeaderMap| {
        AwsSigner::new(credentials, "r", "s")
            .sign(&get(""), &mut headers, UNIX_EPOCH + AT)
            .unwrap_err()
    };
    assert_eq!(sign(credentials(), HeaderMap::new()), AwsSignError::NoHost);
    let broken = credentials().with_session_token("canary\n");
    assert_eq!(
        sign(broken, headers(&[])).to_string(),
        "session_token contains characters that a header cannot carry"
    );
}

#[test]
fn debug_shows_no_secret() {
    let credentials = AwsCredentials::new("id", "canary-key").with_session_token("canary-token");
    let signer = AwsSigner::new(credentials.clone(), "r", "s");
    let shown = format!("{credentials:?} {signer:?}");
    assert!(!shown.contains("canary"), "{shown}");
}
