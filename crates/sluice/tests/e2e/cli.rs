//! The command line: every command, its help, its failures.

mod aigateway;
mod apisix_config;
mod environment;
mod first_run;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use serde_json::json;
use sluice_store::Database;
use sluice_testkit::{Admin, Gateway};

use crate::process::{serve, sluice};

/// An empty folder.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn every_command_explains_itself() {
    let dir = folder();
    let options = [
        "--config <FILE>",
        "--apisix-config <FILE>",
        "--data-dir <DIR>",
        "--proxy-listen <ADDR>",
        "--admin-listen <ADDR>",
        "--log-level <LEVEL>",
        "--demo",
        "--allow-default-admin-key",
    ];
    for (command, words) in [
        (
            "",
            &[
                "serve",
                "init",
                "validate",
                "version",
                "admin",
                "sluice serve --demo",
            ][..],
        ),
        ("serve", &options[..]),
        ("init", &["[FILE]", "--force"]),
        ("validate", &["<FILE>", "--apisix"]),
        ("version", &["commit"]),
        (
            "import aigateway",
            &["--db <FILE>", "--config <FILE>", "--data-dir <DIR>", "--dry-run"],
        ),
        ("admin", &["reset-password", "new-key", "--data-dir <DIR>"]),
        ("admin reset-password", &["--user <USER>"]),
        (
            "admin new-key",
            &["--name <NAME>", "--role <ROLE>", "admin, viewer"],
        ),
    ] {
        let help = sluice(dir.path(), command.split_whitespace())
            .arg("--help")
            .ended()
            .await
            .output();
        assert!(
            help.contains(format!("Usage: sluice {command}").trim_end()),
            "{help}"
        );
        for word in words {
            assert!(
                help.contains(word),
                "`{word}` is not in the help of `{command}`: {help}"
            );
        }
    }
}

#[tokio::test]
async fn a_misspelt_command_is_answered_with_the_right_one() {
    let ended = sluice(folder().path(), ["sevre"]).ended().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("'serve'"), "{}", ended.stderr);
}

#[tokio::test]
async fn version_tells_commit_and_build_time() {
    let text = sluice(folder().path(), ["version"]).ended().await.output();
    let words: Vec<&str> = text.split_whitespace().collect();
    let [
        "sluice",
        env!("CARGO_PKG_VERSION"),
        "(commit",
        commit,
        "built",
        built,
    ] = words[..]
    else {
        panic!("{text}");
    };
    let commit = commit.trim_end_matches(',');
    assert!(
        commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{text}"
    );
    let built = built.trim_end_matches(')');
    let built = time::OffsetDateTime::parse(built, &time::format_description::well_known::Rfc3339).unwrap();
    assert!(built < time::OffsetDateTime::now_utc(), "{text}");
}

#[tokio::test]
async fn init_writes_a_configuration_that_serves() {
    let dir = folder();
    let said = sluice(dir.path(), ["init"]).ended().await.output();
    assert!(
        said.contains("config.yaml") && said.contains("sluice serve --config"),
        "{said}"
    );
    let text = std::fs::read_to_string(dir.path().join("config.yaml")).unwrap();
    assert!(text.contains("#listen: 0.0.0.0:9080"), "{text}");
    sluice(dir.path(), ["validate", "config.yaml"])
        .ended()
        .await
        .output();
    let serving = serve(dir.path(), ["--config", "config.yaml"]).serving().await;
    assert!(serving.stdout().contains("First run."));
}

#[tokio::test]
async fn init_replaces_a_file_only_by_force() {
    let dir = folder();
    let file = dir.path().join("mine.yaml");
    let mine = format!("# mine\n{}", "# more of mine\n".repeat(1000));
    std::fs::write(&file, &mine).unwrap();
    let complaint = sluice(dir.path(), ["init", "mine.yaml"])
        .ended()
        .await
        .complaint();
    assert!(
        complaint.contains("mine.yaml") && complaint.contains("--force"),
        "{complaint}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), mine);
    sluice(dir.path(), ["init", "mine.yaml", "--force"])
        .ended()
        .await
        .output();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("#listen:") && !text.contains("mine"), "{text}");
}

/// Bad configurations, and what has to be said about each.
const BAD: &[(&str, &[&str])] = &[
    (
        "proxy: {listn: '127.0.0.1:1'}",
        &["unknown key `proxy.listn`", "did you mean `proxy.listen`?"],
    ),
    (
        "retention_days: 3",
        &[
            "unknown key `retention_days`",
            "did you mean `ledger.retention_days`?",
        ],
    ),
    ("zzz: 3", &["unknown key `zzz`"]),
    ("proxy: {workers: many}", &["`proxy.workers`", "many"]),
    ("proxy: {workers: -1}", &["`proxy.workers`", "-1"]),
    ("proxy: {workers: 5000}", &["`proxy.workers`"]),
    ("proxy: {listen: 9080}", &["`proxy.listen`", "9080"]),
    ("proxy: fast", &["`proxy`", "fast"]),
    ("proxy: {tls_cert: a.pem}", &["tls_cert and tls_key go together"]),
    ("admin: {allow: [nowhere]}", &["`admin.allow`", "nowhere"]),
    ("admin: {keys: [{key: k, role: king}]}", &["`admin.keys`", "king"]),
    (
        "admin: {keys: [{key: '', role: admin}]}",
        &["`admin.keys`", "empty"],
    ),
    ("admin: {key: ''}", &["`admin.key`", "empty"]),
    ("admin: {password: ''}", &["`admin.password`", "empty"]),
    (
        "admin: {key: edd1c9f034335f136f87ad84b625c8f1}",
        &["`admin.key`", "published"],
    ),
    (
        "admin: {listen: '0.0.0.0:9180', allow_default_key: true}",
        &["default admin key", "0.0.0.0:9180"],
    ),
    ("log: {level: verbose}", &["`log.level`", "verbose"]),
    ("log: {level: 'info,a=b=c'}", &["`log.level`", "a=b=c"]),
    ("log: {format: xml}", &["`log.format`", "xml"]),
    ("access_log: {escape: none}", &["`access_log.escape`", "none"]),
    ("metrics: {username: me}", &["`metrics`", "password"]),
    (
        "builtin_routes: {disabled: [chat]}",
        &["builtin_routes.disabled", "chat_completions"],
    ),
    (
        "plugin_attr: {prometheus: {default_buckets: [3, 2]}}",
        &["default_buckets"],
    ),
    (
        "plugin_attr: {prometheus: {llm_latency_buckets: fine}}",
        &["llm_latency_buckets"],
    ),
    (
        "plugin_attr: {prometheus: {metric_prefix: 'a b'}}",
        &["metric_prefix"],
    ),
    ("apisix: {router: tree}", &["`apisix.router`", "tree"]),
    ("apisix: {keyring: [short]}", &["`apisix.keyring`", "16", "32"]),
    ("proxy: [", &["not valid YAML"]),
    ("just text", &["not valid YAML", "mapping"]),
];

#[tokio::test]
async fn validate_names_what_is_wrong() {
    let dir = folder();
    let file = dir.path().join("bad.yaml");
    for (text, words) in BAD {
        std::fs::write(&file, text).unwrap();
        let complaint = sluice(dir.path(), ["validate", "bad.yaml"])
            .ended()
            .await
            .complaint();
        for word in ["bad.yaml"].iter().chain(*words) {
            assert!(
                complaint.contains(word),
                "`{word}` is not said about `{text}`: {complaint}"
            );
        }
    }
    let complaint = sluice(dir.path(), ["validate", "absent.yaml"])
        .ended()
        .await
        .complaint();
    assert!(complaint.contains("cannot read absent.yaml"), "{complaint}");
}

#[tokio::test]
async fn serve_refuses_what_validate_refuses() {
    let dir = folder();
    std::fs::write(dir.path().join("config.yaml"), "proxy: {listn: '127.0.0.1:1'}").unwrap();
    let complaint = serve(dir.path(), []).ended().await.complaint();
    assert!(complaint.contains("did you mean `proxy.listen`?"), "{complaint}");
    assert!(
        !dir.path().join("data").exists(),
        "nothing is made before the configuration is read"
    );
}

#[tokio::test]
async fn validate_accepts_what_is_right() {
    let dir = folder();
    std::fs::write(
        dir.path().join("good.yaml"),
        "proxy:\nledger: {retention_days: 7}\n",
    )
    .unwrap();
    let said = sluice(dir.path(), ["validate", "good.yaml"])
        .ended()
        .await
        .output();
    assert_eq!(said, "good.yaml is valid\n");
}

/// The last word of what a command says.
fn last_word(text: &str) -> &str {
    text.split_whitespace().last().unwrap()
}

fn data(gateway: &Gateway) -> String {
    gateway.dir().join("data").to_str().unwrap().to_owned()
}

#[tokio::test]
async fn new_keys_hold_at_once_and_by_their_role() {
    let gateway = crate::support::gateway().await;
    let (dir, data) = (folder(), data(&gateway));
    let key = async |role: &str| {
        let args = ["admin", "new-key", "--data-dir", &data, "--role", role];
        let said = sluice(dir.path(), args).ended().await.output();
        assert!(said.starts_with(&format!("new {role} key: ")), "{said}");
        Admin::new(gateway.admin_addr(), last_word(&said))
    };
    let (admin, viewer) = (key("admin").await, key("viewer").await);
    admin
        .put("/routes/1", json!({ "uri": "/x", "plugins": {} }))
        .await
        .expect_status(201);
    viewer.get("/routes/1").await.expect_status(200);
    for answer in [
        viewer
            .put("/routes/1", json!({ "uri": "/y", "plugins": {} }))
            .await,
        viewer.patch("/routes/1", json!({ "uri": "/y" })).await,
        viewer
            .post("/routes", json!({ "uri": "/y", "plugins": {} }))
            .await,
        viewer.delete("/routes/1").await,
    ] {
        let refused = answer.expect_status(401).json();
        let expected =
            json!({ "error_msg": "failed to check token", "description": "invalid method for role viewer" });
        assert_eq!(refused, expected);
    }
    assert_eq!(admin.get("/routes/1").await.json()["value"]["uri"], "/x");
}

#[tokio::test]
async fn a_reset_password_takes_the_place_of_the_old_one() {
    let gateway = crate::support::gateway().await;
    let (dir, data) = (folder(), data(&gateway));
    let said = sluice(dir.path(), ["admin", "reset-password", "--data-dir", &data])
        .ended()
        .await
        .output();
    let password = last_word(&said).to_owned();
    assert!(password.len() >= 16, "{said}");

    let database = Database::open(gateway.dir().join("data/sluice.db"))
        .await
        .unwrap();
    let user = database.admin_users().get("admin").await.unwrap().unwrap();
    let hash = PasswordHash::new(&user.password_hash).unwrap();
    assert!(
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    );

    let args = ["admin", "reset-password", "--data-dir", &data, "--user", "nobody"];
    let complaint = sluice(dir.path(), args).ended().await.complaint();
    assert!(
        complaint.contains("no admin user `nobody`") && complaint.contains("there is admin"),
        "{complaint}"
    );
}

#[tokio::test]
async fn admin_commands_read_the_configuration_as_serve_does() {
    let dir = folder();
    std::fs::write(dir.path().join("config.yaml"), "data_dir: elsewhere\n").unwrap();
    std::fs::write(dir.path().join("other.yaml"), "data_dir: third\n").unwrap();
    serve(dir.path(), []).serving().await.stop().await;
    assert!(dir.path().join("elsewhere/sluice.db").exists());
    let new_key = || sluice(dir.path(), ["admin", "new-key"]);
    assert!(new_key().ended().await.output().starts_with("new admin key: "));
    let wrong = [
        new_key().env("SLUICE_DATA_DIR", "variable"),
        new_key().arg("--config").arg("other.yaml"),
        new_key()
            .env("SLUICE_DATA_DIR", "variable")
            .arg("--data-dir")
            .arg("option"),
    ];
    for (command, folder) in wrong.into_iter().zip(["variable", "third", "option"]) {
        let complaint = command.ended().await.complaint();
        assert!(
            complaint.contains(&format!("{folder} holds no gateway's data")),
            "{complaint}"
        );
    }
    std::fs::write(dir.path().join("config.yaml"), "data_dirr: x\n").unwrap();
    assert!(new_key().ended().await.complaint().contains("data_dirr"));
}

#[tokio::test]
async fn admin_commands_need_a_data_folder() {
    let dir = folder();
    for command in ["new-key", "reset-password"] {
        let complaint = sluice(dir.path(), ["admin", command]).ended().await.complaint();
        assert!(
            complaint.contains("./data") && complaint.contains("--data-dir"),
            "{complaint}"
        );
    }
    assert_eq!(
        std::fs::read_dir(dir.path())
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().is_dir())
            .count(),
        0
    );
}
