//! Lists, reports and downloads.

use http::Method;
use serde_json::{Value, json};
use sluice_testkit::{Reply, eventually};

use super::Site;

#[tokio::test]
async fn the_log_is_filtered() {
    let site = Site::start().await;
    let (ann, key) = site.client("Ann", json!({ "tags": ["blue", "red"] })).await;
    let (bob, other) = site.client("Bob", json!({ "tags": ["red"] })).await;
    site.ask(&key, "conf:tool").await;
    site.ask(&key, "conf:hello").await;
    site.ask(&other, "conf:hello").await;
    site.upstream.next(Reply::error(500, "broken"));
    site.ask(&other, "conf:hello").await;
    site.rows("", 4).await;
    for (filter, count) in [
        (format!("client={ann}"), 2),
        (format!("client={ann}&tag=blue"), 2),
        (format!("client={bob}&tag=blue"), 0),
        ("tag=red".to_owned(), 4),
        ("tag=green".to_owned(), 0),
        ("status=5xx".to_owned(), 1),
        ("status=200&model=gpt-4o".to_owned(), 3),
        ("stream=true".to_owned(), 0),
        ("text=GPT-4".to_owned(), 4),
        (format!("text={}", &bob[..2]), 2),
        ("text=100%25".to_owned(), 0),
        ("cache=hit".to_owned(), 0),
        ("guard=true".to_owned(), 0),
        ("provider=openai".to_owned(), 4),
        ("provider=anthropic".to_owned(), 0),
    ] {
        assert_eq!(site.pages(&filter).await.len(), count, "{filter}");
    }
    for wrong in [
        "status=7",
        "status=9xx",
        "cache=maybe",
        "guard=1",
        "after=x",
        "from_ms=yesterday",
    ] {
        let (status, body) = site
            .call(Method::GET, &format!("/requests?{wrong}"), json!({}))
            .await;
        if wrong != "status=7" {
            assert_eq!(status, 400, "{wrong}: {body}");
            assert_eq!(
                body["error"]["fields"][0]["field"],
                wrong.split('=').next().unwrap()
            );
        }
    }
}

#[tokio::test]
async fn reports_add_up_and_compare() {
    let site = Site::start().await;
    let (ann, key) = site.client("Ann", json!({ "tags": ["blue"] })).await;
    let (_, other) = site.client("=Bob", json!({})).await;
    for _ in 0..3 {
        site.ask(&key, "conf:hello").await;
    }
    site.ask(&other, "conf:hello").await;
    let mut report = Value::Null;
    eventually("the report has everything", async || {
        report = site.get("/usage?by=client&period=day&compare=true").await;
        (report["totals"]["requests"] == 4).then_some(())
    })
    .await;
    assert_eq!(report["previous_totals"]["requests"], 0);
    let rows = report["rows"].as_array().unwrap();
    let own = rows.iter().find(|row| row["key"] == ann.as_str()).unwrap();
    assert_eq!(
        (&own["name"], &own["totals"]["requests"]),
        (&json!("Ann"), &json!(3))
    );
    let tags = site.get("/usage?by=tag").await;
    assert_eq!(tags["rows"][0]["key"], "blue");
    assert_eq!(tags["rows"][0]["totals"]["requests"], 3);
    let months = site.get("/usage?period=month").await;
    assert_eq!(months["rows"].as_array().unwrap().len(), 1);

    let overview = site.get("/overview").await;
    assert_eq!(
        (&overview["now"]["requests"], &overview["live"]["active_keys"]),
        (&json!(4), &json!(2))
    );
    for tile in ["latency_p50_ms", "latency_p95_ms", "latency_p99_ms"] {
        assert!(overview["now"][tile].is_i64(), "{overview:#}");
        assert!(overview["previous"][tile].is_null(), "{overview:#}");
    }
    assert_eq!(overview["top_clients"][0]["name"], "Ann");

    // Downloads: one line per row, nothing that a spreadsheet would run.
    let csv = site
        .api()
        .get("/api/v1/requests.csv")
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let csv = csv.text().await;
    assert_eq!(csv.lines().count(), 5);
    assert!(csv.starts_with("started_at,id,status,"), "{csv}");
    assert!(csv.contains(",'=Bob,") && !csv.contains(",=Bob"), "{csv}");
    let csv = site
        .api()
        .get("/api/v1/usage.csv?by=client")
        .send()
        .await
        .text()
        .await;
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(csv.contains(",'=Bob,1,"), "{csv}");
}

#[tokio::test]
async fn the_cache_tells_what_it_saved_and_is_emptied() {
    let site = Site::start().await;
    let provider = crate::support::openai(&site.upstream);
    let plugins = json!({ "ai-proxy": provider, "ai-cache": { "policy": "local" } });
    crate::support::put_route(&site.gateway, "cached", "/cached", plugins).await;
    let client = site.gateway.client();
    for _ in 0..3 {
        let call = client.post("/cached").json(&crate::support::chat("conf:hello"));
        call.send().await.expect_status(200).await.bytes().await;
        // An answer is kept behind the request.
        eventually("the answer is kept", async || {
            (site.get("/cache").await["entries"] == 1).then_some(())
        })
        .await;
    }
    let mut cache = Value::Null;
    eventually("the hits are booked", async || {
        cache = site.get("/cache").await;
        (cache["hits"] == 2).then_some(())
    })
    .await;
    assert_eq!(
        (&cache["misses"], &cache["enabled_on"]),
        (&json!(1), &json!(["routes/cached"]))
    );
    assert_eq!(cache["items"][0]["kind"], "exact");
    assert!(cache["saved_tokens"].as_i64().unwrap() > 0, "{cache:#}");
    assert_eq!(site.pages("cache=exact").await.len(), 2);
    assert_eq!(site.pages("cache=miss").await.len(), 1);

    let (status, removed) = site.call(Method::DELETE, "/cache", json!({})).await;
    assert_eq!((status, &removed["removed"]), (200, &json!(1)));
    assert_eq!(site.get("/cache").await["entries"], 0);
}

#[tokio::test]
async fn the_overview_tells_how_the_providers_of_clients_are_doing() {
    let site = Site::start().await;
    let (_, key) = site.client("Ann", json!({})).await;
    let (_, other) = site.client("Bob", json!({})).await;
    let own = async || {
        let overview = site.get("/overview").await;
        let providers = overview["providers"].as_array().unwrap().clone();
        let own = providers
            .into_iter()
            .find(|provider| provider["id"] == "ai-proxy-openai");
        own.unwrap_or_else(|| panic!("{overview}"))
    };
    let before = own().await;
    assert_eq!(
        (&before["health"], &before["registered"]),
        (&json!("unknown"), &json!(false))
    );
    site.ask(&key, "conf:hello").await;
    site.ask(&other, "conf:hello").await;
    let well = own().await;
    assert_eq!(
        (&well["health"], &well["type"]),
        (&json!("ok"), &json!("openai")),
        "{well}"
    );
    assert!(well["latency_ms"].is_u64(), "{well}");
    // A key that is refused is the client's trouble; a provider that fails is everybody's.
    for _ in 0..6 {
        site.upstream.next(Reply::error(401, "no such key"));
        site.ask(&key, "conf:hello").await;
    }
    assert_eq!(own().await["health"], "ok");
    for _ in 0..6 {
        site.upstream.next(Reply::error(503, "overloaded"));
        site.ask(&key, "conf:hello").await;
    }
    assert_eq!(own().await["health"], "failing");
    eventually("the sums of the instance", async || {
        let own = own().await;
        (own["requests"] == 14 && own["errors"] == 12).then_some(())
    })
    .await;
}
