-- A third role: whoever could do everything still can.
CREATE TABLE admin_users_3 (
    name          TEXT PRIMARY KEY NOT NULL,
    password_hash TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'viewer')),
    created_at    INTEGER NOT NULL DEFAULT (unixepoch()),
    login_at      INTEGER
) STRICT;
INSERT INTO admin_users_3 (name, password_hash, role, created_at)
    SELECT name, password_hash, iif(role = 'admin', 'owner', role), created_at FROM admin_users;
DROP TABLE admin_users;
ALTER TABLE admin_users_3 RENAME TO admin_users;

CREATE TABLE admin_keys_3 (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    role       TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'viewer')),
    hint       TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;
INSERT INTO admin_keys_3 (id, name, digest, role, hint, created_at)
    SELECT id, name, digest, iif(role = 'admin', 'owner', role), hint, created_at FROM admin_keys;
-- The id of a revoked key is not given out again.
DELETE FROM sqlite_sequence WHERE name = 'admin_keys_3';
INSERT INTO sqlite_sequence (name, seq) SELECT 'admin_keys_3', seq FROM sqlite_sequence WHERE name = 'admin_keys';
DROP TABLE admin_keys;
ALTER TABLE admin_keys_3 RENAME TO admin_keys;

-- Signed-in people. `digest` is the SHA-256 of what the cookie holds, `holder` whether `name` is a consumer who signed in
-- with its key and not a user. Times are unix milliseconds.
CREATE TABLE sessions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    name       TEXT NOT NULL,
    holder     INTEGER NOT NULL,
    credential TEXT,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    peer       TEXT,
    agent      TEXT
) STRICT;
CREATE INDEX sessions_by_name ON sessions (name);
