-- Projects own everything; an object of another project does not exist.
-- Instants are unix seconds. wire is the object's JSON, ready to be sent.

CREATE TABLE thread (
  id          TEXT    NOT NULL,
  project     TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,                -- what clients see; restored threads bring their own
  inserted_at INTEGER NOT NULL,                -- when the row was written: drives every expiry
  wire        TEXT    NOT NULL,                -- as POST echoes it; '' once deleted
  deleted_at  INTEGER,                         -- set: hidden, kept for a day as a cursor
  is_swept    INTEGER NOT NULL DEFAULT 0 CHECK (is_swept IN (0, 1)),  -- 1: its messages are gone
  PRIMARY KEY (id, project)
) STRICT, WITHOUT ROWID;

CREATE INDEX thread_by_date ON thread (project, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX thread_to_sweep ON thread (is_swept, deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE thread_metadata (
  project    TEXT    NOT NULL,
  key        TEXT    NOT NULL,
  value      TEXT    NOT NULL,
  created_at INTEGER NOT NULL,                 -- of the thread, so that a search comes out in order
  thread_id  TEXT    NOT NULL,
  PRIMARY KEY (project, key, value, created_at, thread_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
  thread_id   TEXT    NOT NULL,
  project     TEXT    NOT NULL,
  id          TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,                -- never decreases for new messages of a thread
  position    INTEGER NOT NULL,                -- counts within a second: (created_at, position) is the order
  run_id      TEXT,                            -- the run that wrote it
  inserted_at INTEGER NOT NULL,
  wire        TEXT    NOT NULL,                -- '' once deleted
  deleted_at  INTEGER
) STRICT;

-- New ids come in order of time: this index grows at its end.
CREATE UNIQUE INDEX message_by_id ON message (id, thread_id, project);
CREATE UNIQUE INDEX message_by_date ON message (thread_id, project, created_at, position);
CREATE INDEX message_by_run ON message (thread_id, project, run_id, created_at, position)
  WHERE run_id IS NOT NULL;
CREATE INDEX message_deleted ON message (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE assistant (
  id          TEXT    NOT NULL,
  project     TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  inserted_at INTEGER NOT NULL,
  wire        TEXT    NOT NULL,                -- '' once deleted
  deleted_at  INTEGER,
  PRIMARY KEY (id, project)
) STRICT;

CREATE INDEX assistant_by_date ON assistant (project, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX assistant_deleted ON assistant (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE idempotency (
  project      TEXT    NOT NULL,
  key          TEXT    NOT NULL,               -- the Idempotency-Key header
  request_hash TEXT    NOT NULL,               -- sha256 of method, path and body, hexadecimal
  status       INTEGER NOT NULL,               -- of the HTTP answer
  answer       TEXT    NOT NULL,               -- its body, to the byte
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (project, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_date ON idempotency (created_at);

CREATE TABLE api_key (
  id         TEXT    NOT NULL PRIMARY KEY,
  project    TEXT    NOT NULL,
  name       TEXT    NOT NULL,
  hash       TEXT    NOT NULL UNIQUE,          -- sha256 of the key, hexadecimal; the key itself is nowhere
  hint       TEXT    NOT NULL,                 -- its last four characters
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;
