//! One real chat and one real embedding through the gateway, with a key that is removed again.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use sluice_groups::{Settings, plain_consumer};

use super::access::Admin;
use super::client::Server;
use super::setup::new_key;

/// A model may have to be loaded first.
const PATIENCE: Duration = Duration::from_secs(600);

/// Tokens that the trial may use.
const QUOTA: u64 = 1_000_000;

/// What a trial showed.
#[derive(Default)]
pub(super) struct Seen {
    /// For people.
    pub(super) lines: Vec<String>,
    /// Numbers per embedding.
    pub(super) dimension: Option<u64>,
    /// What went wrong.
    pub(super) failure: Option<String>,
}

/// Tries the gateway at its port on this machine, or where the Admin API is.
pub(super) async fn verify(admin: &Admin, settings: &Settings, port: u16) -> Seen {
    let mut seen = Seen::default();
    let key = new_key();
    let name = format!("setup-trial-{}", &new_key().replace(['-', '_'], "x")[..8]);
    let consumer = plain_consumer(
        &name,
        &key,
        QUOTA,
        60,
        &Settings {
            concurrency: None,
            ..settings.clone()
        },
    );
    let tried = async {
        admin.put(&consumer).await.map_err(super::Failed::into_error)?;
        try_calls(admin, settings, port, &key, &mut seen).await
    };
    if let Err(error) = tried.await {
        seen.failure = Some(format!("{error:#}"));
    }
    if let Err(error) = admin.delete("consumers", &name).await {
        let error = error.into_error();
        seen.failure.get_or_insert_with(|| {
            format!("the consumer {name} of the trial could not be deleted: {error:#}")
        });
    }
    seen
}

async fn try_calls(
    admin: &Admin,
    settings: &Settings,
    port: u16,
    key: &str,
    seen: &mut Seen,
) -> anyhow::Result<()> {
    let host = admin
        .url()
        .split_once("://")
        .map_or(admin.url(), |(_, rest)| rest);
    let host = host
        .split('/')
        .next()
        .and_then(|host| host.rsplit_once(':'))
        .map_or(host, |(host, _)| host);
    let proxy = Server::new(&format!("http://{host}:{port}"), PATIENCE)?.with_header("apikey", key)?;
    let chat = json!({ "model": settings.model, "max_tokens": 1, "messages": [{ "role": "user", "content": "Hi" }] });
    let answer = call(&proxy, "/v1/chat/completions", &chat).await?;
    let tokens = answer["usage"]["total_tokens"].as_u64();
    let tokens = tokens.map_or_else(
        || "the server reports no usage: it is estimated".to_owned(),
        |tokens| format!("{tokens} tokens"),
    );
    seen.lines
        .push(format!("a chat with {} went through ({tokens})", settings.model));
    if let Some(model) = &settings.embedding_model {
        let answer = call(
            &proxy,
            "/v1/embeddings",
            &json!({ "model": model, "input": "Hi" }),
        )
        .await?;
        let numbers = answer["data"][0]["embedding"]
            .as_array()
            .map(|numbers| numbers.len() as u64);
        seen.dimension = numbers.filter(|numbers| *numbers > 0);
        let shown = numbers.map_or_else(
            || "no numbers".to_owned(),
            |numbers| format!("{numbers} numbers each"),
        );
        seen.lines
            .push(format!("an embedding with {model} went through ({shown})"));
    }
    Ok(())
}

async fn call(proxy: &Server, path: &str, body: &Value) -> anyhow::Result<Value> {
    let answer = proxy.call(Method::POST, path, Some(body)).await;
    let answer = answer.map_err(|error| {
        error.context(format!(
            "the proxy at {} cannot be reached (--proxy-port)",
            proxy.url()
        ))
    })?;
    if answer.status.is_success() {
        return Ok(answer.json());
    }
    anyhow::bail!("{path} answered {}", answer.message())
}
