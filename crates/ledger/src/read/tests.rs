use sluice_record::{AiRecord, CacheOutcome, CacheUse, GuardHit, Record};
use tempfile::TempDir;

use super::*;
use crate::database::Database;
use crate::fixture::{MIDNIGHT, config, reader, record, rows};
use crate::seq::{DAY_US, HOUR_US};
use crate::{CacheFilter, Dimension, GroupBy, Period, UsageKey};

/// Records of some days and hours; ids count up. Half of them are not in the rollups yet, if so wished.
async fn ledger(rolled_up: bool) -> (TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let mut database = Database::open(&config(folder.path())).await.unwrap();
    let mut id = 0;
    for hour in [-30, -2, -1, 0, 1, 5] {
        let records: Vec<Record> = (0..10)
            .map(|number| {
                id += 1;
                let mut record = record(id);
                record.status = if number == 9 { 429 } else { 200 };
                record.consumer = Some(if number % 2 == 0 {
                    "alice".into()
                } else {
                    "bob".into()
                });
                record
            })
            .collect();
        let batch = rows(Seq(MIDNIGHT + hour * HOUR_US), &records);
        database.write(&batch).await.unwrap();
        if rolled_up || hour < 0 {
            database.roll_up().await.unwrap();
        }
    }
    (folder, database)
}

fn ids(page: &RecordPage) -> Vec<u128> {
    page.records.iter().map(|entry| entry.id.0).collect()
}

#[tokio::test]
async fn a_record_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = Database::open(&config(folder.path())).await.unwrap();
    let mut sent = record(7);
    let ai = sent.ai.as_mut().unwrap();
    ai.usage.cache_read = 500;
    ai.usage.reasoning = 33;
    database
        .write(&rows(Seq(MIDNIGHT), std::slice::from_ref(&sent)))
        .await
        .unwrap();
    let page = reader(database.sqlite())
        .records(&Filter::default(), None, 10)
        .await
        .unwrap();
    let [entry] = page.records.as_slice() else {
        panic!("{page:?}")
    };
    let ai = sent.ai.as_ref().unwrap();
    assert_eq!((entry.seq, entry.id), (Seq(MIDNIGHT), RequestId(7)));
    assert_eq!((entry.status, entry.started_us), (200, sent.started_us));
    assert_eq!((entry.duration_us, entry.ttft_us), (812_345, Some(210_000)));
    assert_eq!((entry.usage, entry.cost), (ai.usage, ai.cost));
    assert_eq!(entry.series.consumer.as_deref(), Some("alice"));
    assert_eq!(entry.series.model.as_deref(), Some("gpt-4o-mini"));
    assert_eq!(entry.series.endpoint.as_deref(), Some("/v1/chat/completions"));
    assert_eq!(entry.detail.request_bytes, 1430);
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn pages_are_newest_first_and_complete() {
    for rolled_up in [true, false] {
        let (_folder, database) = ledger(rolled_up).await;
        let reader = reader(database.sqlite());
        for limit in [1, 7, 10, 59, 60, 100] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page = reader.records(&Filter::default(), after, limit).await.unwrap();
                assert!(page.records.len() <= limit as usize);
                seen.extend(ids(&page));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(seen, (1..=60).rev().collect::<Vec<_>>(), "{limit} {rolled_up}");
        }
    }
}

#[tokio::test]
async fn filters_hold_together() {
    for rolled_up in [true, false] {
        let (_folder, database) = ledger(rolled_up).await;
        let reader = reader(database.sqlite());
        let read = async |filter: Filter| ids(&reader.records(&filter, None, 100).await.unwrap());

        let filter = Filter {
            status: Some(429..=429),
            ..Filter::default()
        };
        assert_eq!(read(filter).await, [60, 50, 40, 30, 20, 10]);
        let filter = Filter {
            status: Some(400..=599),
            consumer: vec!["bob".into()],
            since_us: Some(MIDNIGHT - HOUR_US),
            until_us: Some(MIDNIGHT + HOUR_US),
            ..Filter::default()
        };
        assert_eq!(read(filter.clone()).await, [40, 30]);
        let nobody = Filter {
            consumer: vec!["mallory".into()],
            ..Filter::default()
        };
        assert_eq!(read(nobody).await, [0; 0]);
        let alice = Filter {
            consumer: vec!["alice".into()],
            model: vec!["gpt-4o-mini".into()],
            until_us: Some(MIDNIGHT - 2 * HOUR_US + 3),
            ..Filter::default()
        };
        assert_eq!(read(alice).await, [13, 11, 9, 7, 5, 3, 1]);
    }
}

#[tokio::test]
async fn a_dropped_day_is_passed_over() {
    let (_folder, database) = ledger(true).await;
    sqlx::query("DROP TABLE records_20261119")
        .execute(database.sqlite().writer())
        .await
        .unwrap();
    let page = reader(database.sqlite())
        .records(&Filter::default(), None, 100)
        .await
        .unwrap();
    assert_eq!(page.records.len(), 40);
}

#[tokio::test]
async fn a_record_is_found_by_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = Database::open(&config(folder.path())).await.unwrap();
    let started_ms = (MIDNIGHT / 1000 - 2000) as u128;
    let records = [1, 2, 3].map(|number| record(started_ms << 80 | number));
    database.write(&rows(Seq(MIDNIGHT - 1), &records)).await.unwrap();
    let reader = reader(database.sqlite());
    for record in &records {
        let found = reader.record(record.id).await.unwrap();
        assert_eq!(found.map(|entry| entry.id), Some(record.id));
    }
    assert_eq!(
        reader.record(RequestId(started_ms << 80 | 4)).await.unwrap(),
        None
    );
    assert_eq!(reader.record(RequestId(u128::MAX)).await.unwrap(), None);
}

#[tokio::test]
async fn usage_is_divided_by_time_and_name() {
    let (_folder, database) = ledger(true).await;
    let reader = reader(database.sqlite());
    let all = Filter::default();
    let group = |period, dimension| GroupBy { period, dimension };

    let whole = reader.usage(&all, GroupBy::default(), None, 10).await.unwrap();
    assert_eq!(whole.len(), 1);
    assert_eq!((whole[0].totals.requests, whole[0].totals.errors), (60, 6));
    assert_eq!(whole[0].totals.usage.input, 60 * 812);

    let days = reader
        .usage(&all, group(Period::Day, None), None, 10)
        .await
        .unwrap();
    let days: Vec<_> = days
        .iter()
        .map(|row| (row.key.period_us, row.totals.requests))
        .collect();
    assert_eq!(
        days,
        [
            (MIDNIGHT - 2 * DAY_US, 10),
            (MIDNIGHT - DAY_US, 20),
            (MIDNIGHT, 30)
        ]
    );

    let classes = group(Period::Whole, Some(Dimension::StatusClass));
    let classes = reader.usage(&all, classes, None, 10).await.unwrap();
    let classes: Vec<_> = classes
        .iter()
        .map(|row| (row.key.name.as_str(), row.totals.requests))
        .collect();
    assert_eq!(classes, [("2xx", 54), ("4xx", 6)]);
}

#[tokio::test]
async fn reports_are_paged_by_their_key() {
    let (_folder, database) = ledger(true).await;
    let reader = reader(database.sqlite());
    let group = GroupBy {
        period: Period::Hour,
        dimension: Some(Dimension::Consumer),
    };
    let all = reader.usage(&Filter::default(), group, None, 100).await.unwrap();
    assert_eq!(all.len(), 12);
    let (mut paged, mut after) = (Vec::new(), None::<UsageKey>);
    loop {
        let page = reader
            .usage(&Filter::default(), group, after.as_ref(), 5)
            .await
            .unwrap();
        after = page.last().map(|row| row.key.clone());
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
    assert!(paged.is_sorted_by_key(|row| &row.key));
}

#[tokio::test]
async fn every_dimension_can_be_asked_for() {
    let (_folder, database) = ledger(true).await;
    let reader = reader(database.sqlite());
    let expected = [
        (Dimension::Consumer, "alice"),
        (Dimension::ConsumerGroup, "staff"),
        (Dimension::Credential, "alice-key"),
        (Dimension::Route, "chat"),
        (Dimension::Endpoint, "/v1/chat/completions"),
        (Dimension::Protocol, "openai-chat"),
        (Dimension::Provider, "openai"),
        (Dimension::Instance, "ai-proxy-openai"),
        (Dimension::Model, "gpt-4o-mini"),
        (Dimension::StatusClass, "2xx"),
    ];
    for (dimension, name) in expected {
        let group = GroupBy {
            period: Period::Whole,
            dimension: Some(dimension),
        };
        let rows = reader.usage(&Filter::default(), group, None, 10).await.unwrap();
        assert_eq!(rows[0].key.name, name);
    }
}

#[tokio::test]
async fn hours_are_taken_whole() {
    let (_folder, database) = ledger(true).await;
    let filter = Filter {
        since_us: Some(MIDNIGHT + 5),
        until_us: Some(MIDNIGHT + HOUR_US + 1),
        ..Filter::default()
    };
    let rows = reader(database.sqlite())
        .usage(&filter, GroupBy::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(rows[0].totals.requests, 20);
}

#[tokio::test]
async fn nothing_can_be_read_while_the_database_is_away() {
    let reader = LedgerReader::new(SharedSqlite::default());
    let error = reader.records(&Filter::default(), None, 1).await.unwrap_err();
    assert!(matches!(error, LedgerError::Unavailable));
}

/// What a filter finds, page by page.
async fn found(reader: &LedgerReader, filter: &Filter, limit: u32) -> Vec<u128> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = reader.records(filter, after, limit).await.unwrap();
        seen.extend(ids(&page));
        assert!(page.next.is_none() || page.next != after, "no progress");
        after = page.next;
        if after.is_none() {
            return seen;
        }
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
async fn records_are_found_by_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = Database::open(&config(folder.path())).await.unwrap();
    let mut records: Vec<Record> = (1..=8).map(record).collect();
    for record in &mut records {
        record.ai.as_mut().unwrap().stream = record.id.0 == 8;
    }
    let use_of = |outcome| {
        Some(CacheUse {
            outcome,
            embedding_us: None,
        })
    };
    let ai = |record: &mut Record, change: fn(&mut AiRecord)| change(record.ai.as_mut().unwrap());
    ai(&mut records[0], |ai| ai.has_tool_calls = true);
    // A text that looks like a mark of ours is none.
    ai(&mut records[1], |ai| {
        ai.end_user = Some(r#""called":true"#.into())
    });
    records[2].cache = use_of(CacheOutcome::Exact);
    records[3].cache = use_of(CacheOutcome::Semantic);
    records[4].cache = use_of(CacheOutcome::Miss);
    ai(&mut records[5], |ai| {
        let hit = GuardHit {
            rule: "No_100%".into(),
            action: "mask",
            direction: "request",
            count: 2,
        };
        ai.guard = Some([hit].into());
    });
    ai(&mut records[6], |ai| ai.guard = Some([].into()));
    records[7].error = Some("upstream_timeout");
    database.write(&rows(Seq(MIDNIGHT), &records)).await.unwrap();
    database.roll_up().await.unwrap();
    let reader = reader(database.sqlite());
    let text = |text: &str| Filter {
        text: Some(text.into()),
        ..Filter::default()
    };
    let cache = |cache| Filter {
        cache: Some(cache),
        ..Filter::default()
    };
    let all = Filter::default;
    for (filter, wanted) in [
        (
            Filter {
                tool_calls: Some(true),
                ..all()
            },
            vec![1],
        ),
        (
            Filter {
                tool_calls: Some(false),
                ..all()
            },
            vec![8, 7, 6, 5, 4, 3, 2],
        ),
        (
            Filter {
                stream: Some(true),
                ..all()
            },
            vec![8],
        ),
        (
            Filter {
                guard: Some(true),
                ..all()
            },
            vec![6],
        ),
        (
            Filter {
                guard: Some(false),
                ..all()
            },
            vec![8, 7, 5, 4, 3, 2, 1],
        ),
        (cache(CacheFilter::Hit), vec![4, 3]),
        (cache(CacheFilter::Exact), vec![3]),
        (cache(CacheFilter::Semantic), vec![4]),
        (cache(CacheFilter::Miss), vec![5]),
        (cache(CacheFilter::Bypass), vec![]),
        (text("UPSTREAM_T"), vec![8]),
        (text("100%"), vec![6]),
        (text("no!100"), vec![]),
        (text("o_1"), vec![6]),
        (text(r#""CALLED":t"#), vec![2]),
        (text("agent"), vec![]),
        (text("10.1.2.3"), vec![8, 7, 6, 5, 4, 3, 2, 1]),
        (text("alice-"), vec![8, 7, 6, 5, 4, 3, 2, 1]),
        (
            Filter {
                text: Some("Timeout".into()),
                stream: Some(false),
                ..all()
            },
            vec![],
        ),
        (
            Filter {
                consumer: vec!["bob".into(), "alice".into()],
                ..text("gpt")
            },
            vec![8, 7, 6, 5, 4, 3, 2, 1],
        ),
    ] {
        for limit in [1, 3, 100] {
            assert_eq!(found(&reader, &filter, limit).await, wanted, "{filter:?} {limit}");
        }
    }
}

/// However little time a page has, and whether days have their indexes or not, everything is found once.
#[tokio::test]
async fn pages_end_in_time_and_go_on_there() {
    for rolled_up in [true, false] {
        let (folder, database) = ledger(rolled_up).await;
        let reader = reader(database.sqlite());
        let hurried = reader.clone().with_scan_time(Duration::ZERO);
        let filters = [
            Filter {
                consumer: vec!["bob".into()],
                ..Filter::default()
            },
            Filter {
                status: Some(429..=429),
                ..Filter::default()
            },
            Filter {
                text: Some("nowhere".into()),
                ..Filter::default()
            },
            Filter {
                consumer: vec!["alice".into()],
                since_us: Some(MIDNIGHT - 2 * HOUR_US),
                until_us: Some(MIDNIGHT + 5),
                stream: Some(true),
                ..Filter::default()
            },
        ];
        let mut before = Vec::new();
        for filter in &filters {
            let all = found(&reader, filter, 1000).await;
            assert_eq!(found(&hurried, filter, 7).await, all, "{filter:?}");
            before.push(all);
        }
        assert_eq!((before[0].len(), before[1].len(), before[2].len()), (30, 6, 0));
        let days = Seq(MIDNIGHT).day() + 1;
        crate::retention::apply(database.sqlite(), &config(folder.path()), days)
            .await
            .unwrap();
        for (filter, before) in filters.iter().zip(before) {
            assert_eq!(found(&reader, filter, 7).await, before, "{filter:?}");
            assert_eq!(found(&hurried, filter, 7).await, before, "{filter:?}");
        }
    }
}

/// Sums of days, totals and hours say the same.
#[tokio::test]
async fn reports_are_the_same_from_whichever_sums() {
    let (_folder, database) = ledger(true).await;
    let reader = reader(database.sqlite());
    let mut reports = Vec::new();
    for since in [
        None,
        Some(MIDNIGHT - 31 * HOUR_US),
        Some(MIDNIGHT - DAY_US),
        Some(MIDNIGHT + 1),
    ] {
        for until in [
            None,
            Some(MIDNIGHT),
            Some(MIDNIGHT + DAY_US),
            Some(MIDNIGHT + 2 * HOUR_US),
        ] {
            for consumer in [vec![], vec!["bob".to_owned()]] {
                for status in [None, Some(200..=299)] {
                    for period in [Period::Whole, Period::Hour, Period::Day, Period::Month] {
                        for dimension in [None, Some(Dimension::Consumer), Some(Dimension::StatusClass)] {
                            let filter = Filter {
                                since_us: since,
                                until_us: until,
                                consumer: consumer.clone(),
                                status: status.clone(),
                                ..Filter::default()
                            };
                            reports.push((filter, GroupBy { period, dimension }));
                        }
                    }
                }
            }
        }
    }
    let read = async || {
        let mut all = Vec::new();
        for (filter, group) in &reports {
            all.push(reader.usage(filter, *group, None, 1000).await.unwrap());
        }
        all
    };
    let quick = read().await;
    assert_eq!(quick[0][0].totals.requests, 60);
    // As a release leaves it that knows hours only.
    sqlx::query("UPDATE rolled_up SET days_through = 0")
        .execute(database.sqlite().writer())
        .await
        .unwrap();
    for ((report, quick), slow) in reports.iter().zip(quick).zip(read().await) {
        assert_eq!(quick, slow, "{report:?}");
    }
}

#[tokio::test]
async fn months_are_those_of_the_calendar() {
    let (_folder, database) = ledger(true).await;
    let by_month = GroupBy {
        period: Period::Month,
        dimension: None,
    };
    let rows = reader(database.sqlite())
        .usage(&Filter::default(), by_month, None, 10)
        .await
        .unwrap();
    assert_eq!((rows.len(), rows[0].totals.requests), (1, 60));
    // 2026-11-01T00:00:00Z.
    assert_eq!(rows[0].key.period_us, MIDNIGHT - 19 * DAY_US);
}

#[tokio::test]
async fn latency_is_counted_or_sampled() {
    let (_folder, database) = ledger(true).await;
    let reader = reader(database.sqlite());
    let all = reader.latency(&Filter::default()).await.unwrap();
    let bob = Filter {
        consumer: vec!["bob".into()],
        ..Filter::default()
    };
    let sampled = reader.latency(&bob).await.unwrap();
    assert_eq!(
        (sampled.p50_us, sampled.ttft_p50_us),
        (Some(812_345), Some(210_000))
    );
    let near = |shown: Option<i64>, wanted: i64| (shown.unwrap() - wanted).abs() * 14 <= wanted;
    assert!(
        near(all.p99_us, 812_345) && near(all.ttft_p50_us, 210_000),
        "{all:?}"
    );
    let before = Filter {
        until_us: Some(MIDNIGHT - 10 * DAY_US),
        ..Filter::default()
    };
    assert_eq!(reader.latency(&before).await.unwrap(), crate::Latency::default());
}

#[tokio::test]
async fn who_was_seen_when_is_known_to_the_hour() {
    let (_folder, database) = ledger(true).await;
    let reader = reader(database.sqlite());
    let hour = |us: i64| us / 1000;
    let wanted =
        |at: i64| ["alice", "bob"].map(|name| (name.to_owned(), Some("alice-key".to_owned()), hour(at)));
    assert_eq!(
        reader.last_seen(MIDNIGHT).await.unwrap(),
        wanted(MIDNIGHT + 5 * HOUR_US)
    );
    assert_eq!(
        reader.last_seen(MIDNIGHT + DAY_US).await.unwrap(),
        wanted(MIDNIGHT)
    );
}
