-- Files and uploads. Their bytes are outside of the database (store/blobs.py): here stands which
-- there are, where, and who refers to them.

-- Each content once, whoever has it, known by its hash. Its location names nothing but itself and
-- is never used again: what is about to be removed can never be what is just being written.
CREATE TABLE blob (
  sha256   TEXT COLLATE "C" NOT NULL PRIMARY KEY,  -- of the bytes, hexadecimal
  location TEXT COLLATE "C" NOT NULL,          -- where they lie: a key of the room for bytes
  bytes    BIGINT NOT NULL
);

-- Contents that have lost a reference: a chore looks whether it was the last one.
CREATE TABLE blob_released (
  sha256 TEXT COLLATE "C" NOT NULL PRIMARY KEY
);

-- Locations that no blob has: bytes that are still arriving, and those that nothing refers to.
CREATE TABLE blob_orphan (
  location  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  remove_at BIGINT NOT NULL                    -- 0: at once; later: when nobody can be writing it
);

CREATE INDEX blob_orphan_by_date ON blob_orphan (remove_at);

CREATE TABLE file (
  id          TEXT COLLATE "C" NOT NULL,
  project     TEXT COLLATE "C" NOT NULL,
  created_at  BIGINT NOT NULL,                 -- of the upload that it came by, if there was one
  inserted_at BIGINT NOT NULL,
  purpose     TEXT COLLATE "C" NOT NULL,
  filename    TEXT   NOT NULL,                 -- as the client said it: never a path; '' once deleted
  bytes       BIGINT NOT NULL,
  sha256      TEXT COLLATE "C",                -- refers to a blob; NULL once deleted
  expires_at  BIGINT,
  wire        TEXT   NOT NULL,                 -- '' once deleted
  deleted_at  BIGINT,
  PRIMARY KEY (id, project)
);

CREATE INDEX file_by_date ON file (project, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX file_by_purpose ON file (project, purpose, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX file_by_content ON file (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX file_expiry ON file (expires_at) WHERE expires_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX file_deleted ON file (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE upload (
  id          TEXT COLLATE "C" NOT NULL,
  project     TEXT COLLATE "C" NOT NULL,
  created_at  BIGINT NOT NULL,
  status      TEXT   NOT NULL CHECK (status IN ('pending', 'completed', 'cancelled', 'expired')),
  bytes       BIGINT NOT NULL,                 -- how many the parts must hold together
  expires_at  BIGINT NOT NULL,                 -- when it ends by itself while it is pending
  ended_at    BIGINT,                          -- completed, cancelled or expired: kept for a day
  file_expires_after_s BIGINT,                 -- of the file that it becomes
  wire        TEXT   NOT NULL,
  PRIMARY KEY (id, project)
);

CREATE INDEX upload_expiry ON upload (expires_at) WHERE status = 'pending';
CREATE INDEX upload_ended ON upload (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE upload_part (
  upload_id  TEXT COLLATE "C" NOT NULL,
  project    TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  bytes      BIGINT NOT NULL,
  sha256     TEXT COLLATE "C" NOT NULL,        -- refers to a blob
  PRIMARY KEY (upload_id, project, id)
);

CREATE INDEX upload_part_by_content ON upload_part (sha256);
