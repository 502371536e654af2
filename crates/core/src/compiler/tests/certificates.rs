//! `ssls` in the snapshot, and as certificates of upstreams.

use serde_json::{Value, json};

use crate::route::RouteUpstream;
use crate::testing::Gateway;

use super::*;

fn pair(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn server(names: &[&str]) -> Value {
    let (cert, key) = pair("any.test");
    json!({"snis": names, "cert": cert, "key": key})
}

fn client() -> Value {
    let (cert, key) = pair("gateway");
    json!({"type": "client", "cert": cert, "key": key})
}

fn found(gateway: &Gateway, name: &str) -> Option<String> {
    let certificates = gateway.snapshot().certificates;
    certificates.find(name).map(|found| found.id.to_string())
}

#[test]
fn certificates_come_and_go_with_their_resources() {
    let mut gateway = Gateway::new();
    gateway.put("/ssls/1", server(&["A.com", "*.b.com"]));
    gateway.put("/ssls/2", server(&["a.com", "c.com"]));
    assert_eq!(found(&gateway, "a.com").as_deref(), Some("1"), "the older one");
    assert_eq!(found(&gateway, "x.b.com").as_deref(), Some("1"));
    assert_eq!(found(&gateway, "c.com").as_deref(), Some("2"));

    let mut disabled = server(&["a.com"]);
    disabled["status"] = json!(0);
    gateway.put("/ssls/1", disabled);
    assert_eq!(found(&gateway, "a.com").as_deref(), Some("2"));
    assert_eq!(found(&gateway, "x.b.com"), None);
    gateway.delete("/ssls/2");
    assert_eq!(found(&gateway, "a.com"), None);
    gateway.put("/ssls/3", client());
    assert!(gateway.snapshot().problems.is_empty());
}

#[test]
fn a_bad_certificate_leaves_the_one_in_force() {
    let mut gateway = Gateway::new();
    gateway.put("/ssls/1", server(&["a.com"]));
    let (good, other) = (server(&["b.com"]), server(&["b.com"]));
    for (member, value) in [
        ("key", other["key"].clone()),
        ("cert", json!("no certificate")),
        ("ssl_protocols", json!(["TLSv1.1"])),
        ("client", json!({"ca": "no certificate"})),
        (
            "client",
            json!({"ca": good["cert"], "skip_mtls_uri_regex": ["("]}),
        ),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        gateway.put("/ssls/1", bad);
        let problem = gateway.problem("/ssls/1").unwrap_or_default();
        assert!(!problem.is_empty(), "{member}");
        let key = good["key"].as_str().unwrap();
        assert!(!problem.contains(&key[40..80]), "{problem}");
        assert_eq!(found(&gateway, "a.com").as_deref(), Some("1"));
        assert_eq!(found(&gateway, "b.com"), None);
    }
}

#[test]
fn mutual_tls_is_a_matter_of_hosts_and_paths() {
    let mut gateway = Gateway::new();
    let mut strict = server(&["strict.com"]);
    strict["client"] = json!({"ca": strict["cert"]});
    gateway.put("/ssls/1", strict);
    let mut lenient = server(&["lenient.com"]);
    lenient["client"] = json!({"ca": lenient["cert"], "skip_mtls_uri_regex": ["^/open(?!/but)"]});
    gateway.put("/ssls/2", lenient);
    let certificates = gateway.snapshot().certificates;
    let peer = |name: &str, verified| crate::TlsPeer {
        server_name: Some(Text::from(name)),
        verified,
    };
    for (peer, host, path, admitted) in [
        (peer("strict.com", true), "strict.com", "/", true),
        (peer("strict.com", true), "open.com", "/", true),
        (peer("open.com", false), "open.com", "/", true),
        (peer("open.com", false), "strict.com", "/", false),
        (peer("lenient.com", true), "strict.com", "/", false),
        (peer("lenient.com", false), "lenient.com", "/open/x", true),
        (peer("lenient.com", false), "lenient.com", "/open/but", false),
        (peer("lenient.com", false), "lenient.com", "/", false),
        (peer("lenient.com", true), "lenient.com", "/", true),
        (crate::TlsPeer::default(), "strict.com", "/", false),
    ] {
        assert_eq!(
            certificates.admits(&peer, host, path),
            admitted,
            "{peer:?} {host}{path}"
        );
    }
}

fn shown(gateway: &Gateway, path: &str) -> Option<String> {
    let route = gateway.route(path);
    let RouteUpstream::To(upstream) = &route.upstream else {
        return None;
    };
    let tls = &upstream.configured.nodes[0].origin.config().tls;
    assert!(!tls.verify);
    Some(tls.certificate.as_ref().unwrap().chain.to_string())
}

#[test]
fn upstreams_show_the_certificate_that_they_name() {
    let mut gateway = Gateway::new();
    let upstream = json!({"scheme": "https", "nodes": {"10.0.0.1:443": 1}, "tls": {"client_cert_id": "c"}});
    gateway.put("/upstreams/u", upstream.clone());
    gateway.put("/routes/1", json!({"uri": "/id", "upstream_id": "u"}));
    gateway.put("/routes/2", json!({"uri": "/inline", "upstream": upstream}));
    assert!(matches!(gateway.route("/id").upstream, RouteUpstream::Missing));
    assert!(matches!(
        gateway.route("/inline").upstream,
        RouteUpstream::Missing
    ));

    for _ in 0..2 {
        let certificate = client();
        let chain = certificate["cert"].as_str().map(str::to_owned);
        gateway.put("/ssls/c", certificate);
        assert_eq!(shown(&gateway, "/id"), chain);
        assert_eq!(shown(&gateway, "/inline"), chain);
    }
    gateway.put("/ssls/c", server(&["a.com"]));
    assert!(matches!(gateway.route("/id").upstream, RouteUpstream::Missing));

    let own = client();
    let tls = json!({"client_cert": own["cert"], "client_key": own["key"]});
    gateway.put(
        "/upstreams/u",
        json!({"scheme": "https", "nodes": {"10.0.0.1:443": 1}, "tls": tls}),
    );
    assert_eq!(shown(&gateway, "/id").as_deref(), own["cert"].as_str());
}
