-- What PostgreSQL is asked besides the named statements, and the frames that those stand in.
-- In braces: the statement itself and what its parameters and columns are called.

-- name: as_guard
-- A guard that finds nothing undoes the whole write, and nobody has to ask in between.
WITH guarded AS ({statement})
SELECT CASE WHEN count(*) = 0 THEN weft_refuse('{name}') END FROM guarded;

-- name: as_many
-- The first row of a query for each of many parameters, which come as arrays: what many requests
-- ask at the same moment is one query.
SELECT asked.ordinality, found.*
FROM unnest({arrays}) WITH ORDINALITY AS asked ({parameters})
CROSS JOIN LATERAL (SELECT * FROM ({statement}) AS answer LIMIT 1) AS found;

-- name: as_rows
-- One insert for the rows of many writes, which come as arrays.
{insert} SELECT {parameters} FROM unnest({arrays}) AS asked ({parameters});

-- name: as_page
-- Rows until the texts of the last column exceed a limit of bytes, but one at least; and how many
-- there would have been. The length of a long text is known without reading it.
SELECT answer.*
FROM (SELECT found.*, count(*) OVER () AS all_rows, row_number() OVER () AS nth,
             sum(octet_length(found.{column})) OVER (ROWS UNBOUNDED PRECEDING) AS bytes
      FROM ({statement}) AS found) AS answer
WHERE answer.bytes <= {limit} OR answer.nth = 1;

-- name: settings
-- Of every connection. Plans are made once and by our indexes: never by a bound value, nor by what
-- a table held when a statement was first used. What was answered is safe on the disk.
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET jit = off;
SET client_encoding = 'UTF8';
SET tcp_keepalives_idle = 5;
SET tcp_keepalives_interval = 2;
SET tcp_keepalives_count = 3;
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off';

-- name: backend
-- Who serves this connection.
SELECT pg_backend_pid();

-- name: plan_anew
-- A plan is good for tables of about the size that they had when it was made.
DISCARD PLANS;

-- name: alive
-- Something of Weft's own, in an instant.
SELECT 1 FROM weft_migration LIMIT 1;

-- name: transaction_id
-- Which transaction this is: if the connection is lost, another can ask what became of it.
SELECT CAST(pg_current_xact_id() AS text);

-- name: transaction_status
SELECT pg_xact_status(CAST(CAST(:id AS text) AS xid8));

-- name: end_backend
-- Ends the process that serves a connection which is lost: what it had not committed is undone.
SELECT pg_terminate_backend(CAST(:pid AS int));

-- name: lock_threads
-- Writes to a thread go one after the other, on whichever node: each statement of the batch then
-- sees what was there before. All are locked at once and in order, so that no two batches wait
-- for each other.
SELECT 1 FROM unnest(CAST(:ids AS text[]), CAST(:projects AS text[])) AS wanted (id, project)
CROSS JOIN LATERAL (SELECT 1 FROM thread
                    WHERE thread.id = wanted.id AND thread.project = wanted.project
                    FOR NO KEY UPDATE) AS locked;

-- name: lock_vector_stores
-- The same for vector stores, behind the threads: their counts change with each of their files.
SELECT 1 FROM unnest(CAST(:ids AS text[]), CAST(:projects AS text[])) AS wanted (id, project)
CROSS JOIN LATERAL (SELECT 1 FROM vector_store AS store
                    WHERE store.id = wanted.id AND store.project = wanted.project
                    FOR NO KEY UPDATE) AS locked;

-- name: wake
-- Heard by every node once the transaction is committed.
SELECT pg_notify('weft', topic) FROM unnest(CAST(:topics AS text[])) AS topic;

-- name: listen
LISTEN weft;

-- name: migration_lock
-- Nodes that start at once bring the database up to date one after the other.
SELECT pg_advisory_xact_lock(hashtext('weft_migration'));

-- name: migration_known
-- Not to_regclass: that remembers what it did not find before this node had to wait for the lock.
SELECT count(*) > 0 FROM pg_class WHERE relname = 'weft_migration' AND pg_table_is_visible(oid);

-- name: migration_applied
SELECT number, sha256 FROM weft_migration;

-- name: migration_table
CREATE TABLE IF NOT EXISTS weft_migration (
  number     BIGINT PRIMARY KEY,
  name       TEXT   NOT NULL,
  sha256     TEXT   NOT NULL,
  applied_at BIGINT NOT NULL
);

-- name: migration_insert
INSERT INTO weft_migration (number, name, sha256, applied_at)
VALUES (:number, :name, :sha256, :applied_at);

-- name: server
SELECT current_setting('server_version'), CAST(current_setting('server_version_num') AS int),
       current_setting('server_encoding');

-- name: safety
SELECT current_setting('fsync'), current_setting('full_page_writes'),
       current_setting('synchronous_commit');

-- name: keys
SELECT count(*), count(*) FILTER (WHERE revoked_at IS NULL) FROM api_key;

-- name: files_without_vectors
SELECT count(*) FROM chunk_file WHERE is_published = 1 AND space IS DISTINCT FROM :space;

-- name: use_pgvector
-- It may have come since the tables were made.
SELECT weft_use_pgvector();

-- name: pgvector
-- Which one is there, which could be, and whether vectors are compared by it.
SELECT (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
       (SELECT default_version FROM pg_available_extensions WHERE name = 'vector'),
       (SELECT count(*) > 0 FROM pg_proc WHERE proname = 'weft_cosine' AND prosrc LIKE '%AS vector%');
