//! Credentials of clouds: keys of AWS, service accounts of Google, what is made of them, and what their secret managers
//! keep.

use serde_json::{Value, json};
use sluice_testkit::{
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, Call, FakeAwsSecrets, FakeGcpSecrets, FakeProvider, Gateway,
    Reply, eventually,
};

use super::sinks::Sinks;
use crate::support::chat;

/// A secret access key that nobody accepts.
const AWS_WRONG: &str = "canary0aws0wrong0key";
/// A session token of AWS.
const AWS_SESSION: &str = "canary0aws0session0token";
/// The secret access key of a moderator.
const AWS_MODERATOR: &str = "canary0aws0moderator0key";
/// The access key secret of Aliyun.
const ALIYUN: &str = "canary0aliyun0key";
/// What AWS Secrets Manager keeps.
const KEPT_BY_AWS: &str = "canary0kept0by0aws";
/// What Google Secret Manager keeps.
const KEPT_BY_GOOGLE: &str = "canary0kept0by0google";

/// What the tokens of both fakes of Google begin with.
const GOOGLE_TOKEN: &str = "ya29.";

/// The clouds, and the gateway's credentials for them.
pub(super) struct Clouds {
    bedrock: FakeProvider,
    vertex: FakeProvider,
    moderator: FakeProvider,
    managed: FakeProvider,
    aws: FakeAwsSecrets,
    google: FakeGcpSecrets,
}

impl Clouds {
    pub(super) fn start() -> Self {
        let clouds = Self {
            bedrock: FakeProvider::start(),
            vertex: FakeProvider::start(),
            moderator: FakeProvider::start(),
            managed: FakeProvider::start(),
            aws: FakeAwsSecrets::start("eu-central-1"),
            google: FakeGcpSecrets::start(),
        };
        clouds.aws.write("key", KEPT_BY_AWS);
        clouds.google.write("key", KEPT_BY_GOOGLE);
        clouds.moderator.always(Reply::body(500, "text/plain", "down"));
        clouds
    }

    fn bedrock(&self, secret: &str) -> Value {
        json!({
            "provider": "bedrock", "provider_conf": { "region": "eu-central-1" },
            "auth": { "aws": {
                "access_key_id": AWS_ACCESS_KEY_ID, "secret_access_key": secret, "session_token": AWS_SESSION,
            } },
            "override": { "endpoint": self.bedrock.url("") },
        })
    }

    /// The service account, with another address for its tokens.
    fn account(&self, token_uri: &str) -> Value {
        let mut account = self.google.account();
        account["token_uri"] = json!(token_uri);
        account
    }

    fn vertex(&self, token_uri: &str) -> Value {
        json!({
            "provider": "vertex-ai", "provider_conf": { "project_id": "p", "region": "r" },
            "auth": { "gcp": { "service_account_json": self.account(token_uri).to_string() } },
            "override": { "endpoint": self.vertex.url("") },
        })
    }

    fn managed(&self, reference: &str) -> Value {
        json!({
            "provider": "openai", "auth": { "header": { "Authorization": reference } },
            "override": { "endpoint": self.managed.url("/v1/chat/completions") },
        })
    }

    /// Stores everything that holds a credential. What the write replies say is a sink, but for those about managers,
    /// which are shown as they are to whoever has the admin key (compat §1.11).
    pub(super) async fn configure(&self, gateway: &Gateway, sinks: &mut Sinks) {
        let aws = |secret: &str| {
            json!({
                "access_key_id": AWS_ACCESS_KEY_ID, "secret_access_key": secret, "session_token": AWS_SESSION,
                "region": "eu-central-1", "endpoint_url": self.aws.url(),
            })
        };
        let lost = self.account("http://127.0.0.1:1/token");
        for (path, manager) in [
            ("aws/1", aws(AWS_SECRET_ACCESS_KEY)),
            ("aws/wrong", aws(AWS_WRONG)),
            ("gcp/1", json!({ "auth_config": self.google.account() })),
            ("gcp/lost", json!({ "auth_config": lost })),
        ] {
            let stored = gateway.admin().put(&format!("/secrets/{path}"), manager).await;
            stored.expect_status(201);
        }
        let moderators = json!({
            "ai-aws-content-moderation": { "comprehend": {
                "access_key_id": "id", "secret_access_key": AWS_MODERATOR, "region": "r",
                "endpoint": self.moderator.url(""),
            } },
            "ai-proxy": self.managed("none"),
        });
        let aliyun = json!({
            "ai-aliyun-content-moderation": {
                "endpoint": self.moderator.url(""), "region_id": "r", "access_key_id": "id",
                "access_key_secret": ALIYUN,
            },
            "ai-proxy": self.managed("none"),
        });
        for (id, uri, plugins) in [
            (
                "bedrock",
                "/b/converse",
                json!({ "ai-proxy": self.bedrock(AWS_SECRET_ACCESS_KEY) }),
            ),
            (
                "forged",
                "/f/converse",
                json!({ "ai-proxy": self.bedrock(AWS_WRONG) }),
            ),
            (
                "vertex",
                "/v/embeddings",
                json!({ "ai-proxy": self.vertex(&self.vertex.url("/token")) }),
            ),
            (
                "lost",
                "/l/embeddings",
                json!({ "ai-proxy": self.vertex("http://127.0.0.1:1/token") }),
            ),
            (
                "aws",
                "/kept/aws",
                json!({ "ai-proxy": self.managed("$secret://aws/1/key") }),
            ),
            (
                "aws-wrong",
                "/kept/wrong",
                json!({ "ai-proxy": self.managed("$secret://aws/wrong/key") }),
            ),
            (
                "google",
                "/kept/google",
                json!({ "ai-proxy": self.managed("$secret://gcp/1/key") }),
            ),
            (
                "google-lost",
                "/kept/lost",
                json!({ "ai-proxy": self.managed("$secret://gcp/lost/key") }),
            ),
            ("moderated", "/moderated/aws", moderators),
            ("aliyun", "/moderated/aliyun", aliyun),
        ] {
            let route = json!({ "uri": uri, "plugins": plugins });
            let answer = gateway.admin().put(&format!("/routes/{id}"), route).await;
            sinks.add(format!("reply to PUT {id}"), answer.expect_status(201).body);
        }
        self.misconfigure(gateway, sinks).await;
    }

    /// Mistakes of an operator. What is said about them is a sink.
    async fn misconfigure(&self, gateway: &Gateway, sinks: &mut Sinks) {
        let token_uri = self.vertex.url("/token");
        let broken = |edit: &dyn Fn(&mut Value)| {
            let mut account = self.account(&token_uri);
            edit(&mut account);
            let mut conf = self.vertex("");
            conf["auth"]["gcp"]["service_account_json"] = json!(account.to_string());
            conf
        };
        let mut wrong_type = self.bedrock(AWS_WRONG);
        wrong_type["auth"]["aws"]["session_token"] = json!([AWS_SESSION]);
        let mut no_region = self.bedrock(AWS_SECRET_ACCESS_KEY);
        no_region["provider_conf"] = json!({});
        let mut no_json = self.vertex("");
        let account = self.account(&token_uri).to_string();
        no_json["auth"]["gcp"]["service_account_json"] = json!(account[..account.len() - 1]);
        for conf in [
            wrong_type,
            no_region,
            no_json,
            broken(&|account| account["private_key"] = json!([account["private_key"]])),
            broken(&|account| account["client_email"] = account["private_key"].clone()),
            broken(&|account| {
                let key = account["private_key"].as_str().unwrap().replacen("MI", "", 1);
                account["private_key"] = json!(key);
            }),
        ] {
            let route = json!({ "uri": "/w", "plugins": { "ai-proxy": conf } });
            let answer = gateway.admin().put("/routes/wrong-cloud", route).await;
            sinks.add("refusal of a route", answer.body);
        }
        for (path, manager) in [
            (
                "aws/2",
                json!({ "access_key_id": [AWS_ACCESS_KEY_ID], "secret_access_key": AWS_WRONG }),
            ),
            (
                "aws/2",
                json!({ "access_key_id": "id", "secret_access_key": [AWS_WRONG] }),
            ),
            (
                "gcp/2",
                json!({ "auth_config": { "private_key": self.google.account()["private_key"] } }),
            ),
        ] {
            let refused = gateway.admin().put(&format!("/secrets/{path}"), manager).await;
            sinks.add("refusal of a manager", refused.expect_status(400).body);
        }
    }

    /// Calls that use the credentials, and calls that go wrong. The answers are a sink.
    pub(super) async fn call(&self, gateway: &Gateway, sinks: &mut Sinks) {
        let client = gateway.client();
        let converse = |path: &str, text: &str, stream: bool| {
            client.post(path).json(&json!({
                "model": "m", "stream": stream, "messages": [{ "role": "user", "content": [{ "text": text }] }],
            }))
        };
        let embed = |path: &str| client.post(path).json(&json!({ "model": "m", "input": "abc" }));
        for text in [
            "conf:hello",
            "conf:err400",
            "conf:err429",
            "conf:err500",
            "conf:cut",
        ] {
            for stream in [false, true] {
                send(converse("/b/converse", text, stream), sinks).await;
            }
        }
        for reply in [Reply::hang_up(), Reply::body(200, "application/json", "no json")] {
            self.bedrock.next(reply);
            send(converse("/b/converse", "hi", false), sinks).await;
        }
        send(converse("/f/converse", "conf:hello", false), sinks).await;
        send(embed("/v/embeddings"), sinks).await;
        self.vertex.next(Reply::json(
            401,
            &json!({ "error": { "message": "who are you" } }),
        ));
        send(embed("/v/embeddings"), sinks).await;
        self.vertex.next(Reply::hang_up());
        send(embed("/v/embeddings"), sinks).await;
        send(embed("/l/embeddings"), sinks).await;
        for path in ["/kept/wrong", "/kept/lost", "/moderated/aws", "/moderated/aliyun"] {
            send(client.post(path).json(&chat("conf:hello")), sinks).await;
        }
        for (path, key) in [("/kept/aws", KEPT_BY_AWS), ("/kept/google", KEPT_BY_GOOGLE)] {
            eventually(&format!("{key} at the provider"), async || {
                send(client.post(path).json(&chat("conf:hello")), &mut Sinks::default()).await;
                let seen = self.managed.requests();
                seen.iter()
                    .any(|call| call.header("authorization") == Some(key))
                    .then_some(())
            })
            .await;
            send(client.post(path).json(&chat("conf:err500")), sinks).await;
        }
    }

    /// Everything that no sink may show. That they have been used says that there was something to leak.
    pub(super) fn secrets(&self) -> Vec<String> {
        let signed = self.bedrock.requests();
        assert!(
            signed
                .iter()
                .any(|call| call.header("x-amz-security-token") == Some(AWS_SESSION))
        );
        let signature = |header: Option<&str>| {
            let header = header.unwrap_or_default();
            header
                .rsplit_once("Signature=")
                .map(|(_, signature)| signature.to_owned())
        };
        let mut secrets: Vec<_> = signed
            .iter()
            .chain(&self.aws.requests())
            .filter_map(|call| signature(call.header("authorization")))
            .collect();
        assert!(secrets.len() > 10);
        let (vertex, google) = (self.vertex.requests(), self.google.requests());
        let is_token = |call: &&sluice_testkit::Recorded| call.path == "/token";
        let grants: Vec<_> = vertex.iter().chain(&google).filter(is_token).collect();
        assert!(
            grants.len() >= 2,
            "a grant for Vertex and one for the secret manager"
        );
        for grant in grants {
            let form = String::from_utf8_lossy(&grant.body).into_owned();
            let (_, signature) = form.rsplit_once('.').expect("a signed grant");
            secrets.push(signature[..40].to_owned());
        }
        let bearer = format!("Bearer {GOOGLE_TOKEN}");
        assert!(vertex.iter().any(|call| {
            call.header("authorization")
                .is_some_and(|token| token.starts_with(&bearer))
        }));
        assert!(self.moderator.requests().len() >= 2);
        let account = self.google.account();
        let pem = account["private_key"].as_str().expect("a key");
        secrets.extend(pem.lines().filter(|line| line.len() == 64).map(str::to_owned));
        secrets.push("PRIVATE KEY".to_owned());
        let known = [
            AWS_SECRET_ACCESS_KEY,
            AWS_WRONG,
            AWS_SESSION,
            AWS_MODERATOR,
            ALIYUN,
            KEPT_BY_AWS,
            KEPT_BY_GOOGLE,
            GOOGLE_TOKEN,
        ];
        secrets.extend(known.map(str::to_owned));
        secrets
    }
}

async fn send(call: Call, sinks: &mut Sinks) {
    let answer = call.send().await;
    let head = format!("{} {:?}", answer.status, answer.headers);
    let body = answer.try_bytes().await.map(|body| body.to_vec());
    sinks.add(
        "answers about clouds",
        [head.as_bytes(), &body.unwrap_or_default()].concat(),
    );
}
