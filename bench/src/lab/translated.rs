//! What translation costs: the same loads on the gateway by two clients, whose streams pass as they are or come from
//! a provider of another protocol.

use anyhow::Result;

use super::figure::{Figure, Goal, PerSide};
use super::scenario::{cpu_per_chunk, flood_load, paced_load};
use super::side::{CLIENT_KEY, Side, TRANSLATED_KEY, Who};
use super::workbench::Workbench;

/// Times the CPU of a chunk that passes as it is.
const MOST: f64 = 3.0;

/// Takes the figures of paced streams, then of streams without pause.
pub(super) async fn measure(bench: &Workbench) -> Result<Vec<Figure>> {
    let Some(side) = bench.start_translating().await? else {
        return Ok(Vec::new());
    };
    for key in [CLIENT_KEY, TRANSLATED_KEY] {
        bench
            .load_as(key, &side, &flood_load(bench.effort.flood / 10))
            .await?;
    }
    let mut figures = compare(bench, &side, "paced", &paced_load(bench)).await?;
    figures.extend(compare(bench, &side, "flood", &flood_load(bench.effort.flood)).await?);
    Ok(figures)
}

/// Puts the gateway under one load by both clients in turn.
async fn compare(bench: &Workbench, side: &Side, name: &str, load: &str) -> Result<Vec<Figure>> {
    let (mut plain, mut translated, mut times) = (PerSide::new(), PerSide::new(), PerSide::new());
    for _ in 0..bench.effort.long_rounds {
        let as_it_is = cpu_per_chunk(&bench.load_as(CLIENT_KEY, side, load).await?);
        let changed = cpu_per_chunk(&bench.load_as(TRANSLATED_KEY, side, load).await?);
        plain.push(Who::Gateway, as_it_is);
        translated.push(Who::Gateway, changed);
        times.push(Who::Gateway, changed / as_it_is);
    }
    Ok(vec![
        Figure::new(format!("{name}, chunk as it is"), "µs", plain),
        Figure::new(format!("{name}, translated"), "µs", translated),
        Figure::new(format!("{name}, times"), "", times).aim(Goal::AtMost(MOST)),
    ])
}
