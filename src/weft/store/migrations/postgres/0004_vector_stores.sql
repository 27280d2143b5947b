-- Vector stores, the files in them, and batches of files. A file in a store is also the job that
-- indexes it: its status is the job's. The text that is searched stands in 0005_chunks.

CREATE TABLE vector_store (
  id             TEXT COLLATE "C" NOT NULL,
  project        TEXT COLLATE "C" NOT NULL,
  created_at     BIGINT   NOT NULL,
  last_active_at BIGINT   NOT NULL,            -- when a run, a search or a new file last used it
  expires_days   BIGINT,                       -- so long without use; NULL: never
  expires_at     BIGINT,                       -- last_active_at and expires_days together
  is_cleared     SMALLINT NOT NULL DEFAULT 0 CHECK (is_cleared IN (0, 1)),  -- 1: expired, nothing is found
  usage_bytes    BIGINT   NOT NULL DEFAULT 0,  -- this and the counts: kept by the triggers below
  in_progress    BIGINT   NOT NULL DEFAULT 0,
  completed      BIGINT   NOT NULL DEFAULT 0,
  failed         BIGINT   NOT NULL DEFAULT 0,
  cancelled      BIGINT   NOT NULL DEFAULT 0,
  wire           TEXT     NOT NULL,            -- JSON: what clients set; '' once deleted
  is_swept       SMALLINT NOT NULL DEFAULT 0 CHECK (is_swept IN (0, 1)),    -- 1: its rows are gone
  deleted_at     BIGINT,
  PRIMARY KEY (id, project)
) WITH (fillfactor = 50);                      -- each file that is indexed changes the counts

CREATE INDEX vector_store_by_date ON vector_store (project, created_at, id)
  WHERE deleted_at IS NULL;
CREATE INDEX vector_store_expiry ON vector_store (expires_at)
  WHERE expires_at IS NOT NULL AND is_cleared = 0 AND deleted_at IS NULL;
CREATE INDEX vector_store_to_sweep ON vector_store (is_swept, deleted_at)
  WHERE deleted_at IS NOT NULL;

CREATE TABLE vector_store_file (
  vector_store_id TEXT COLLATE "C" NOT NULL,
  project         TEXT COLLATE "C" NOT NULL,
  file_id         TEXT COLLATE "C" NOT NULL,
  created_at      BIGINT NOT NULL,
  position        BIGINT NOT NULL,             -- counts within a second of a store: the order of files
  status          TEXT COLLATE "C" NOT NULL
                  CHECK (status IN ('in_progress', 'completed', 'failed', 'cancelled')),
  attempt         BIGINT NOT NULL DEFAULT 0,   -- only grows; every write of a worker names its own
  tries           BIGINT NOT NULL DEFAULT 0,   -- claims since it was added that came to no end
  max_tokens      BIGINT NOT NULL,             -- the chunking strategy
  overlap_tokens  BIGINT NOT NULL,
  usage_bytes     BIGINT NOT NULL DEFAULT 0,
  attributes      TEXT   NOT NULL,             -- JSON object
  last_error      TEXT,                        -- JSON object
  deleted_at      BIGINT,
  PRIMARY KEY (vector_store_id, project, file_id)
) WITH (fillfactor = 80);                      -- a row is written some three times

CREATE UNIQUE INDEX vector_store_file_by_date
  ON vector_store_file (vector_store_id, project, created_at, position);
CREATE INDEX vector_store_file_by_status
  ON vector_store_file (vector_store_id, project, status, created_at, position)
  WHERE deleted_at IS NULL;
CREATE INDEX vector_store_file_queue ON vector_store_file (created_at, position)
  WHERE status = 'in_progress' AND deleted_at IS NULL;
CREATE INDEX vector_store_file_by_file ON vector_store_file (project, file_id, vector_store_id)
  WHERE deleted_at IS NULL;
CREATE INDEX vector_store_file_deleted ON vector_store_file (deleted_at)
  WHERE deleted_at IS NOT NULL;

-- A store's counts are right whoever changes a file, and however many at once: one change of a
-- store for each statement. Who writes to a store holds its row already (lock_vector_stores), so
-- that no two nodes wait for each other here.
CREATE FUNCTION weft_count_files_added() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  UPDATE vector_store AS store
  SET usage_bytes = store.usage_bytes + added.usage_bytes,
      in_progress = store.in_progress + added.in_progress,
      completed = store.completed + added.completed,
      failed = store.failed + added.failed,
      cancelled = store.cancelled + added.cancelled
  FROM (SELECT vector_store_id, project, CAST(sum(usage_bytes) AS bigint) AS usage_bytes,
               count(*) FILTER (WHERE status = 'in_progress') AS in_progress,
               count(*) FILTER (WHERE status = 'completed') AS completed,
               count(*) FILTER (WHERE status = 'failed') AS failed,
               count(*) FILTER (WHERE status = 'cancelled') AS cancelled
        FROM files_after GROUP BY vector_store_id, project) AS added
  WHERE store.id = added.vector_store_id AND store.project = added.project;
  RETURN NULL;
END $$;

CREATE FUNCTION weft_count_files_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  UPDATE vector_store AS store
  SET usage_bytes = store.usage_bytes + changed.usage_bytes,
      in_progress = store.in_progress + changed.in_progress,
      completed = store.completed + changed.completed,
      failed = store.failed + changed.failed,
      cancelled = store.cancelled + changed.cancelled
  FROM (SELECT vector_store_id, project, CAST(sum(sign * usage_bytes) AS bigint) AS usage_bytes,
               coalesce(sum(sign) FILTER (WHERE status = 'in_progress'), 0) AS in_progress,
               coalesce(sum(sign) FILTER (WHERE status = 'completed'), 0) AS completed,
               coalesce(sum(sign) FILTER (WHERE status = 'failed'), 0) AS failed,
               coalesce(sum(sign) FILTER (WHERE status = 'cancelled'), 0) AS cancelled
        FROM (SELECT vector_store_id, project, status, usage_bytes, 1 AS sign FROM files_after
              WHERE deleted_at IS NULL
              UNION ALL
              SELECT vector_store_id, project, status, usage_bytes, -1 FROM files_before
              WHERE deleted_at IS NULL) AS counted
        GROUP BY vector_store_id, project) AS changed
  WHERE store.id = changed.vector_store_id AND store.project = changed.project
    -- Most writes of a worker change none of them.
    AND (changed.usage_bytes, changed.in_progress, changed.completed, changed.failed,
         changed.cancelled) <> (0, 0, 0, 0, 0);
  RETURN NULL;
END $$;

CREATE TRIGGER vector_store_file_added AFTER INSERT ON vector_store_file
REFERENCING NEW TABLE AS files_after
FOR EACH STATEMENT EXECUTE FUNCTION weft_count_files_added();

CREATE TRIGGER vector_store_file_changed AFTER UPDATE ON vector_store_file
REFERENCING OLD TABLE AS files_before NEW TABLE AS files_after
FOR EACH STATEMENT EXECUTE FUNCTION weft_count_files_changed();

CREATE TABLE file_batch (
  vector_store_id TEXT COLLATE "C" NOT NULL,
  project         TEXT COLLATE "C" NOT NULL,
  id              TEXT COLLATE "C" NOT NULL,
  created_at      BIGINT NOT NULL,
  cancelled_at    BIGINT,
  PRIMARY KEY (vector_store_id, project, id)
);

CREATE TABLE file_batch_file (
  vector_store_id TEXT COLLATE "C" NOT NULL,
  project         TEXT COLLATE "C" NOT NULL,
  batch_id        TEXT COLLATE "C" NOT NULL,
  position        BIGINT NOT NULL,             -- as the request named them
  file_id         TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (vector_store_id, project, batch_id, position)
);

CREATE UNIQUE INDEX file_batch_file_by_id
  ON file_batch_file (vector_store_id, project, batch_id, file_id);

-- What the file searches of a run brought. The steps show which files; the passages are for the
-- model, and for clients that ask for them.
CREATE TABLE run_search (
  thread_id TEXT COLLATE "C" NOT NULL,
  project   TEXT COLLATE "C" NOT NULL,
  run_id    TEXT COLLATE "C" NOT NULL,
  call_id   TEXT COLLATE "C" NOT NULL,         -- ours, so that no two calls of a run share it
  mark      BIGINT NOT NULL,                   -- the first number of its source marks
  arguments TEXT   NOT NULL,                   -- as the model wrote them
  passages  TEXT   NOT NULL,                   -- JSON list of texts, in the order of the results
  PRIMARY KEY (thread_id, project, run_id, call_id)
);
