//! The providers, one of each protocol and of each way to be called.

use serde_json::{Value, json};
use sluice_testkit::{AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, FakeProvider, Gateway};

use crate::support::put;

/// A provider that a fake plays.
pub(super) struct Provider {
    /// Its name in the configuration.
    pub(super) name: &'static str,
    /// Its column on the page.
    pub(super) title: &'static str,
    pub(super) model: &'static str,
    /// Whether it wants the signature of a thought back.
    pub(super) signs: bool,
    /// Whether it says what came from a cache, in the protocol that is translated to.
    pub(super) counts_cached: bool,
}

const fn row(name: &'static str, title: &'static str, model: &'static str, signs: bool) -> Provider {
    Provider {
        name,
        title,
        model,
        signs,
        counts_cached: true,
    }
}

pub(super) const PROVIDERS: [Provider; 11] = [
    row("openai-compatible", "Compatible", "gpt-4.1", false),
    row("openai", "OpenAI", "gpt-4.1", false),
    row("openai-responses", "Responses", "gpt-5", true),
    row("azure-openai", "Azure", "gpt-4.1", false),
    row("anthropic", "Anthropic", "claude-sonnet-4-5", true),
    row("vertex-anthropic", "Claude on Vertex", "claude-sonnet-4-5", true),
    row(
        "bedrock",
        "Bedrock",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        true,
    ),
    row("gemini", "Gemini", "gemini-2.5-flash", true),
    row("vertex-ai", "Vertex", "gemini-2.5-flash", true),
    row("cohere", "Cohere", "command-a-reasoning-08-2025", false),
    Provider {
        counts_cached: false,
        ..row("ollama", "Ollama", "qwen3", false)
    },
];

impl Provider {
    /// The configuration of `ai-proxy` for it.
    pub(super) fn conf(&self, fake: &FakeProvider) -> Value {
        let mut conf = json!({
            "provider": self.name,
            "auth": { "header": { "authorization": "Bearer upstream-key" } },
            "options": { "model": self.model },
            "override": { "endpoint": fake.url("") },
        });
        if self.name.starts_with("vertex") {
            conf["auth"] = json!({ "header": { "authorization": "Bearer ya29.fake-1" } });
            conf["provider_conf"] = json!({ "project_id": "p", "region": "europe-west4" });
        }
        if self.name == "bedrock" {
            conf["auth"] = json!({ "aws": {
                "access_key_id": AWS_ACCESS_KEY_ID, "secret_access_key": AWS_SECRET_ACCESS_KEY,
            } });
            conf["provider_conf"] = json!({ "region": "eu-central-1" });
        }
        conf
    }

    /// The key of the client whose provider it is.
    pub(super) fn key(&self) -> String {
        format!("sk-{}", self.name)
    }

    /// A client of the gateway whose provider it is.
    pub(super) async fn serve(&self, gateway: &Gateway) -> FakeProvider {
        let fake = FakeProvider::strict();
        let plugins = json!({ "key-auth": { "key": self.key() }, "ai-proxy": self.conf(&fake) });
        let name = self.name.replace('-', "_");
        put(
            gateway,
            "/consumers",
            json!({ "username": name, "plugins": plugins }),
        )
        .await;
        fake
    }
}
