//! The store in a SQLite file.
//!
//! Readers have connections of their own. Every write goes through one task, the [`Writer`], which therefore
//! announces changes in the order of their revisions, and finishes a write whose caller has gone away.

mod batch;
mod rows;
mod writer;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sluice_sql::Sqlite;
use tokio::sync::{mpsc, oneshot};

use self::writer::{Command, Writer};
use crate::backend::{Backend, Record, RecordWrite, Records};
use crate::clock::Clock;
use crate::feed::Feed;
use crate::watch::HistoryLimits;
use crate::{Committed, StoreError};

/// Writes that may wait for the one under way; further callers wait for a place.
const QUEUE: usize = 64;

/// The numbers that tests choose smaller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tuning {
    /// What is kept for watchers that lag.
    pub(crate) history: HistoryLimits,
    /// Deletions kept for other processes that lag.
    pub(crate) tombstones: u32,
}

impl Default for Tuning {
    fn default() -> Self {
        let history = HistoryLimits {
            events: 4096,
            bytes: 16 << 20,
        };
        Self {
            history,
            tombstones: 10_000,
        }
    }
}

pub(crate) struct SqliteBackend {
    sql: Sqlite,
    commands: mpsc::Sender<Command>,
}

impl SqliteBackend {
    /// Removes what has expired in the meantime, and starts the writer.
    pub(crate) async fn start(
        sql: Sqlite,
        feed: Feed,
        clock: Arc<dyn Clock>,
        tuning: Tuning,
    ) -> Result<Self, StoreError> {
        let (commands, queue) = mpsc::channel(QUEUE);
        let writer = Writer::start(sql.clone(), feed, clock, tuning).await?;
        tokio::spawn(writer.run(queue));
        Ok(Self { sql, commands })
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)
    }

    async fn list(&self, prefix: &str) -> Result<Records, StoreError> {
        let mut tx = self.sql.begin_read().await?;
        let read = async {
            let revision = rows::revision(&mut tx).await?.current;
            sqlx::Result::Ok(Records {
                records: rows::list(&mut tx, prefix).await?,
                revision,
            })
        };
        read.await.map_err(|error| self.sql.error(error).into())
    }
}

impl Backend for SqliteBackend {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Record>, StoreError>> {
        let record = async {
            rows::get(self.sql.reader(), key)
                .await
                .map_err(|error| self.sql.error(error).into())
        };
        record.boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Records, StoreError>> {
        self.list(prefix).boxed()
    }

    fn commit(&self, writes: Vec<RecordWrite>) -> BoxFuture<'_, Result<Committed, StoreError>> {
        async { self.ask(|reply| Command::Commit { writes, reply }).await? }.boxed()
    }

    fn take_revision(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        async { self.ask(|reply| Command::TakeRevision { reply }).await? }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            // An error says that it is closed already.
            self.ask(|reply| Command::Close { reply }).await.ok();
        }
        .boxed()
    }
}
