use std::borrow::Cow;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType};
use tempfile::TempDir;

use super::*;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    (folder, path)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn migrator(versions: &[(i64, &'static str)]) -> Migrator {
    let migrations = versions
        .iter()
        .map(|&(version, sql)| {
            Migration::new(
                version,
                Cow::Borrowed("test"),
                MigrationType::Simple,
                sql.into_sql_str(),
                false,
            )
        })
        .collect();
    Migrator::with_migrations(migrations)
}

const NOTES: (i64, &str) = (1, "CREATE TABLE note (text TEXT NOT NULL UNIQUE) STRICT");

async fn notes(path: &Path) -> Sqlite {
    let db = Sqlite::open(&SqliteOptions::new(path)).await.unwrap();
    db.migrate(&migrator(&[NOTES])).await.unwrap();
    db
}

async fn insert(db: &Sqlite, text: &str) -> Result<(), SqlError> {
    let result = sqlx::query("INSERT INTO note VALUES (?)")
        .bind(text)
        .execute(db.writer())
        .await;
    result.map(drop).map_err(|error| db.error(error))
}

async fn count(db: &Sqlite) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM note")
        .fetch_one(db.reader())
        .await
        .unwrap()
}

#[tokio::test]
async fn pragmas_are_as_promised() {
    let (_folder, path) = folder();
    for (durability, synchronous) in [(Durability::Full, 2), (Durability::Normal, 1)] {
        let db = Sqlite::open(&SqliteOptions {
            durability,
            ..SqliteOptions::new(&path)
        })
        .await
        .unwrap();
        assert_eq!(db.scalar::<i64>("PRAGMA synchronous").await.unwrap(), synchronous);
        assert_eq!(db.scalar::<String>("PRAGMA journal_mode").await.unwrap(), "wal");
        assert_eq!(db.scalar::<i64>("PRAGMA foreign_keys").await.unwrap(), 1);
        assert_eq!(db.scalar::<i64>("PRAGMA busy_timeout").await.unwrap(), 5000);
        assert_eq!(db.scalar::<i64>("PRAGMA cache_size").await.unwrap(), -1024);
        db.close().await;
    }
}

#[tokio::test]
async fn files_are_private_to_their_owner() {
    let (_folder, path) = folder();
    let db = notes(&path).await;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&file_beside(&path, "-wal")), 0o600);
    db.close().await;

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    notes(&path).await.close().await;
    assert_eq!(mode(&path), 0o600);
}

fn file_beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

#[tokio::test]
async fn committed_rows_are_there_after_reopening() {
    let (_folder, path) = folder();
    let db = notes(&path).await;
    insert(&db, "kept").await.unwrap();
    let mut tx = db.begin_write().await.unwrap();
    sqlx::query("INSERT INTO note VALUES ('dropped')")
        .execute(&mut *tx)
        .await
        .unwrap();
    drop(tx);
    db.close().await;
    assert_eq!(count(&notes(&path).await).await, 1);
}

#[tokio::test]
async fn readers_cannot_write() {
    let (_folder, path) = folder();
    let db = notes(&path).await;
    let refused = sqlx::query("INSERT INTO note VALUES ('x')")
        .execute(db.reader())
        .await
        .unwrap_err();
    assert!(matches!(db.error(refused), SqlError::Unreadable { .. }));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_damaged() {
    let (_folder, path) = folder();
    std::fs::write(
        &path,
        "this is a text file, and a rather long one at that\n".repeat(100),
    )
    .unwrap();
    let error = Sqlite::open(&SqliteOptions::new(&path)).await.unwrap_err();
    assert!(
        matches!(&error, SqlError::Damaged { path: at, .. } if *at == path),
        "{error}"
    );
}

#[tokio::test]
async fn an_overwritten_page_is_damage() {
    let (_folder, path) = folder();
    let db = notes(&path).await;
    for number in 0..2000 {
        insert(&db, &format!("a note of some length, number {number}"))
            .await
            .unwrap();
    }
    db.close().await;

    let mut bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 5 * 4096);
    bytes[3 * 4096..4 * 4096].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();

    let error = Sqlite::open(&SqliteOptions::new(&path)).await.unwrap_err();
    assert!(matches!(error, SqlError::Damaged { .. }), "{error}");
    let unchecked = SqliteOptions {
        integrity: IntegrityCheck::Schema,
        ..SqliteOptions::new(&path)
    };
    Sqlite::open(&unchecked).await.unwrap();
}

#[tokio::test]
async fn a_truncated_file_is_damaged() {
    let (_folder, path) = folder();
    let db = notes(&path).await;
    db.close().await;
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = Sqlite::open(&SqliteOptions::new(&path)).await.unwrap_err();
    assert!(matches!(error, SqlError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_folder_or_a_missing_folder_is_unreadable() {
    let (folder, path) = folder();
    for path in [folder.path().to_owned(), path.join("missing").join("test.db")] {
        let before = mode(folder.path());
        let error = Sqlite::open(&SqliteOptions::new(&path)).await.unwrap_err();
        assert!(matches!(error, SqlError::Unreadable { .. }), "{error}");
        assert_eq!(mode(folder.path()), before);
    }
}

#[tokio::test]
async fn a_lock_held_elsewhere_is_reported_after_the_timeout() {
    let (_folder, path) = folder();
    let holder = notes(&path).await;
    let options = SqliteOptions {
        busy_timeout: Duration::from_millis(20),
        ..SqliteOptions::new(&path)
    };
    let other = Sqlite::open(&options).await.unwrap();

    let held = holder.begin_write().await.unwrap();
    let error = other.begin_write().await.unwrap_err();
    assert!(matches!(error, SqlError::Locked { .. }), "{error}");
    assert_eq!(count(&other).await, 0, "readers do not wait");
    drop(held);
    let _free = holder.begin_write().await.unwrap();
}

#[tokio::test]
async fn many_may_create_and_migrate_one_file_at_once() {
    let (_folder, path) = folder();
    let opened: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            tokio::spawn(async move { notes(&path).await })
        })
        .collect();
    for (number, task) in opened.into_iter().enumerate() {
        let db = task.await.unwrap();
        insert(&db, &number.to_string()).await.unwrap();
    }
    assert_eq!(count(&notes(&path).await).await, 8);
}

#[tokio::test]
async fn migrations_run_once_and_a_later_schema_is_refused() {
    let (_folder, path) = folder();
    let later = migrator(&[NOTES, (2, "CREATE TABLE later (x INTEGER) STRICT")]);
    let db = notes(&path).await;
    db.migrate(&later).await.unwrap();
    db.migrate(&later).await.unwrap();

    let error = db.migrate(&migrator(&[NOTES])).await.unwrap_err();
    assert!(
        matches!(error, SqlError::NewerSchema { version: 2, .. }),
        "{error}"
    );
    let changed = migrator(&[(1, "CREATE TABLE other (x INTEGER)"), (2, "SELECT 1")]);
    let error = db.migrate(&changed).await.unwrap_err();
    assert!(matches!(error, SqlError::Schema { .. }), "{error}");
}

#[tokio::test]
async fn a_failing_migration_leaves_nothing_behind() {
    let (_folder, path) = folder();
    let db = notes(&path).await;
    let broken = migrator(&[
        NOTES,
        (2, "CREATE TABLE second (x INTEGER)"),
        (3, "CREATE NONSENSE"),
    ]);
    assert!(matches!(
        db.migrate(&broken).await.unwrap_err(),
        SqlError::Query { .. }
    ));
    let tables: i64 = db
        .scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'second'")
        .await
        .unwrap();
    assert_eq!(tables, 0);
}

#[tokio::test]
async fn a_full_disk_is_its_own_error_and_passes() {
    let (_folder, path) = folder();
    let db = notes(&path).await;
    let pages: i64 = db.scalar("PRAGMA page_count").await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}")))
        .execute(db.writer())
        .await
        .unwrap();
    let long = "x".repeat(100_000);
    let error = insert(&db, &long).await.unwrap_err();
    assert!(matches!(error, SqlError::DiskFull { .. }), "{error}");

    sqlx::query("PRAGMA max_page_count = 100000")
        .execute(db.writer())
        .await
        .unwrap();
    insert(&db, &long).await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_itself_does_not_block_the_next() {
    let (_folder, path) = folder();
    let db = notes(&path).await;
    let mut tx = db.begin_write().await.unwrap();
    sqlx::query("ROLLBACK").execute(&mut *tx).await.unwrap();
    drop(tx);

    let mut tx = db.begin_write().await.unwrap();
    sqlx::query("INSERT INTO note VALUES ('after')")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&db).await, 1);
}
