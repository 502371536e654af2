//! What one decision of a limit costs: `cargo run --release -p sluice-limit --example decision_cost [redis-port]`.

use std::hint::black_box;
use std::io::{Write, stdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_limit::{
    Budget, Budgets, Counter, CounterKey, CounterNames, LocalCounters, Meter, Period, RedisCounters,
    SystemClock, WindowKind, Zone,
};
use sluice_redis::{Address, Redis, RedisConfig};
use tokio::runtime::Handle;

const LOCAL: u32 = 2_000_000;
const SHARED: u32 = 20_000;
const WINDOW: Duration = Duration::from_secs(60);

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn take(meter: &Meter, counter: &Counter) -> Outcome {
    let taken = meter.take(counter, WindowKind::Fixed, u64::MAX, WINDOW, Instant::now());
    black_box(taken.await?);
    Ok(())
}

/// A limit that reserves before a request and settles after it, of one consumer and of many.
fn reserving() -> Outcome {
    let budgets = Budgets::new(1 << 16, Arc::new(SystemClock));
    let of = |consumer: u32| Budget {
        key: CounterKey::new(&["ai-limits", "client", &consumer.to_string(), "tokens_per_day"]),
        limit: u64::MAX,
        period: Period::Day { zone: Zone::utc() },
    };
    for consumers in [1, 1000] {
        let own: Vec<Budget> = (0..consumers).map(of).collect();
        let start = Instant::now();
        for budget in own.iter().cycle().take(LOCAL as usize) {
            budgets.reserve(black_box(budget), 100)?.settle(90);
        }
        report(
            &format!("reserve and settle, {consumers} consumers"),
            start,
            LOCAL,
        )?;
    }
    Ok(())
}

fn report(what: &str, start: Instant, times: u32) -> Outcome {
    let micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(times);
    Ok(writeln!(stdout(), "{micros:8.3} µs  {what}")?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let local = Arc::new(LocalCounters::new(1 << 16, Instant::now()));
    let names = CounterNames::new("limit-count", "/apisix/routes/1", r#"{"count":100}"#, true);
    let meter = Meter::local(local.clone());
    let start = Instant::now();
    for _ in 0..LOCAL {
        take(&meter, &names.counter_with("100/60", black_box("consumer-17"))).await?;
    }
    report("here, the counter's name made each time", start, LOCAL)?;
    let start = Instant::now();
    for _ in 0..LOCAL {
        take(&meter, &names.counter(black_box("consumer-17"))).await?;
    }
    report("here, the counter's name remembered", start, LOCAL)?;
    reserving()?;
    let Some(port) = std::env::args().nth(1) else {
        return Ok(());
    };
    let redis = Redis::new(Handle::current());
    let client = redis.client(RedisConfig::single(Address::new("127.0.0.1", port.parse()?)));
    let meter = Meter::redis(local, RedisCounters::new(client), Handle::current(), None);
    let counter = names.counter("consumer-17");
    let start = Instant::now();
    for _ in 0..SHARED {
        take(&meter, &counter).await?;
    }
    report("in Redis, one after the other", start, SHARED)?;
    let start = Instant::now();
    for _ in 0..SHARED / 100 {
        let hundred = (0..100).map(|_| {
            let (meter, counter) = (meter.clone(), counter.clone());
            tokio::spawn(async move { take(&meter, &counter).await.is_ok() })
        });
        for taken in hundred.collect::<Vec<_>>() {
            black_box(taken.await?);
        }
    }
    report("in Redis, a hundred at once", start, SHARED)
}
