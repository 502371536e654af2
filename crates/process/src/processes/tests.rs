use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};

use super::*;

/// Longer than anything here takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(20);

fn processes(allowed: Value, max: u16) -> Processes {
    let options = ProcessOptions {
        allowed: serde_json::from_value(allowed).unwrap(),
        max,
        ..ProcessOptions::default()
    };
    Processes::new(options, Handle::current())
}

/// A shell that runs this script.
async fn shell(processes: &Processes, script: &str) -> Process {
    let args = ["-c", script].map(str::to_owned);
    processes.start("/bin/sh", &args).await.unwrap()
}

/// What it writes until one of the lines is `last`, or to its end.
async fn lines_until(process: &mut Process, last: Option<&str>) -> Vec<String> {
    let mut lines = Vec::new();
    while last.is_none_or(|last| lines.last().is_none_or(|line| line != last)) {
        let output = tokio::time::timeout(PATIENCE, process.next()).await.unwrap();
        let Some(output) = output else { break };
        let text = String::from_utf8(output.lines.to_vec()).unwrap();
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}

async fn pid(process: &mut Process) -> Pid {
    let lines = lines_until(process, Some("ready")).await;
    Pid::from_raw(lines[0].parse().unwrap()).unwrap()
}

/// Waits until there is no such process, not even an ended one that nobody has waited for.
async fn gone(pid: Pid) {
    let gone = async {
        while test_kill_process(pid).is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn what_is_not_allowed_does_not_run() {
    let none = processes(json!([]), 1);
    let error = none.start("/bin/true", &[]).await.unwrap_err();
    assert!(matches!(error, StartError::NotAllowed(_)), "{error}");
    assert!(error.to_string().contains("`commands.allowed`"), "{error}");

    let missing = processes(json!(["/does/not/exist"]), 1);
    for _ in 0..2 {
        // It takes no place.
        let error = missing.start("/does/not/exist", &[]).await.unwrap_err();
        assert!(matches!(error, StartError::Failed { .. }), "{error}");
    }
    assert!(missing.0.inputs().is_empty());
}

#[tokio::test]
async fn it_hears_and_answers() {
    let processes = processes(json!(["cat"]), 1);
    let mut cat = processes.start("cat", &[]).await.unwrap();
    for message in ["one", "two\nthree"] {
        processes.send(cat.id(), Bytes::from(message)).await.unwrap();
    }
    assert_eq!(
        lines_until(&mut cat, Some("two three")).await,
        ["one", "two three"]
    );
    let too_long = Bytes::from(vec![b'x'; LINE_MAX + 1]);
    assert_eq!(processes.send(cat.id(), too_long).await, Err(SendError::TooLong));
    assert_eq!(
        processes.send(Uuid::new_v4(), Bytes::new()).await,
        Err(SendError::Unknown)
    );
}

#[tokio::test]
async fn one_that_ends_has_the_last_word() {
    let processes = processes(json!(["/bin/sh"]), 1);
    let mut short = shell(&processes, "echo out; echo err >&2; printf rest").await;
    let mut lines = lines_until(&mut short, None).await;
    lines.sort();
    assert_eq!(lines, ["err", "out", "rest"]);
    let id = short.id();
    drop(short);
    processes.stop().await;
    assert_eq!(processes.send(id, Bytes::new()).await, Err(SendError::Unknown));
}

#[tokio::test]
async fn one_that_nobody_listens_to_is_ended_with_its_children() {
    let processes = processes(json!(["/bin/sh"]), 1);
    let mut parent = shell(&processes, "sleep 1000 & echo $!; echo ready; read line").await;
    let child = pid(&mut parent).await;
    drop(parent);
    gone(child).await;
}

#[tokio::test]
async fn one_that_does_not_want_to_end_is_killed() {
    let processes = processes(json!(["/bin/sh"]), 1);
    let script = "trap '' TERM; echo $$; echo ready; while :; do sleep 1; done";
    let mut stubborn = shell(&processes, script).await;
    let stubborn_pid = pid(&mut stubborn).await;
    drop(stubborn);
    gone(stubborn_pid).await;
}

#[tokio::test]
async fn a_flood_waits_for_its_reader() {
    let processes = processes(json!(["yes"]), 1);
    let mut flood = processes.start("yes", &[]).await.unwrap();
    // More than pipe and queue hold.
    let mut read = 0;
    while read < 1 << 20 {
        let output = flood.next().await.unwrap();
        assert!(
            output.lines.len() <= 1 << 17,
            "{} bytes at once",
            output.lines.len()
        );
        read += output.lines.len();
    }
    drop(flood);
    processes.stop().await;
}

#[tokio::test]
async fn there_is_a_most() {
    let processes = processes(json!(["cat"]), 1);
    let first = processes.start("cat", &[]).await.unwrap();
    let error = processes.start("cat", &[]).await.unwrap_err();
    assert!(matches!(error, StartError::TooMany(1)), "{error}");
    drop(first);
    let free = async {
        while processes.start("cat", &[]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, free).await.unwrap();
}

#[tokio::test]
async fn all_end_when_the_gateway_stops() {
    let processes = processes(json!(["cat"]), 5);
    let mut cat = processes.start("cat", &[]).await.unwrap();
    processes.stop().await;
    assert_eq!(cat.next().await, None);
    let error = processes.start("cat", &[]).await.unwrap_err();
    assert!(matches!(error, StartError::Stopping), "{error}");
}

#[tokio::test]
async fn the_environment_is_not_passed_on() {
    let options = ProcessOptions {
        allowed: serde_json::from_value(json!(["env"])).unwrap(),
        environment: vec!["CARGO_PKG_NAME".to_owned(), "SLUICE_NOT_SET".to_owned()],
        max: 1,
    };
    let processes = Processes::new(options, Handle::current());
    let mut env = processes.start("env", &[]).await.unwrap();
    let lines = lines_until(&mut env, None).await;
    let names: Vec<_> = lines
        .iter()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    assert!(
        names.contains(&"PATH") && names.contains(&"CARGO_PKG_NAME"),
        "{names:?}"
    );
    assert!(std::env::var_os("CARGO_PKG_VERSION").is_some());
    assert!(!names.contains(&"CARGO_PKG_VERSION"), "{names:?}");
}
