-- One row: the revision of the latest write, and the latest revision whose deletions may be gone from `deleted`.
CREATE TABLE revision (
    id        INTEGER PRIMARY KEY CHECK (id = 0),
    current   INTEGER NOT NULL,
    compacted INTEGER NOT NULL
) STRICT;
INSERT INTO revision (id, current, compacted) VALUES (0, 0, 0);

-- Configuration items. `value` is JSON text with secret fields encrypted, `expires_at` unix milliseconds.
CREATE TABLE items (
    key             TEXT PRIMARY KEY NOT NULL,
    value           TEXT NOT NULL,
    create_revision INTEGER NOT NULL,
    mod_revision    INTEGER NOT NULL,
    expires_at      INTEGER
) STRICT;
CREATE INDEX items_by_mod_revision ON items (mod_revision);
CREATE INDEX items_by_expiry ON items (expires_at) WHERE expires_at IS NOT NULL;

-- The latest deletions, oldest first, for other processes that have this file open.
CREATE TABLE deleted (
    id       INTEGER PRIMARY KEY,
    key      TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
CREATE INDEX deleted_by_revision ON deleted (revision);

CREATE TABLE meta (
    key   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- `created_at` is unix seconds.
CREATE TABLE admin_users (
    name          TEXT PRIMARY KEY NOT NULL,
    password_hash TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('admin', 'viewer')),
    created_at    INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

-- AUTOINCREMENT, so that the id of a revoked key never names another one.
CREATE TABLE admin_keys (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    role       TEXT NOT NULL CHECK (role IN ('admin', 'viewer')),
    hint       TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;
