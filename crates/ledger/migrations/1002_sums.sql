-- What caches of answers did, per hour, series and status class.
ALTER TABLE rollups ADD COLUMN cache_exact INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN cache_semantic INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN cache_misses INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN cache_bypasses INTEGER NOT NULL DEFAULT 0;

-- The rollups of whole days: a report over months adds these and reads single hours at its ends only.
CREATE TABLE rollup_days (
    day            INTEGER NOT NULL,    -- days since 1970
    series         INTEGER NOT NULL,
    class          INTEGER NOT NULL,
    requests       INTEGER NOT NULL,
    errors         INTEGER NOT NULL,
    unpriced       INTEGER NOT NULL,
    input          INTEGER NOT NULL,
    cache_read     INTEGER NOT NULL,
    cache_write    INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    audio_input    INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    reasoning      INTEGER NOT NULL,
    audio_output   INTEGER NOT NULL,
    cost_micros    INTEGER NOT NULL,
    duration_us    INTEGER NOT NULL,
    cache_exact    INTEGER NOT NULL,
    cache_semantic INTEGER NOT NULL,
    cache_misses   INTEGER NOT NULL,
    cache_bypasses INTEGER NOT NULL,
    PRIMARY KEY (day, series, class)
) STRICT, WITHOUT ROWID;

-- The rollups of all series together, as series 0: what most pages begin with.
CREATE TABLE rollup_totals (
    hour           INTEGER NOT NULL,    -- hours since 1970
    series         INTEGER NOT NULL,
    class          INTEGER NOT NULL,
    requests       INTEGER NOT NULL,
    errors         INTEGER NOT NULL,
    unpriced       INTEGER NOT NULL,
    input          INTEGER NOT NULL,
    cache_read     INTEGER NOT NULL,
    cache_write    INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    audio_input    INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    reasoning      INTEGER NOT NULL,
    audio_output   INTEGER NOT NULL,
    cost_micros    INTEGER NOT NULL,
    duration_us    INTEGER NOT NULL,
    cache_exact    INTEGER NOT NULL,
    cache_semantic INTEGER NOT NULL,
    cache_misses   INTEGER NOT NULL,
    cache_bypasses INTEGER NOT NULL,
    PRIMARY KEY (hour, series, class)
) STRICT, WITHOUT ROWID;

-- How many requests of an hour took how long (src/latency.rs).
CREATE TABLE latencies (
    hour     INTEGER NOT NULL,
    kind     INTEGER NOT NULL,          -- 0 duration, 1 time to the first token
    bucket   INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    PRIMARY KEY (hour, kind, bucket)
) STRICT, WITHOUT ROWID;

-- From which day on days and totals are complete; that holds while days_through is `through`. A release that knows no days
-- moves `through` alone.
ALTER TABLE rolled_up ADD COLUMN days_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rolled_up ADD COLUMN days_through INTEGER NOT NULL DEFAULT 0;
