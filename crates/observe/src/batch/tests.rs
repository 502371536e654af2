use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::time;

use super::*;
use crate::metrics::Exposition;

const LONG: Duration = Duration::from_secs(3600);

/// Each counts its four bytes.
impl BatchEntry for u32 {
    fn bytes(&self) -> usize {
        4
    }
}

/// Shows every batch to the test.
struct Shows(mpsc::UnboundedSender<Vec<u32>>);

impl BatchSender<u32> for Shows {
    type Error = Infallible;

    async fn send(&self, entries: &[u32]) -> Result<Delivered, Infallible> {
        self.0.send(entries.to_vec()).unwrap();
        Ok(Delivered::default())
    }
}

/// Accepts and never answers.
struct Silent;

impl BatchSender<u32> for Silent {
    type Error = Infallible;

    async fn send(&self, _: &[u32]) -> Result<Delivered, Infallible> {
        std::future::pending().await
    }
}

/// Refuses until told otherwise, and counts.
#[derive(Clone, Default)]
struct Moody {
    ready: Arc<AtomicBool>,
    tries: Arc<AtomicU64>,
}

impl BatchSender<u32> for Moody {
    type Error = &'static str;

    async fn send(&self, _: &[u32]) -> Result<Delivered, &'static str> {
        self.tries.fetch_add(1, Ordering::SeqCst);
        if self.ready.load(Ordering::SeqCst) {
            Ok(Delivered::default())
        } else {
            Err("not now")
        }
    }
}

fn start<S: BatchSender<u32>>(config: BatchConfig, sender: S) -> BatchProcessor<u32> {
    BatchProcessor::start(&Handle::current(), config, sender, &Batches::default())
}

fn shows(config: BatchConfig) -> (BatchProcessor<u32>, mpsc::UnboundedReceiver<Vec<u32>>) {
    let (sender, batches) = mpsc::unbounded_channel();
    (start(config, Shows(sender)), batches)
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_goes_at_once() {
    let config = BatchConfig {
        batch_max_size: 3,
        inactive_timeout: LONG,
        ..BatchConfig::default()
    };
    let (processor, mut batches) = shows(config);
    let start = Instant::now();
    (1..=7).for_each(|n| assert!(processor.push(n)));
    assert_eq!(batches.recv().await.unwrap(), [1, 2, 3]);
    assert_eq!(batches.recv().await.unwrap(), [4, 5, 6]);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(batches.recv().await.unwrap(), [7]);
}

#[tokio::test(start_paused = true)]
async fn silence_sends_what_there_is() {
    let (processor, mut batches) = shows(BatchConfig::default());
    let start = Instant::now();
    processor.push(1);
    time::sleep(Duration::from_secs(4)).await;
    processor.push(2);
    assert_eq!(batches.recv().await.unwrap(), [1, 2]);
    let waited = start.elapsed();
    assert!(
        waited >= Duration::from_secs(9) && waited < Duration::from_millis(9_010),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_steady_trickle_is_sent_by_age() {
    let (processor, mut batches) = shows(BatchConfig::default());
    let start = Instant::now();
    let trickle = async {
        loop {
            processor.push(1);
            time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = trickle => {}
        batch = batches.recv() => assert!(batch.unwrap().len() >= 60),
    }
    let waited = start.elapsed();
    assert!(
        waited >= Duration::from_secs(60) && waited < Duration::from_millis(60_010),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_side_that_never_answers_costs_bounded_memory() {
    let config = BatchConfig {
        batch_max_size: 10,
        max_pending_entries: 100,
        ..BatchConfig::default()
    };
    let processor = start(config, Silent);
    for n in 0..10_000 {
        processor.push(n);
        if n % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    time::sleep(LONG).await;
    let counts = processor.counts();
    assert_eq!(
        (counts.pending, counts.pending_bytes, counts.dropped),
        (100, 400, 9_900)
    );
    let end = processor.stop(Duration::from_secs(5)).await;
    assert_eq!(
        end,
        BatchCounts {
            failed: 100,
            dropped: 9_900,
            ..BatchCounts::default()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_batch_is_tried_again_as_often_as_configured() {
    let moody = Moody::default();
    let config = BatchConfig {
        batch_max_size: 1,
        max_retry_count: 2,
        ..BatchConfig::default()
    };
    let processor = start(config, moody.clone());
    processor.push(1);
    time::sleep(LONG).await;
    assert_eq!(moody.tries.load(Ordering::SeqCst), 3);
    assert_eq!(processor.counts().failed, 1);

    processor.push(2);
    time::sleep(Duration::from_millis(500)).await;
    moody.ready.store(true, Ordering::SeqCst);
    time::sleep(Duration::from_millis(600)).await;
    assert_eq!(
        processor.counts(),
        BatchCounts {
            sent: 1,
            failed: 1,
            ..BatchCounts::default()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn one_slow_answer_does_not_hold_up_the_rest() {
    struct FirstSticks(Arc<AtomicBool>, mpsc::UnboundedSender<u32>);
    impl BatchSender<u32> for FirstSticks {
        type Error = Infallible;
        async fn send(&self, entries: &[u32]) -> Result<Delivered, Infallible> {
            if !self.0.swap(true, Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            self.1.send(entries[0]).unwrap();
            Ok(Delivered::default())
        }
    }
    let (sender, mut sent) = mpsc::unbounded_channel();
    let config = BatchConfig {
        batch_max_size: 1,
        ..BatchConfig::default()
    };
    let processor = start(config, FirstSticks(Arc::default(), sender));
    (0..3).for_each(|n| assert!(processor.push(n)));
    let (a, b) = (sent.recv().await.unwrap(), sent.recv().await.unwrap());
    assert_eq!(a + b, 3);
}

#[tokio::test(start_paused = true)]
async fn stopping_sends_what_is_held_and_takes_no_more() {
    let (processor, mut batches) = shows(BatchConfig {
        batch_max_size: 2,
        ..BatchConfig::default()
    });
    let shared = Arc::clone(&processor.0);
    (1..=5).for_each(|n| assert!(processor.push(n)));
    let counts = processor.stop(Duration::from_secs(5)).await;
    assert_eq!(
        counts,
        BatchCounts {
            sent: 5,
            ..BatchCounts::default()
        }
    );
    let mut all = Vec::new();
    while let Ok(batch) = batches.try_recv() {
        all.extend(batch);
    }
    assert_eq!(all, [1, 2, 3, 4, 5]);
    assert!(!shared.push(6));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_processor_still_sends_and_then_ends() {
    let (processor, mut batches) = shows(BatchConfig::default());
    processor.push(1);
    drop(processor);
    assert_eq!(batches.recv().await.unwrap(), [1]);
    assert!(
        batches.recv().await.is_none(),
        "the worker and its sender are gone"
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_end_a_batch_as_entries_do() {
    let config = BatchConfig {
        batch_max_bytes: 8,
        ..BatchConfig::default()
    };
    let (processor, mut batches) = shows(config);
    let start = Instant::now();
    (1..=5).for_each(|n| assert!(processor.push(n)));
    assert_eq!(batches.recv().await.unwrap(), [1, 2]);
    assert_eq!(batches.recv().await.unwrap(), [3, 4]);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(batches.recv().await.unwrap(), [5]);
}

#[tokio::test(start_paused = true)]
async fn an_entry_beyond_the_size_of_a_batch_goes_alone() {
    let config = BatchConfig {
        batch_max_bytes: 3,
        ..BatchConfig::default()
    };
    let (processor, mut batches) = shows(config);
    (1..=2).for_each(|n| assert!(processor.push(n)));
    assert_eq!(batches.recv().await.unwrap(), [1]);
    assert_eq!(batches.recv().await.unwrap(), [2]);
}

#[tokio::test(start_paused = true)]
async fn bytes_held_are_bounded_by_processor_and_in_all() {
    let batches = Batches::with_budget(20);
    let config = BatchConfig {
        max_pending_bytes: 12,
        ..BatchConfig::default()
    };
    let start = || BatchProcessor::start(&Handle::current(), config.clone(), Silent, &batches);
    let (first, second) = (start(), start());
    let pushed = |processor: &BatchProcessor<u32>| (0..10).filter(|n| processor.push(*n)).count();
    assert_eq!((pushed(&first), pushed(&second)), (3, 2));
    first.stop(Duration::ZERO).await;
    assert_eq!(
        pushed(&second),
        1,
        "what is given up makes room, up to the processor's own bound"
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_other_side_will_never_take_counts_as_failed() {
    struct Picky;
    impl BatchSender<u32> for Picky {
        type Error = Infallible;
        async fn send(&self, entries: &[u32]) -> Result<Delivered, Infallible> {
            let refused = entries.iter().filter(|entry| **entry % 2 == 0).count();
            Ok(Delivered { refused })
        }
    }
    let processor = start(BatchConfig::default(), Picky);
    (1..=5).for_each(|n| assert!(processor.push(n)));
    let counts = processor.stop(LONG).await;
    assert_eq!((counts.sent, counts.failed), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn batches_of_a_sender_that_wants_order_go_one_by_one() {
    struct InOrder(mpsc::UnboundedSender<u32>);
    impl BatchSender<u32> for InOrder {
        const PARALLEL: usize = 1;
        type Error = Infallible;
        async fn send(&self, entries: &[u32]) -> Result<Delivered, Infallible> {
            // The first takes the longest.
            time::sleep(Duration::from_secs(10 - u64::from(entries[0]))).await;
            self.0.send(entries[0]).unwrap();
            Ok(Delivered::default())
        }
    }
    let (sender, mut sent) = mpsc::unbounded_channel();
    let config = BatchConfig {
        batch_max_size: 1,
        ..BatchConfig::default()
    };
    let processor = start(config, InOrder(sender));
    (1..=3).for_each(|n| assert!(processor.push(n)));
    for n in 1..=3 {
        assert_eq!(sent.recv().await, Some(n));
    }
}

#[tokio::test(start_paused = true)]
async fn all_processors_stop_together_within_the_grace() {
    let all = Batches::default();
    let (sender, mut batches) = mpsc::unbounded_channel();
    let good = BatchProcessor::start(&Handle::current(), BatchConfig::default(), Shows(sender), &all);
    let stuck = BatchProcessor::start(&Handle::current(), BatchConfig::default(), Silent, &all);
    assert!(good.push(1));
    assert!(stuck.push(2) && stuck.push(3));
    // One whose plugin is gone already, and which is still sending.
    let gone = BatchProcessor::start(&Handle::current(), BatchConfig::default(), Silent, &all);
    assert!(gone.push(4));
    drop(gone);

    let start = Instant::now();
    assert_eq!(all.stop(Duration::from_secs(5)).await, 3);
    assert!(start.elapsed() < Duration::from_millis(5_010));
    assert_eq!(batches.recv().await.unwrap(), [1]);
    assert!(!good.push(5));
}

#[tokio::test(start_paused = true)]
async fn metrics_show_what_is_held_by_name() {
    let all = Batches::default();
    let config = BatchConfig {
        name: "http logger".into(),
        route_id: "1".into(),
        server_addr: "127.0.0.1".into(),
        max_pending_entries: 3,
        ..BatchConfig::default()
    };
    let start = || BatchProcessor::start(&Handle::current(), config.clone(), Silent, &all);
    let (first, second) = (start(), start());
    (0..5).for_each(|n| {
        first.push(n);
    });
    second.push(1);
    let text = || {
        let mut out = Exposition::new("apisix_");
        all.collect(&mut out);
        out.finish()
    };
    let labels = "{name=\"http logger\",route_id=\"1\",server_addr=\"127.0.0.1\"}";
    let lost = "# HELP sluice_batch_lost_entries_total Log entries that batch processors lost.\n\
                # TYPE sluice_batch_lost_entries_total counter\n";
    assert_eq!(
        text(),
        format!(
            "# HELP apisix_batch_process_entries Log entries held by batch processors.\n\
             # TYPE apisix_batch_process_entries gauge\n\
             apisix_batch_process_entries{labels} 4\n\
             {lost}sluice_batch_lost_entries_total{labels} 2\n\
             # HELP sluice_batch_pending_bytes Bytes of log entries held by batch processors.\n\
             # TYPE sluice_batch_pending_bytes gauge\n\
             sluice_batch_pending_bytes{labels} 16\n"
        )
    );
    first.stop(Duration::ZERO).await;
    second.stop(Duration::ZERO).await;
    let after = format!("{lost}sluice_batch_lost_entries_total{labels} 6\n");
    assert_eq!(text(), after, "what was lost stays counted");
}
