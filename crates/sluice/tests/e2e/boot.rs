//! What stops a start: one clear message, exit code 1, and nothing half-made.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use serde_json::json;
use sluice_testkit::{Admin, Gateway};
use tempfile::TempDir;

use crate::process::{ANY_PORTS, serve, sluice};
use crate::support::binary;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Asserts that a message says all of this.
#[track_caller]
fn says(complaint: &str, words: &[&str]) {
    for word in words {
        assert!(complaint.contains(word), "`{word}` is not said: {complaint}");
    }
}

/// A folder with the data of a gateway that was stopped in good order, so that its databases are whole.
async fn used() -> TempDir {
    let dir = folder();
    serve(dir.path(), []).serving().await.stop().await;
    dir
}

async fn refused(dir: &Path) -> String {
    serve(dir, []).ended().await.complaint()
}

/// Arguments of `serve` with another address for one listener.
fn listening<'a>(option: &'a str, addr: &'a str) -> Vec<&'a str> {
    let mut args = vec!["serve"];
    for pair in ANY_PORTS.chunks(2) {
        args.extend([pair[0], if pair[0] == option { addr } else { pair[1] }]);
    }
    args
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let dir = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    for option in ["--proxy-listen", "--admin-listen", "--control-listen"] {
        let complaint = sluice(dir.path(), listening(option, &addr))
            .ended()
            .await
            .complaint();
        says(&complaint, &["cannot listen on", &addr, "in use"]);
    }
    for variable in ["SLUICE_METRICS_LISTEN", "SLUICE_PROXY_ALSO_LISTEN"] {
        let text = if variable.ends_with("ALSO_LISTEN") {
            format!("['{addr}']")
        } else {
            addr.clone()
        };
        let complaint = serve(dir.path(), [])
            .env(variable, &text)
            .ended()
            .await
            .complaint();
        says(&complaint, &["cannot listen on", &addr, "in use"]);
    }
    assert!(
        !dir.path().join("data/sluice.db").exists(),
        "no half-made data folder"
    );
}

#[tokio::test]
async fn the_port_of_a_running_gateway_is_taken() {
    let gateway = Gateway::start(binary()).await;
    let dir = folder();
    for (option, addr) in [
        ("--proxy-listen", gateway.proxy_addr()),
        ("--admin-listen", gateway.admin_addr()),
    ] {
        let addr = addr.to_string();
        let complaint = sluice(dir.path(), listening(option, &addr))
            .ended()
            .await
            .complaint();
        says(&complaint, &["cannot listen on", &addr]);
    }
    gateway.client().get("/").send().await.expect_status(404).await;
}

#[tokio::test]
async fn an_address_that_is_not_ours_is_named() {
    let dir = folder();
    let complaint = sluice(dir.path(), listening("--proxy-listen", "192.0.2.1:9080"))
        .ended()
        .await
        .complaint();
    says(&complaint, &["cannot listen on 192.0.2.1:9080"]);
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_used_is_named() {
    let dir = folder();
    fs::write(dir.path().join("file"), "").unwrap();
    for path in ["file", "file/below", "/proc/sluice"] {
        let complaint = serve(dir.path(), ["--data-dir", path]).ended().await.complaint();
        says(&complaint, &["data folder", path]);
    }
}

#[tokio::test]
async fn a_data_folder_in_use_is_left_alone() {
    let gateway = Gateway::start(binary()).await;
    let data = gateway.dir().join("data");
    let data = data.to_str().unwrap();
    let complaint = serve(folder().path(), ["--data-dir", data])
        .ended()
        .await
        .complaint();
    says(
        &complaint,
        &["another sluice is running on the data folder", data],
    );
    gateway
        .admin()
        .put("/routes/1", json!({ "uri": "/x", "plugins": {} }))
        .await
        .expect_status(201);
}

#[tokio::test]
async fn a_damaged_configuration_is_not_touched() {
    let dir = used().await;
    let path = dir.path().join("data/sluice.db");
    let sound = fs::read(&path).unwrap();
    let page = usize::from(u16::from_be_bytes([sound[16], sound[17]]));
    assert!(sound.len() > 4 * page, "there are pages to damage");
    // The header, the pages behind the schema, and the length.
    let mut header = sound.clone();
    header[..64].fill(0xa5);
    let mut pages = sound.clone();
    pages[page..4 * page].fill(0xa5);
    let half = sound[..sound.len() / 2].to_vec();
    for damaged in [header, pages, half, b"something else entirely".repeat(100)] {
        fs::write(&path, &damaged).unwrap();
        says(&refused(dir.path()).await, &["sluice.db", "damaged"]);
        assert_eq!(fs::read(&path).unwrap(), damaged, "left for whoever repairs it");
    }
    fs::write(&path, &sound).unwrap();
    let serving = serve(dir.path(), []).serving().await;
    assert!(!serving.stdout().contains("First run"));
}

#[tokio::test]
async fn a_damaged_ledger_is_not_touched() {
    let dir = used().await;
    let path = dir.path().join("data/ledger.db");
    let damaged = b"something else entirely".repeat(1000);
    fs::write(&path, &damaged).unwrap();
    says(&refused(dir.path()).await, &["ledger.db", "damaged"]);
    assert_eq!(fs::read(&path).unwrap(), damaged);
}

#[tokio::test]
async fn a_spill_file_that_is_none_is_not_touched() {
    let dir = used().await;
    let path = dir.path().join("data/ledger.spill");
    fs::write(&path, "something else entirely").unwrap();
    says(&refused(dir.path()).await, &["ledger.spill", "not a spill file"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "something else entirely");
}

#[tokio::test]
async fn a_database_of_another_kind_is_no_ledger_and_no_configuration() {
    let dir = used().await;
    let data = dir.path().join("data");
    let ledger = fs::read(data.join("ledger.db")).unwrap();
    let configuration = fs::read(data.join("sluice.db")).unwrap();
    fs::write(data.join("ledger.db"), &configuration).unwrap();
    says(&refused(dir.path()).await, &["ledger.db"]);
    fs::write(data.join("ledger.db"), &ledger).unwrap();
    fs::write(data.join("sluice.db"), &ledger).unwrap();
    says(&refused(dir.path()).await, &["sluice.db"]);
}

#[tokio::test]
async fn a_secret_key_that_is_not_the_right_one_is_refused() {
    let dir = used().await;
    let path = dir.path().join("data/secret.key");
    let right = fs::read(&path).unwrap();
    fs::write(&path, format!("{}\n", "ab".repeat(32))).unwrap();
    says(
        &refused(dir.path()).await,
        &["secret key", "not the one that this database was made with"],
    );
    fs::write(&path, "no key at all").unwrap();
    says(&refused(dir.path()).await, &["secret.key", "key"]);
    fs::remove_file(&path).unwrap();
    says(&refused(dir.path()).await, &["secret.key", "missing"]);
    assert!(
        !path.exists(),
        "a lost key is not replaced by one that cannot work"
    );
    fs::write(&path, right).unwrap();
    serve(dir.path(), []).serving().await;
}

#[tokio::test]
async fn a_bad_certificate_is_named() {
    let dir = folder();
    let write = |name: &str, text: String| fs::write(dir.path().join(name), text).unwrap();
    let make = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (one, other) = (make(), make());
    write("cert.pem", one.cert.pem());
    write("key.pem", one.signing_key.serialize_pem());
    write("other.pem", other.signing_key.serialize_pem());
    write("text.pem", "no certificate".to_owned());
    for (cert, key, words) in [
        ("absent.pem", "key.pem", &["absent.pem"][..]),
        ("cert.pem", "absent.pem", &["absent.pem"]),
        ("text.pem", "key.pem", &["text.pem", "no certificate"]),
        ("cert.pem", "text.pem", &["text.pem", "no private key"]),
        (
            "cert.pem",
            "other.pem",
            &["cert.pem", "other.pem", "does not match"],
        ),
    ] {
        for listener in ["PROXY", "ADMIN"] {
            let command = serve(dir.path(), [])
                .env(&format!("SLUICE_{listener}_TLS_CERT"), cert)
                .env(&format!("SLUICE_{listener}_TLS_KEY"), key);
            says(&command.ended().await.complaint(), words);
        }
    }
}

#[tokio::test]
async fn an_access_log_that_cannot_be_written_is_named() {
    let dir = folder();
    let complaint = serve(dir.path(), [])
        .env("SLUICE_ACCESS_LOG_TARGET", "absent/x.log")
        .ended()
        .await
        .complaint();
    says(&complaint, &["access log", "absent/x.log"]);
}

/// APISIX publishes these.
const PUBLISHED: [&str; 2] = [
    "edd1c9f034335f136f87ad84b625c8f1",
    "4054f7cf07e344346cd3f287985e76a2",
];

#[tokio::test]
async fn published_keys_are_refused_unless_asked_for_on_loopback() {
    let dir = folder();
    let file = format!(
        "apisix: {{ssl: {{enable: false}}}}\nplugin_attr: {{prometheus: {{enable_export_server: false}}}}\ndeployment: {{admin: {{admin_listen: {{ip: 127.0.0.1, port: 0}}, \
         admin_key: [{{name: admin, key: {}, role: admin}}, {{name: viewer, key: {}, role: viewer}}]}}}}\n",
        PUBLISHED[0], PUBLISHED[1]
    );
    fs::write(dir.path().join("apisix.yaml"), file).unwrap();
    let start = |option: Option<&'static str>| {
        let args = [
            "serve",
            "--apisix-config",
            "apisix.yaml",
            "--proxy-listen",
            "127.0.0.1:0",
        ];
        sluice(
            dir.path(),
            args.into_iter()
                .chain(["--control-listen", "127.0.0.1:0"])
                .chain(option),
        )
        .serving()
    };
    let serving = start(None).await;
    for key in PUBLISHED {
        let answer = Admin::new(serving.addr("admin"), key)
            .get("/routes")
            .await
            .expect_status(401);
        assert_eq!(answer.json()["description"], "wrong apikey");
    }
    let warned = serving.stderr();
    says(&warned, &["WARN", "--allow-default-admin-key"]);
    assert!(PUBLISHED.iter().all(|key| !warned.contains(key)), "{warned}");
    drop(serving);

    let serving = start(Some("--allow-default-admin-key")).await;
    for key in PUBLISHED {
        Admin::new(serving.addr("admin"), key)
            .get("/routes")
            .await
            .expect_status(200);
    }
    let [admin, viewer] = PUBLISHED.map(|key| Admin::new(serving.addr("admin"), key));
    admin
        .put("/routes/1", json!({ "uri": "/x", "plugins": {} }))
        .await
        .expect_status(201);
    viewer
        .put("/routes/1", json!({ "uri": "/x", "plugins": {} }))
        .await
        .expect_status(401);
    assert!(!serving.stderr().contains("--allow-default-admin-key"));
}

#[tokio::test]
async fn published_keys_are_never_accepted_from_elsewhere() {
    let dir = folder();
    for addr in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let mut args = listening("--admin-listen", addr);
        args.push("--allow-default-admin-key");
        says(
            &sluice(dir.path(), args).ended().await.complaint(),
            &["default admin key", "loopback"],
        );
    }
    let command = sluice(dir.path(), listening("--admin-listen", "0.0.0.0:0"));
    let complaint = command
        .env("SLUICE_ADMIN_ALLOW_DEFAULT_KEY", "true")
        .ended()
        .await
        .complaint();
    says(&complaint, &["default admin key", "loopback"]);
    assert!(!dir.path().join("data").exists());
}

#[tokio::test]
async fn a_published_key_is_no_key_for_the_first_run() {
    let dir = folder();
    let complaint = serve(dir.path(), [])
        .env("SLUICE_ADMIN_KEY", PUBLISHED[0])
        .ended()
        .await
        .complaint();
    says(&complaint, &["admin.key", "published"]);
    assert!(!complaint.contains(PUBLISHED[0]), "{complaint}");
}
