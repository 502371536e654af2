//! What it costs to compile a large configuration, and to bring one edit of it in force.
//!
//! `cargo run --release -p sluice-core --features testing --example edit_cost [consumers] [routes]`

use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_core::testing::Fixture;
use sluice_core::{
    Change, CompileEnv, CompileError, Compiler, CompilerOptions, Phases, Plugin, PluginDef, Registry,
    RouterKind, Snapshot, SnapshotCell,
};
use sluice_resource::{PluginInfo, SchemaCompileError};

const EDITS: usize = 200;
const BATCH: usize = 1000;
const LOOKUPS: usize = 1_000_000;

struct Inert;

impl Plugin for Inert {
    fn phases(&self) -> Phases {
        Phases::NONE
    }
}

fn compile(_conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
    Ok(Arc::new(Inert))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let consumers = arguments.next().transpose()?.unwrap_or(100_000);
    let routes = arguments.next().transpose()?.unwrap_or(1_000);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let services = Fixture::new(runtime.handle()).services;
    let options = CompilerOptions {
        prefix: "/apisix".to_owned(),
        router: RouterKind::default(),
    };
    let mut compiler = Compiler::new(Arc::new(registry()?), services, options);
    let mut out = io::stdout().lock();

    let before = resident_bytes()?;
    let start = Instant::now();
    // In batches, so that memory is what stays and not what passes through.
    for batch in (0..consumers).step_by(BATCH) {
        let batch = batch..consumers.min(batch + BATCH);
        compiler.apply(batch.map(|n| put(&format!("/consumers/c{n}"), consumer(&format!("k{n}")))));
    }
    let took = start.elapsed();
    let bytes = resident_bytes()?.saturating_sub(before) / consumers.max(1);
    writeln!(
        out,
        "{consumers} consumers load in {took:.0?}, {bytes} bytes each"
    )?;

    let start = Instant::now();
    compiler.apply([put("/services/s", json!({"upstream_id": "u"}))]);
    compiler.apply((0..routes).map(|n| put(&format!("/routes/r{n}"), route(n, "first"))));
    writeln!(out, "{routes} routes load in {:.1?}", start.elapsed())?;

    let cell = SnapshotCell::new(compiler.snapshot(0));
    writeln!(
        out,
        "an edit, from change to published snapshot: median and slowest of {EDITS}"
    )?;
    let edits: [(&str, &dyn Fn(usize) -> Change); 5] = [
        ("consumer", &|n| {
            put("/consumers/c7", consumer(&format!("new{n}")))
        }),
        ("credential", &|n| {
            put("/consumers/c8/credentials/1", consumer(&format!("cred{n}")))
        }),
        ("global rule", &|_| {
            put("/global_rules/1", json!({"plugins": {"limit": {"count": 1}}}))
        }),
        ("route", &|n| put("/routes/r7", route(7, &n.to_string()))),
        ("upstream of all routes", &|n| {
            put(
                "/upstreams/u",
                json!({"nodes": {format!("10.0.0.{}", n % 256): 1}}),
            )
        }),
    ];
    for (what, edit) in edits {
        let mut times: Vec<Duration> = (0..EDITS)
            .map(|n| time_of(&mut compiler, &cell, edit(n)))
            .collect();
        times.sort_unstable();
        writeln!(
            out,
            "  {what:<24} {:>10.1?} {:>10.1?}",
            times[EDITS / 2],
            times[EDITS - 1]
        )?;
    }
    let snapshot = cell.load();
    let (few, all) = (
        time_of_lookup(&snapshot, consumers.min(100)),
        time_of_lookup(&snapshot, consumers),
    );
    writeln!(
        out,
        "a key is found in {few:.0?} when few are in use, in {all:.0?} when all are"
    )?;
    Ok(())
}

fn time_of(compiler: &mut Compiler, cell: &SnapshotCell, change: Change) -> Duration {
    let start = Instant::now();
    compiler.apply([change]);
    // What the generation before does not share is freed here.
    cell.publish(compiler.snapshot(0));
    start.elapsed()
}

/// Of the keys of the first consumers, in no order.
fn time_of_lookup(snapshot: &Snapshot, consumers: usize) -> Duration {
    let count = consumers.max(1);
    let keys: Vec<String> = (0..count)
        .map(|n| format!("k{}", n.wrapping_mul(7919) % count))
        .collect();
    let start = Instant::now();
    let found = keys
        .iter()
        .cycle()
        .take(LOOKUPS)
        .filter(|key| snapshot.consumers.find("key-auth", key).is_some());
    let found = found.count();
    start.elapsed() / u32::try_from(found.max(1)).unwrap_or(u32::MAX)
}

fn put(key: &str, value: Value) -> Change {
    Change {
        key: key.to_owned(),
        value: Some(Arc::new(value)),
        created: 1,
    }
}

fn consumer(key: &str) -> Value {
    json!({"plugins": {"key-auth": {"key": key}}})
}

fn route(n: usize, name: &str) -> Value {
    json!({"uri": format!("/{n}/*"), "name": name, "service_id": "s", "plugins": {"limit": {"count": n}}})
}

fn registry() -> Result<Registry, SchemaCompileError> {
    let key = json!({"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]});
    let auth = PluginInfo::new("key-auth", 2500, json!({"type": "object"}))?
        .with_consumer_schema(key)?
        .as_auth("key");
    let count = json!({"type": "object", "properties": {"count": {"type": "integer"}}});
    let limit = PluginInfo::new("limit", 1000, count)?;
    Ok(Registry::new(
        vec![
            PluginDef { info: auth, compile },
            PluginDef { info: limit, compile },
        ],
        None,
    ))
}

/// Memory of this process, as Linux counts it.
fn resident_bytes() -> Result<usize, Box<dyn Error>> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let resident: usize = pages
        .split(' ')
        .nth(1)
        .ok_or("statm has no second number")?
        .parse()?;
    Ok(resident * 4096)
}
