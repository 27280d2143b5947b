-- Vector stores, the files in them, and batches of files. A file in a store is also the job that
-- indexes it: its status is the job's. The text that is searched stands in 0005_chunks.

CREATE TABLE vector_store (
  id             TEXT    NOT NULL,
  project        TEXT    NOT NULL,
  created_at     INTEGER NOT NULL,
  last_active_at INTEGER NOT NULL,             -- when a run, a search or a new file last used it
  expires_days   INTEGER,                      -- so long without use; NULL: never
  expires_at     INTEGER,                      -- last_active_at and expires_days together
  is_cleared     INTEGER NOT NULL DEFAULT 0 CHECK (is_cleared IN (0, 1)),  -- 1: expired, nothing is found
  usage_bytes    INTEGER NOT NULL DEFAULT 0,   -- this and the counts: kept by the triggers below
  in_progress    INTEGER NOT NULL DEFAULT 0,
  completed      INTEGER NOT NULL DEFAULT 0,
  failed         INTEGER NOT NULL DEFAULT 0,
  cancelled      INTEGER NOT NULL DEFAULT 0,
  wire           TEXT    NOT NULL,             -- JSON: what clients set; '' once deleted
  is_swept       INTEGER NOT NULL DEFAULT 0 CHECK (is_swept IN (0, 1)),    -- 1: its rows are gone
  deleted_at     INTEGER,
  PRIMARY KEY (id, project)
) STRICT, WITHOUT ROWID;

CREATE INDEX vector_store_by_date ON vector_store (project, created_at, id)
  WHERE deleted_at IS NULL;
CREATE INDEX vector_store_expiry ON vector_store (expires_at)
  WHERE expires_at IS NOT NULL AND is_cleared = 0 AND deleted_at IS NULL;
CREATE INDEX vector_store_to_sweep ON vector_store (is_swept, deleted_at)
  WHERE deleted_at IS NOT NULL;

CREATE TABLE vector_store_file (
  vector_store_id TEXT    NOT NULL,
  project         TEXT    NOT NULL,
  file_id         TEXT    NOT NULL,
  created_at      INTEGER NOT NULL,
  position        INTEGER NOT NULL,            -- counts within a second of a store: the order of files
  status          TEXT    NOT NULL CHECK (status IN ('in_progress', 'completed', 'failed', 'cancelled')),
  attempt         INTEGER NOT NULL DEFAULT 0,  -- only grows; every write of a worker names its own
  tries           INTEGER NOT NULL DEFAULT 0,  -- claims since it was added that came to no end
  max_tokens      INTEGER NOT NULL,            -- the chunking strategy
  overlap_tokens  INTEGER NOT NULL,
  usage_bytes     INTEGER NOT NULL DEFAULT 0,
  attributes      TEXT    NOT NULL,            -- JSON object
  last_error      TEXT,                        -- JSON object
  deleted_at      INTEGER,
  PRIMARY KEY (vector_store_id, project, file_id)
) STRICT, WITHOUT ROWID;

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

-- A store's counts are right whoever changes a file, and however many at once.
CREATE TRIGGER vector_store_file_added AFTER INSERT ON vector_store_file
BEGIN
  UPDATE vector_store
  SET usage_bytes = usage_bytes + new.usage_bytes,
      in_progress = in_progress + (new.status = 'in_progress'),
      completed = completed + (new.status = 'completed'),
      failed = failed + (new.status = 'failed'),
      cancelled = cancelled + (new.status = 'cancelled')
  WHERE id = new.vector_store_id AND project = new.project;
END;

CREATE TRIGGER vector_store_file_changed
AFTER UPDATE OF status, usage_bytes, deleted_at ON vector_store_file
BEGIN
  UPDATE vector_store
  SET usage_bytes = usage_bytes
        + new.usage_bytes * (new.deleted_at IS NULL) - old.usage_bytes * (old.deleted_at IS NULL),
      in_progress = in_progress + (new.status = 'in_progress' AND new.deleted_at IS NULL)
        - (old.status = 'in_progress' AND old.deleted_at IS NULL),
      completed = completed + (new.status = 'completed' AND new.deleted_at IS NULL)
        - (old.status = 'completed' AND old.deleted_at IS NULL),
      failed = failed + (new.status = 'failed' AND new.deleted_at IS NULL)
        - (old.status = 'failed' AND old.deleted_at IS NULL),
      cancelled = cancelled + (new.status = 'cancelled' AND new.deleted_at IS NULL)
        - (old.status = 'cancelled' AND old.deleted_at IS NULL)
  WHERE id = new.vector_store_id AND project = new.project;
END;

CREATE TABLE file_batch (
  vector_store_id TEXT    NOT NULL,
  project         TEXT    NOT NULL,
  id              TEXT    NOT NULL,
  created_at      INTEGER NOT NULL,
  cancelled_at    INTEGER,
  PRIMARY KEY (vector_store_id, project, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE file_batch_file (
  vector_store_id TEXT    NOT NULL,
  project         TEXT    NOT NULL,
  batch_id        TEXT    NOT NULL,
  position        INTEGER NOT NULL,            -- as the request named them
  file_id         TEXT    NOT NULL,
  PRIMARY KEY (vector_store_id, project, batch_id, position)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX file_batch_file_by_id
  ON file_batch_file (vector_store_id, project, batch_id, file_id);

-- What the file searches of a run brought. The steps show which files; the passages are for the
-- model, and for clients that ask for them.
CREATE TABLE run_search (
  thread_id TEXT    NOT NULL,
  project   TEXT    NOT NULL,
  run_id    TEXT    NOT NULL,
  call_id   TEXT    NOT NULL,                  -- ours, so that no two calls of a run share it
  mark      INTEGER NOT NULL,                  -- the first number of its source marks
  arguments TEXT    NOT NULL,                  -- as the model wrote them
  passages  TEXT    NOT NULL,                  -- JSON list of texts, in the order of the results
  PRIMARY KEY (thread_id, project, run_id, call_id)
) STRICT, WITHOUT ROWID;
