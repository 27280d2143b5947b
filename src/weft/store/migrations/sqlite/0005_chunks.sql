-- The passages of the files in vector stores, and what finds them. Numbers stand for the long ids:
-- a number is never given twice, so what is left of something removed can meet nothing new.

CREATE TABLE chunk_store (
  number          INTEGER PRIMARY KEY AUTOINCREMENT,
  project         TEXT NOT NULL,
  vector_store_id TEXT NOT NULL,
  UNIQUE (project, vector_store_id)
) STRICT;

-- One attempt to index a file. Of a file at most one is published.
CREATE TABLE chunk_file (
  number       INTEGER PRIMARY KEY AUTOINCREMENT,
  store        INTEGER NOT NULL,               -- the number of its chunk_store
  file_id      TEXT    NOT NULL,
  attempt      INTEGER NOT NULL,
  filename     TEXT    NOT NULL,
  attributes   TEXT    NOT NULL DEFAULT '{}',  -- JSON
  space        TEXT,                           -- what its vectors can be compared with; NULL: has none
  chunks       INTEGER NOT NULL DEFAULT 0,     -- written so far
  is_published INTEGER NOT NULL DEFAULT 0 CHECK (is_published IN (0, 1))  -- 1: is found
) STRICT;

CREATE UNIQUE INDEX chunk_file_by_attempt ON chunk_file (store, file_id, attempt);
CREATE INDEX chunk_file_published ON chunk_file (store, space, number, chunks) WHERE is_published = 1;

-- id = number of the chunk_file * 1048576 + position: the chunks of a file lie together.
CREATE TABLE chunk (
  id         INTEGER PRIMARY KEY,
  start_char INTEGER NOT NULL,                 -- offsets in the file's text
  end_char   INTEGER NOT NULL,
  text       TEXT    NOT NULL
) STRICT;

CREATE TABLE chunk_vector (
  id     INTEGER PRIMARY KEY,
  vector BLOB NOT NULL                         -- float32, little-endian, of length 1
) STRICT;

-- The signs of a vector's numbers, one bit each: a thirty-second of its size, read for every search.
CREATE TABLE chunk_bits (
  id   INTEGER PRIMARY KEY,
  bits BLOB NOT NULL
) STRICT;

-- Full text. A term stands in the column that says how much it tells about the chunk (1 to 8), and
-- carries the number of its store in front: each store has lists of its own, whose length does not
-- depend on other stores.
CREATE VIRTUAL TABLE chunk_term USING fts5(
  "1", "2", "3", "4", "5", "6", "7", "8",
  content = '', contentless_delete = 1, detail = column, tokenize = "ascii tokenchars '_'"
);
CREATE VIRTUAL TABLE chunk_posting USING fts5vocab(chunk_term, instance);
CREATE VIRTUAL TABLE chunk_term_count USING fts5vocab(chunk_term, row);

-- Files and stores whose chunks nobody finds any more, to be cleared away.
CREATE TABLE chunk_garbage (number INTEGER PRIMARY KEY) STRICT;
CREATE TABLE chunk_store_garbage (number INTEGER PRIMARY KEY) STRICT;
