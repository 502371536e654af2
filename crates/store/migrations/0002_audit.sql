-- Who changed what. `at` is unix milliseconds, `changes` JSON text without secrets. Rows only append; the oldest are
-- dropped, so ids are never used again.
CREATE TABLE audit (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    caller   TEXT NOT NULL,
    peer     TEXT,
    action   TEXT NOT NULL,
    key      TEXT NOT NULL,
    revision INTEGER,
    changes  TEXT NOT NULL
) STRICT;
