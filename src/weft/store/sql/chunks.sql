-- Writing, reading and clearing away the chunks of vector stores. What searches them is a dialect's.

-- name: chunk_store_add
INSERT INTO chunk_store (project, vector_store_id) VALUES (:project, :vector_store_id)
ON CONFLICT (project, vector_store_id) DO NOTHING;

-- name: chunk_file_begin
-- Guard: no attempt with this or a higher number was begun.
INSERT INTO chunk_file (store, file_id, attempt, filename, space)
SELECT store.number, :file_id, :attempt, :filename, :space FROM chunk_store AS store
WHERE store.project = :project AND store.vector_store_id = :vector_store_id
  AND NOT EXISTS (
    SELECT 1 FROM chunk_file AS other
    WHERE other.store = store.number AND other.file_id = :file_id AND other.attempt >= :attempt)
RETURNING 1;

-- name: chunk_file_discard
-- Attempts at a file that nobody finds: others than this one, published or not as :is_published
-- says at most.
INSERT INTO chunk_garbage (number)
SELECT file.number FROM chunk_store AS store JOIN chunk_file AS file ON file.store = store.number
WHERE store.project = :project AND store.vector_store_id = :vector_store_id
  AND file.file_id = :file_id AND file.attempt <> :attempt AND file.is_published <= :is_published;

-- name: chunk_file_remove
-- Goes with chunk_file_discard.
DELETE FROM chunk_file
WHERE store = (
    SELECT number FROM chunk_store
    WHERE project = :project AND vector_store_id = :vector_store_id)
  AND file_id = :file_id AND attempt <> :attempt AND is_published <= :is_published;

-- name: chunk_file_number
SELECT store.number, file.number
FROM chunk_store AS store JOIN chunk_file AS file ON file.store = store.number
WHERE store.project = :project AND store.vector_store_id = :vector_store_id
  AND file.file_id = :file_id AND file.attempt = :attempt;

-- name: chunk_file_grow
-- Guard: the attempt was begun, nobody took its place and it is not published.
UPDATE chunk_file SET chunks = chunks + :count
WHERE number = :number AND is_published = 0 RETURNING 1;

-- name: chunk_insert
INSERT INTO chunk (id, start_char, end_char, text) VALUES (:id, :start, :end, :text);

-- name: chunk_file_publish
-- Guard: the attempt was begun and nobody took its place.
UPDATE chunk_file SET is_published = 1, attributes = :attributes
WHERE store = (
    SELECT number FROM chunk_store
    WHERE project = :project AND vector_store_id = :vector_store_id)
  AND file_id = :file_id AND attempt = :attempt AND is_published = 0
RETURNING 1;

-- name: chunk_file_attributes
UPDATE chunk_file SET attributes = :attributes
WHERE store = (
    SELECT number FROM chunk_store
    WHERE project = :project AND vector_store_id = :vector_store_id)
  AND file_id = :file_id AND is_published = 1;

-- name: chunk_store_discard
INSERT INTO chunk_store_garbage (number)
SELECT number FROM chunk_store
WHERE project = :project AND vector_store_id = :vector_store_id;

-- name: chunk_store_remove
DELETE FROM chunk_store WHERE project = :project AND vector_store_id = :vector_store_id;

-- name: chunk_texts
-- The published chunks of a file in order.
WITH published AS (
  SELECT file.number
  FROM chunk_store AS store JOIN chunk_file AS file ON file.store = store.number
  WHERE store.project = :project AND store.vector_store_id = :vector_store_id
    AND file.file_id = :file_id AND file.is_published = 1)
SELECT start_char, end_char, text FROM chunk
WHERE id >= (SELECT number FROM published) * 1048576
  AND id < ((SELECT number FROM published) + 1) * 1048576
ORDER BY id;

-- name: chunk_count
-- How many chunks of a store can be found, how many files have vectors of a space, how many not.
SELECT coalesce(sum(file.chunks), 0), count(CASE WHEN file.space = :space THEN 1 END),
  count(*)
FROM chunk_store AS store JOIN chunk_file AS file ON file.store = store.number
WHERE store.project = :project AND store.vector_store_id = :vector_store_id
  AND file.is_published = 1;

-- name: chunk_files
-- The files of a store that can be found.
SELECT file.file_id, file.attributes
FROM chunk_store AS store JOIN chunk_file AS file ON file.store = store.number
WHERE store.project = :project AND store.vector_store_id = :vector_store_id
  AND file.is_published = 1;

-- name: sweep_next_chunk_file
SELECT number FROM chunk_garbage ORDER BY number LIMIT 1;

-- name: sweep_next_chunk_store
SELECT number FROM chunk_store_garbage ORDER BY number LIMIT 1;

-- name: sweep_mark_chunk_file
DELETE FROM chunk_garbage WHERE number = :number AND NOT EXISTS (
  SELECT 1 FROM chunk
  WHERE id >= CAST(:number AS BIGINT) * 1048576 AND id < (CAST(:number AS BIGINT) + 1) * 1048576);

-- name: sweep_mark_chunk_store
DELETE FROM chunk_store_garbage
WHERE number = :number AND NOT EXISTS (SELECT 1 FROM chunk_file WHERE store = :number);

-- name: sweep_chunk_vectors
DELETE FROM chunk_vector WHERE id IN (
  SELECT id FROM chunk
  WHERE id >= CAST(:number AS BIGINT) * 1048576 AND id < (CAST(:number AS BIGINT) + 1) * 1048576
  ORDER BY id LIMIT :slice);

-- name: sweep_chunk_bits
DELETE FROM chunk_bits WHERE id IN (
  SELECT id FROM chunk
  WHERE id >= CAST(:number AS BIGINT) * 1048576 AND id < (CAST(:number AS BIGINT) + 1) * 1048576
  ORDER BY id LIMIT :slice);

-- name: sweep_chunks
-- Goes last: the others take the same slice.
DELETE FROM chunk WHERE id IN (
  SELECT id FROM chunk
  WHERE id >= CAST(:number AS BIGINT) * 1048576 AND id < (CAST(:number AS BIGINT) + 1) * 1048576
  ORDER BY id LIMIT :slice);

-- name: sweep_chunk_store_files
-- A slice of a removed store's files becomes garbage.
INSERT INTO chunk_garbage (number) SELECT number FROM chunk_file
WHERE store = :number ORDER BY file_id, attempt LIMIT :slice;

-- name: sweep_chunk_files
-- The same slice.
DELETE FROM chunk_file WHERE number IN (
  SELECT number FROM chunk_file WHERE store = :number ORDER BY file_id, attempt LIMIT :slice);
