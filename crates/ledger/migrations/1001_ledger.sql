-- Versions are <format><number>. Within one format a migration only adds nullable columns, columns with a
-- default, or tables, so that the release before it goes on working on the same file.
--
-- Records are in one table per day, `records_<yyyymmdd>` (UTC), which the writer creates (src/partition.rs).

-- The names that many records have in common.
CREATE TABLE series (
    id             INTEGER PRIMARY KEY, -- 63 bits of the SHA-256 of the names
    last_day       INTEGER NOT NULL,    -- last day with a record, in days since 1970
    consumer       TEXT,
    consumer_group TEXT,
    credential     TEXT,
    route          TEXT,
    endpoint       TEXT,
    protocol       TEXT,
    provider       TEXT,
    instance       TEXT,
    model          TEXT
) STRICT;

-- Sums over the records of one hour, series and status class.
CREATE TABLE rollups (
    hour           INTEGER NOT NULL,    -- hours since 1970
    series         INTEGER NOT NULL,
    class          INTEGER NOT NULL,    -- 2 for status 200 to 299
    requests       INTEGER NOT NULL,
    errors         INTEGER NOT NULL,
    unpriced       INTEGER NOT NULL,    -- requests that used tokens of a model without a price
    input          INTEGER NOT NULL,    -- tokens, in disjoint buckets
    cache_read     INTEGER NOT NULL,
    cache_write    INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    audio_input    INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    reasoning      INTEGER NOT NULL,
    audio_output   INTEGER NOT NULL,
    cost_micros    INTEGER NOT NULL,    -- millionths of a US dollar
    duration_us    INTEGER NOT NULL,
    PRIMARY KEY (hour, series, class)
) STRICT, WITHOUT ROWID;

-- Up to which record the rollups are complete. The writer adds to them every few seconds; what a crash leaves out
-- is summed again from the records.
CREATE TABLE rolled_up (
    through INTEGER NOT NULL            -- seq of the last record in the rollups
) STRICT;
INSERT INTO rolled_up VALUES (0);
