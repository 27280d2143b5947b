-- Projects own everything; an object of another project does not exist.
-- Instants are unix seconds. wire is the object's JSON, ready to be sent.
-- What is compared or sorted has the collation "C": text sorts by its bytes, whatever the locale of
-- the database. Every unique index of a hot table holds its thread, so that tables can be
-- distributed by thread; for the same reason there are no foreign keys and no sequences.

CREATE TABLE thread (
  id          TEXT COLLATE "C" NOT NULL,
  project     TEXT COLLATE "C" NOT NULL,
  created_at  BIGINT   NOT NULL,               -- what clients see; restored threads bring their own
  inserted_at BIGINT   NOT NULL,               -- when the row was written: drives every expiry
  wire        TEXT     NOT NULL,               -- as POST echoes it; '' once deleted
  deleted_at  BIGINT,                          -- set: hidden, kept for a day as a cursor
  is_swept    SMALLINT NOT NULL DEFAULT 0 CHECK (is_swept IN (0, 1)),  -- 1: its messages are gone
  PRIMARY KEY (id, project)
) WITH (fillfactor = 90);                      -- a change of metadata finds room beside the old row

CREATE INDEX thread_by_date ON thread (project, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX thread_to_sweep ON thread (is_swept, deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE thread_metadata (
  project    TEXT COLLATE "C" NOT NULL,
  key        TEXT COLLATE "C" NOT NULL,
  value      TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,                  -- of the thread, so that a search comes out in order
  thread_id  TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (project, key, value, created_at, thread_id)
);

CREATE TABLE message (
  thread_id   TEXT COLLATE "C" NOT NULL,
  project     TEXT COLLATE "C" NOT NULL,
  id          TEXT COLLATE "C" NOT NULL,
  created_at  BIGINT NOT NULL,                 -- never decreases for new messages of a thread
  position    BIGINT NOT NULL,                 -- counts within a second: (created_at, position) is the order
  run_id      TEXT COLLATE "C",                -- the run that wrote it
  inserted_at BIGINT NOT NULL,
  wire        TEXT NOT NULL,                   -- '' once deleted
  deleted_at  BIGINT
) WITH (fillfactor = 95);

-- New ids come in order of time: this index grows at its end.
CREATE UNIQUE INDEX message_by_id ON message (id, thread_id, project);
CREATE UNIQUE INDEX message_by_date ON message (thread_id, project, created_at, position);
CREATE INDEX message_by_run ON message (thread_id, project, run_id, created_at, position)
  WHERE run_id IS NOT NULL;
CREATE INDEX message_deleted ON message (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE assistant (
  id          TEXT COLLATE "C" NOT NULL,
  project     TEXT COLLATE "C" NOT NULL,
  created_at  BIGINT NOT NULL,
  inserted_at BIGINT NOT NULL,
  wire        TEXT   NOT NULL,                 -- '' once deleted
  deleted_at  BIGINT,
  PRIMARY KEY (id, project)
);

CREATE INDEX assistant_by_date ON assistant (project, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX assistant_deleted ON assistant (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE idempotency (
  project      TEXT COLLATE "C" NOT NULL,
  key          TEXT COLLATE "C" NOT NULL,      -- the Idempotency-Key header
  request_hash TEXT   NOT NULL,                -- sha256 of method, path and body, hexadecimal
  status       BIGINT NOT NULL,                -- of the HTTP answer
  answer       TEXT   NOT NULL,                -- its body, to the byte
  created_at   BIGINT NOT NULL,
  PRIMARY KEY (project, key)
);

CREATE INDEX idempotency_by_date ON idempotency (created_at);

CREATE TABLE api_key (
  id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  project    TEXT   NOT NULL,
  name       TEXT   NOT NULL,
  hash       TEXT COLLATE "C" NOT NULL UNIQUE, -- sha256 of the key, hexadecimal; the key itself is nowhere
  hint       TEXT   NOT NULL,                  -- its last four characters
  created_at BIGINT NOT NULL,
  revoked_at BIGINT
);

-- How a guard that found nothing undoes its write (sql/postgres_frames.sql). Nothing is wrong then:
-- a client asked for what is not there, or another was faster.
CREATE FUNCTION weft_refuse(guard TEXT) RETURNS BIGINT LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'weft: % refuses this write, as it may', guard USING ERRCODE = 'WF001';
END $$;
