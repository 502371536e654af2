//! What the ledger knows of the running day, for those who look on after a restart.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sluice_ledger::{Dimension, Filter, GroupBy, Ledger, LedgerError, Period, Totals};
use sluice_observe::{LiveSeed, LiveTotals};

const DAY_US: i64 = 86_400_000_000;

/// How long a start may wait for sums that a crash has left out.
const PATIENCE: Duration = Duration::from_secs(2);

/// Nothing, where the ledger cannot be read: what is missing is a number on a page.
pub(super) async fn seed(ledger: &Ledger) -> LiveSeed {
    read(ledger).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the sums of the running day begin at nothing");
        LiveSeed::default()
    })
}

async fn read(ledger: &Ledger) -> Result<LiveSeed, LedgerError> {
    ledger.handle().flush(PATIENCE).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
    let midnight = now - now.rem_euclid(DAY_US);
    let reader = ledger.reader();
    let today = Filter {
        since_us: Some(midnight),
        ..Filter::default()
    };
    let by = |dimension| GroupBy {
        period: Period::Whole,
        dimension,
    };
    let whole = reader.usage(&today, by(None), None, 1).await?;
    let named = async |dimension| {
        let rows = reader.usage(&today, by(Some(dimension)), None, 10_000).await?;
        let named = rows.into_iter().filter(|row| !row.key.name.is_empty());
        let named = named.map(|row| (row.key.name, totals(&row.totals)));
        Ok::<_, LedgerError>(named.collect())
    };
    Ok(LiveSeed {
        today: whole.first().map(|row| totals(&row.totals)).unwrap_or_default(),
        clients: named(Dimension::Consumer).await?,
        instances: named(Dimension::Instance).await?,
        seen: reader.last_seen(midnight).await?,
    })
}

fn totals(totals: &Totals) -> LiveTotals {
    let count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
    LiveTotals {
        requests: totals.requests,
        errors: totals.errors,
        input_tokens: count(totals.usage.total_input()),
        output_tokens: count(totals.usage.total_output()),
        cache_read_tokens: count(totals.usage.cache_read),
        cost_micros: totals.cost_micros,
        unpriced: totals.unpriced,
        cache_hits: totals.cache.hits(),
    }
}
