-- What copies a database into another. In braces: a table, its columns, its key.

-- name: slice
-- The next rows in the order of the key.
SELECT {columns} FROM {table} WHERE ({key}) > ({values}) ORDER BY {key} LIMIT {limit};

-- name: first_slice
SELECT {columns} FROM {table} ORDER BY {key} LIMIT {limit};

-- name: last
-- How far a copy has come.
SELECT {key} FROM {table} ORDER BY {descending} LIMIT 1;

-- name: columns
-- As SQLite knows them.
SELECT name FROM pragma_table_info('{table}');

-- name: count
SELECT count(*) FROM {table};

-- name: insert
INSERT INTO {table} ({columns}) VALUES ({values});

-- name: bulk
COPY {table} ({columns}) FROM STDIN;

-- name: marker
-- While it stands there no server starts on the database.
SELECT sha256 FROM weft_migration WHERE number = 0;

-- name: mark
INSERT INTO weft_migration (number, name, sha256, applied_at) VALUES (0, 'copy', {value}, 0);

-- name: unmark
DELETE FROM weft_migration WHERE number = 0;

-- name: unindexed
-- The next chunks behind the last that has its terms. What is left of removed files needs none.
SELECT chunk.id, file.store, chunk.text
FROM chunk JOIN chunk_file AS file ON file.number = chunk.id >> 20
WHERE chunk.id > coalesce((SELECT {key} FROM chunk_term ORDER BY {key} DESC LIMIT 1), -1)
ORDER BY chunk.id LIMIT {limit};

-- name: index_vectors
INSERT INTO chunk_bits (id, bits)
SELECT id, {signs}(vector) FROM chunk_vector
WHERE NOT EXISTS (SELECT 1 FROM chunk_bits WHERE chunk_bits.id = chunk_vector.id);

-- name: count_on
-- The next numbers come behind all that were given, as far as anything of them is left.
SELECT setval(pg_get_serial_sequence('chunk_file', 'number'), greatest(1,
         (SELECT max(number) FROM chunk_file), (SELECT max(number) FROM chunk_garbage))),
       setval(pg_get_serial_sequence('chunk_store', 'number'), greatest(1,
         (SELECT max(number) FROM chunk_store), (SELECT max(number) FROM chunk_store_garbage)));

-- name: settle
-- What PostgreSQL's planner wants to know of many new rows.
ANALYZE;

-- name: in_use
-- Servers that are connected.
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'weft';
