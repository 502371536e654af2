//! What is billed by images, searches and time: read from the answer, priced, kept.

use serde_json::{Value, json};
use sluice_llm::Usage;
use sluice_record::Cost;
use sluice_testkit::{FakeProvider, Reply};

use super::{answered, post};
use crate::ledger::entries;
use crate::support::{gateway, put};
use crate::translation::target;

async fn client(gateway: &sluice_testkit::Gateway, provider: &str, fake: &FakeProvider) {
    let mut conf = target(provider, fake);
    conf.as_object_mut().unwrap().remove("options");
    let plugins = json!({ "key-auth": { "key": provider }, "ai-proxy": conf });
    put(
        gateway,
        "/consumers",
        json!({ "username": provider, "plugins": plugins }),
    )
    .await;
}

#[tokio::test]
async fn images_searches_and_seconds_have_their_price() {
    let fake = FakeProvider::start();
    let mut gateway = gateway().await;
    for provider in ["cohere", "openai"] {
        client(&gateway, provider, &fake).await;
    }
    let ranking = json!({
        "id": "r", "results": [{ "index": 0, "relevance_score": 0.9 }], "meta": { "billed_units": { "search_units": 2 } },
    });
    let image = json!({ "created": 1, "data": [{ "b64_json": "AA==" }], "usage": {
        "input_tokens": 1010, "output_tokens": 2000, "total_tokens": 3010,
        "input_tokens_details": { "text_tokens": 10, "image_tokens": 1000 },
    } });
    let heard = json!({ "text": "x", "usage": { "type": "duration", "seconds": 90 } });
    let unknown = json!({ "data": [], "usage": { "input_tokens": 1, "output_tokens": 2 } });
    let rerank = json!({ "model": "rerank-v3.5", "query": "q", "documents": ["a"] });
    let draw = |model: &str| json!({ "model": model, "prompt": "a cat" });
    let calls = [
        ("cohere", "/v2/rerank", rerank, ranking),
        ("openai", "/v1/images/generations", draw("gpt-image-1"), image),
        ("openai", "/v1/images/generations", draw("nobody-knows"), unknown),
    ];
    for (key, path, body, reply) in calls {
        fake.next(Reply::json(200, &reply));
        let call = gateway.client().post(path).key(key).json(&body);
        let _: Value = answered(call).await;
    }
    fake.next(Reply::json(200, &heard));
    let form = "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n\
        --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nsound\r\n--x--\r\n";
    let call = post(&gateway, "/v1/audio/transcriptions").key("openai");
    let call = call.header("content-type", "multipart/form-data; boundary=x");
    answered(call.body(form)).await;

    gateway.terminate();
    assert!(gateway.wait_exit().await.success());
    let entries = entries(&gateway).await;
    let told: Vec<_> = entries.iter().map(|entry| (entry.usage, entry.cost)).collect();
    let searches = Usage {
        searches: 2,
        ..Usage::default()
    };
    // $2 per thousand searches.
    assert_eq!(told[0], (searches, Cost::MicroUsd(4_000)));
    let drawn = Usage {
        input: 10,
        image_input: 1000,
        image_output: 2000,
        ..Usage::default()
    };
    assert_eq!(told[1], (drawn, Cost::MicroUsd(50 + 10_000 + 80_000)));
    assert_eq!(told[2].1, Cost::Unpriced);
    let heard = Usage {
        audio_ms: 90_000,
        ..Usage::default()
    };
    // $0.006 a minute.
    assert_eq!(told[3], (heard, Cost::MicroUsd(9_000)));
    let price = entries[0].detail.price.as_ref().unwrap();
    assert_eq!((price.input, price.output), (0, 0));
}
