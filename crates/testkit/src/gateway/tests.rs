//! The harness around a script that behaves as the gateway should.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// Writes the ready file, says so, and ends with status 7 when terminated.
const STAND_IN: &str = r#"#!/bin/sh
echo "args: $*"
echo "key: $SLUICE_ADMIN_KEY $EXTRA" >&2
while [ $# -gt 0 ]; do
  case "$1" in
    --ready-file) ready="$2"; shift ;;
    --proxy-listen) proxy="$2"; shift ;;
    --fail) echo "cannot start"; exit 3 ;;
  esac
  shift
done
[ "$proxy" = 127.0.0.1:0 ] && proxy=127.0.0.1:1001
printf '{"proxy":"%s","admin":"127.0.0.1:1002","control":"127.0.0.1:1003"}' "$proxy" > "$ready.new"
trap 'echo terminated; exit 7' TERM
mv "$ready.new" "$ready"
while :; do sleep 0.01; done
"#;

fn stand_in(dir: &Path) -> PathBuf {
    let path = dir.join("stand-in");
    std::fs::write(&path, STAND_IN).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn starts_stops_and_restarts_a_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::builder(stand_in(dir.path()))
        .arg("--extra-arg")
        .env("EXTRA", "extra value")
        .file("config.yaml", "a: b")
        .start()
        .await;
    assert_eq!(gateway.proxy_addr().port(), 1001);
    assert_eq!(gateway.admin_addr().port(), 1002);
    assert_eq!(
        std::fs::read_to_string(gateway.dir().join("config.yaml")).unwrap(),
        "a: b"
    );
    gateway.wait_output("args: serve --data-dir ").await;
    gateway.wait_output(" --extra-arg\n").await;
    gateway
        .wait_output(&format!("key: {} extra value", gateway.admin_key()))
        .await;

    gateway.terminate();
    assert_eq!(gateway.wait_exit().await.code(), Some(7));
    gateway.restart().await;
    gateway.wait_output("--proxy-listen 127.0.0.1:1001 ").await;

    let first = gateway.pid();
    gateway.restart().await;
    assert_ne!(gateway.pid(), first);
    gateway.kill();
    assert_eq!(gateway.wait_exit().await.code(), None);
}

#[tokio::test]
#[should_panic = "the gateway ended while starting: exit status: 3"]
async fn says_when_a_gateway_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    Gateway::builder(stand_in(dir.path())).arg("--fail").start().await;
}
