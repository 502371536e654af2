//! The task through which all writes go, and that looks for what others have written.

use std::sync::Arc;
use std::time::Duration;

use sluice_sql::{Sqlite, SqliteTransaction};
use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot};

use super::batch::{Batch, Refusal};
use super::rows::Revision;
use super::{Tuning, rows};
use crate::backend::{RecordChange, RecordWrite};
use crate::clock::Clock;
use crate::feed::Feed;
use crate::{Committed, StoreError};

/// How often the file is asked whether another process has changed it.
const POLL: Duration = Duration::from_millis(500);

/// Most items that one transaction lets expire, so that writes do not wait long.
const EXPIRE_AT_ONCE: u32 = 256;

/// What the writer is asked to do.
pub(super) enum Command {
    Commit {
        writes: Vec<RecordWrite>,
        reply: oneshot::Sender<Result<Committed, StoreError>>,
    },
    TakeRevision {
        reply: oneshot::Sender<Result<u64, StoreError>>,
    },
    Close {
        reply: oneshot::Sender<()>,
    },
}

pub(super) struct Writer {
    sql: Sqlite,
    feed: Feed,
    clock: Arc<dyn Clock>,
    tuning: Tuning,
    /// Everything up to this revision has been announced.
    announced: u64,
    /// SQLite's mark of the state that was last looked at; nothing when it has to be looked at in any case.
    data_version: Option<i64>,
    /// When the next item expires, in unix milliseconds.
    next_expiry: Option<u64>,
    /// Whether the latest background work failed.
    failing: bool,
}

/// The changes of a transaction that is not committed yet.
struct Pending {
    changes: Vec<RecordChange>,
    revision: u64,
}

/// What others have written.
struct News {
    revision: u64,
    /// Nothing when the changes can no longer be told one by one.
    changes: Option<Vec<RecordChange>>,
    next_expiry: Option<u64>,
}

impl Writer {
    pub(super) async fn start(
        sql: Sqlite,
        feed: Feed,
        clock: Arc<dyn Clock>,
        tuning: Tuning,
    ) -> Result<Self, StoreError> {
        let mut tx = sql.begin_read().await?;
        let read =
            async { sqlx::Result::Ok((rows::revision(&mut tx).await?, rows::next_expiry(&mut tx).await?)) };
        let (revision, next_expiry) = read.await.map_err(|error| sql.error(error))?;
        drop(tx);

        feed.reset(revision.current);
        let announced = revision.current;
        let mut writer = Self {
            sql,
            feed,
            clock,
            tuning,
            announced,
            data_version: None,
            next_expiry,
            failing: false,
        };
        while writer.expire().await? {}
        Ok(writer)
    }

    /// Works until it is told to stop, or all who could ask it for something are gone.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            let pause = self.clock.sleep(self.pause());
            let command = tokio::select! {
                command = commands.recv() => command,
                () = pause => {
                    self.tick().await;
                    continue;
                }
            };
            // Somebody who no longer waits for an answer is no reason to stop.
            match command {
                Some(Command::Commit { writes, reply }) => {
                    reply.send(self.commit(writes).await).ok();
                }
                Some(Command::TakeRevision { reply }) => {
                    reply.send(self.take_revision().await).ok();
                }
                Some(Command::Close { reply }) => {
                    drop(self);
                    reply.send(()).ok();
                    return;
                }
                None => return,
            }
        }
    }

    fn pause(&self) -> Duration {
        match self.next_expiry {
            Some(at) if !self.failing => {
                Duration::from_millis(at.saturating_sub(self.clock.now_ms())).min(POLL)
            }
            _ => POLL,
        }
    }

    async fn tick(&mut self) {
        let result = match self.poll().await {
            Ok(()) => self.expire().await.map(drop),
            Err(error) => Err(error),
        };
        match &result {
            Err(error) if !self.failing => tracing::warn!(%error, "configuration store cannot be watched"),
            Ok(()) if self.failing => tracing::info!("configuration store can be watched again"),
            _ => {}
        }
        self.failing = result.is_err();
    }

    /// Looks for changes of other processes.
    async fn poll(&mut self) -> Result<(), StoreError> {
        let mut tx = self
            .sql
            .writer()
            .begin()
            .await
            .map_err(|error| self.sql.error(error))?;
        let version = rows::data_version(&mut tx)
            .await
            .map_err(|error| self.sql.error(error))?;
        if self.data_version != Some(version) {
            self.catch_up(&mut tx).await?;
            self.data_version = Some(version);
        }
        Ok(())
    }

    /// Lets items expire whose time has come. Returns whether there may be more of them.
    async fn expire(&mut self) -> Result<bool, StoreError> {
        let now = self.clock.now_ms();
        if self.next_expiry.is_none_or(|at| at > now) {
            return Ok(false);
        }
        let mut tx = self.begin().await?;
        let pending = self
            .delete_expired(&mut tx, now)
            .await
            .map_err(|error| self.sql.error(error))?;
        self.finish(tx, pending).await?;
        Ok(true)
    }

    async fn delete_expired(&self, tx: &mut SqliteConnection, now_ms: u64) -> sqlx::Result<Pending> {
        let mut pending = Pending {
            changes: Vec::new(),
            revision: self.announced,
        };
        for key in rows::expired(tx, now_ms, EXPIRE_AT_ONCE).await? {
            pending.revision += 1;
            let revision = pending.revision;
            rows::delete(tx, &key, revision).await?;
            pending.changes.push(RecordChange::Delete { key, revision });
        }
        Ok(pending)
    }

    async fn take_revision(&mut self) -> Result<u64, StoreError> {
        let tx = self.begin().await?;
        let revision = self.announced + 1;
        self.finish(
            tx,
            Pending {
                changes: Vec::new(),
                revision,
            },
        )
        .await?;
        Ok(revision)
    }

    async fn commit(&mut self, writes: Vec<RecordWrite>) -> Result<Committed, StoreError> {
        let mut tx = self.begin().await?;
        let mut batch = Batch::new(self.announced + 1, self.clock.now_ms());
        for write in writes {
            match batch.apply(&mut tx, write).await {
                Ok(()) => {}
                Err(Refusal::Conflict { key }) => return Err(StoreError::Conflict { key }),
                Err(Refusal::Sql(error)) => return Err(self.sql.error(error).into()),
            }
        }
        let Batch {
            changes,
            existed,
            revision,
            ..
        } = batch;
        if !changes.is_empty() {
            self.finish(tx, Pending { changes, revision }).await?;
        }
        Ok(Committed {
            revision: self.announced,
            existed,
        })
    }

    /// Takes the write lock and announces what others have written until then, so that the next revision is
    /// `announced + 1`.
    async fn begin(&mut self) -> Result<SqliteTransaction, StoreError> {
        let mut tx = self.sql.begin_write().await?;
        self.catch_up(&mut tx).await?;
        Ok(tx)
    }

    /// Commits, then announces.
    async fn finish(&mut self, mut tx: SqliteTransaction, pending: Pending) -> Result<(), StoreError> {
        let Pending { changes, revision } = pending;
        let close = async {
            if changes
                .iter()
                .any(|change| matches!(change, RecordChange::Delete { .. }))
            {
                rows::trim_deleted(&mut tx, self.tuning.tombstones).await?;
            }
            rows::set_revision(&mut tx, revision).await?;
            let next_expiry = rows::next_expiry(&mut tx).await?;
            tx.commit().await?;
            sqlx::Result::Ok(next_expiry)
        };
        match close.await {
            Ok(next_expiry) => self.next_expiry = next_expiry,
            Err(error) => {
                // It may be stored all the same; the mark does not change by commits of this connection.
                self.data_version = None;
                return Err(self.sql.error(error).into());
            }
        }
        self.announced = revision;
        self.feed.publish(changes);
        Ok(())
    }

    /// Announces what is committed but was not announced yet.
    async fn catch_up(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let news = self
            .news(connection)
            .await
            .map_err(|error| self.sql.error(error))?;
        let Some(News {
            revision,
            changes,
            next_expiry,
        }) = news
        else {
            return Ok(());
        };
        match changes {
            Some(changes) => self.feed.publish(changes),
            None => self.feed.reset(revision),
        }
        self.announced = revision;
        self.next_expiry = next_expiry;
        Ok(())
    }

    async fn news(&self, connection: &mut SqliteConnection) -> sqlx::Result<Option<News>> {
        let Revision { current, compacted } = rows::revision(connection).await?;
        if current == self.announced {
            return Ok(None);
        }
        let mut changes = None;
        if current > self.announced && compacted <= self.announced {
            let most = self.tuning.history.events;
            // One more than can be told, to see whether that is all.
            let found = rows::changes(connection, self.announced, most + 1).await?;
            changes = Some(found).filter(|found| found.len() <= most);
        }
        let next_expiry = rows::next_expiry(connection).await?;
        Ok(Some(News {
            revision: current,
            changes,
            next_expiry,
        }))
    }
}
