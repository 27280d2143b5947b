-- What only SQLite says this way: JSON opens into rows by json_each.

-- name: thread_search_asc
-- Threads with all of some pairs: walks the rarest pair in order of date and looks the
-- others (a JSON list of [key, value]) up in the same index.
SELECT thread.id, thread.wire
FROM thread_metadata AS rarest
JOIN thread ON thread.id = rarest.thread_id AND thread.project = rarest.project
WHERE rarest.project = :project AND rarest.key = :key AND rarest.value = :value
  AND (rarest.created_at, rarest.thread_id) > (:low_at, :low_id)
  AND (rarest.created_at, rarest.thread_id) < (:high_at, :high_id)
  AND thread.deleted_at IS NULL
  AND NOT EXISTS (
    SELECT 1 FROM json_each(:others) AS wanted
    WHERE NOT EXISTS (
      SELECT 1 FROM thread_metadata AS other
      WHERE other.project = :project AND other.key = wanted.value ->> 0
        AND other.value = wanted.value ->> 1
        AND other.created_at = rarest.created_at AND other.thread_id = rarest.thread_id))
ORDER BY rarest.created_at, rarest.thread_id LIMIT :limit;

-- name: thread_search_desc
SELECT thread.id, thread.wire
FROM thread_metadata AS rarest
JOIN thread ON thread.id = rarest.thread_id AND thread.project = rarest.project
WHERE rarest.project = :project AND rarest.key = :key AND rarest.value = :value
  AND (rarest.created_at, rarest.thread_id) > (:low_at, :low_id)
  AND (rarest.created_at, rarest.thread_id) < (:high_at, :high_id)
  AND thread.deleted_at IS NULL
  AND NOT EXISTS (
    SELECT 1 FROM json_each(:others) AS wanted
    WHERE NOT EXISTS (
      SELECT 1 FROM thread_metadata AS other
      WHERE other.project = :project AND other.key = wanted.value ->> 0
        AND other.value = wanted.value ->> 1
        AND other.created_at = rarest.created_at AND other.thread_id = rarest.thread_id))
ORDER BY rarest.created_at DESC, rarest.thread_id DESC LIMIT :limit;

-- name: job_enqueue
-- There is no queue: the one process that works on this file finds what is queued by its index.
SELECT 1;

-- name: blob_is_there
-- Refuses to refer to what was swept away because it took too long to arrive.
SELECT 1 FROM blob WHERE sha256 = :sha256;

-- name: blob_hold
-- Ahead of a check: one process writes, so nobody refers to it meanwhile.
SELECT 1 FROM blob WHERE sha256 = :sha256;

-- name: blob_abandon_all
-- At the start nobody is writing: what arrived when the server died is left over.
UPDATE blob_orphan SET remove_at = 0 WHERE remove_at > 0;

-- name: vector_store_file_enqueue
-- Nor is there one for files that are to be indexed.
SELECT 1;

-- name: vector_store_file_add
-- Puts files into a store, in the order of a JSON list. One that is there is left as it is, unless
-- it has to be indexed anew: it failed, was cancelled, or comes with other settings (those that it
-- keeps are none). Whoever is indexing it then is out of the race.
INSERT INTO vector_store_file (vector_store_id, project, file_id, created_at, position, status,
                               max_tokens, overlap_tokens, attributes)
SELECT :vector_store_id, :project, wanted.value ->> 'file_id', :now,
       wanted.key + 1 + coalesce((SELECT max(position) FROM vector_store_file
                                  WHERE vector_store_id = :vector_store_id
                                    AND project = :project AND created_at = :now), 0),
       'in_progress',
       coalesce(CASE WHEN wanted.value ->> 'keeps_cut' THEN had.max_tokens END,
                wanted.value ->> 'max_tokens'),
       coalesce(CASE WHEN wanted.value ->> 'keeps_cut' THEN had.overlap_tokens END,
                wanted.value ->> 'overlap_tokens'),
       coalesce(CASE WHEN wanted.value ->> 'keeps_attributes' THEN had.attributes END,
                wanted.value ->> 'attributes')
FROM json_each(:files) AS wanted
LEFT JOIN vector_store_file AS had
  ON had.vector_store_id = :vector_store_id AND had.project = :project
  AND had.file_id = wanted.value ->> 'file_id' AND had.deleted_at IS NULL
WHERE 1
ON CONFLICT (vector_store_id, project, file_id) DO UPDATE
SET created_at = CASE WHEN vector_store_file.deleted_at IS NULL
                      THEN vector_store_file.created_at ELSE excluded.created_at END,
    position = CASE WHEN vector_store_file.deleted_at IS NULL
                    THEN vector_store_file.position ELSE excluded.position END,
    status = 'in_progress', attempt = vector_store_file.attempt + 1, tries = 0,
    max_tokens = excluded.max_tokens, overlap_tokens = excluded.overlap_tokens,
    usage_bytes = 0, attributes = excluded.attributes, last_error = NULL, deleted_at = NULL
WHERE vector_store_file.deleted_at IS NOT NULL
   OR vector_store_file.status IN ('failed', 'cancelled')
   OR vector_store_file.max_tokens <> excluded.max_tokens
   OR vector_store_file.overlap_tokens <> excluded.overlap_tokens
   OR vector_store_file.attributes <> excluded.attributes;

-- name: file_names
-- The names of those files of a JSON list that are there.
SELECT file.id, file.filename FROM json_each(:ids) AS wanted
JOIN file ON file.id = wanted.value AND file.project = :project AND file.deleted_at IS NULL;

-- name: vector_store_file_still_in
-- A guard: a file is in no other stores than those of a JSON list.
SELECT 1 WHERE NOT EXISTS (
  SELECT 1 FROM vector_store_file
  WHERE project = :project AND file_id = :file_id AND deleted_at IS NULL
    AND vector_store_id NOT IN (SELECT value FROM json_each(:stores)));

-- name: file_batch_add
-- The files of a batch, in the order of a JSON list.
INSERT INTO file_batch_file (vector_store_id, project, batch_id, position, file_id)
SELECT :vector_store_id, :project, :id, wanted.key + 1, wanted.value ->> 'file_id'
FROM json_each(:files) AS wanted;

-- name: files_exist
-- A guard: every file of a JSON list is there.
SELECT 1 WHERE NOT EXISTS (
  SELECT 1 FROM json_each(:ids) AS wanted
  WHERE NOT EXISTS (SELECT 1 FROM file
                    WHERE id = wanted.value AND project = :project AND deleted_at IS NULL));

-- name: files_missing
-- Which of a JSON list are not there, in its order.
SELECT wanted.value FROM json_each(:ids) AS wanted
WHERE NOT EXISTS (SELECT 1 FROM file
                  WHERE id = wanted.value AND project = :project AND deleted_at IS NULL);

-- name: chunk_index_terms
INSERT INTO chunk_term (rowid, "1", "2", "3", "4", "5", "6", "7", "8")
VALUES (:id, :terms_1, :terms_2, :terms_3, :terms_4, :terms_5, :terms_6, :terms_7, :terms_8);

-- name: chunk_index_vector
INSERT INTO chunk_vector (id, vector) VALUES (:id, :vector);

-- name: chunk_index_bits
INSERT INTO chunk_bits (id, bits) VALUES (:id, vec_quantize_binary(:vector));

-- name: chunk_term_counts
-- In how many chunks of a store each of some terms (a JSON list) stands.
SELECT wanted.value, counted.doc
FROM chunk_store AS store
CROSS JOIN json_each(:terms) AS wanted
CROSS JOIN chunk_term_count AS counted ON counted.term = store.number || '_' || wanted.value
WHERE store.project = :project AND store.vector_store_id = :vector_store_id;

-- name: chunk_search_text
-- The chunks of a store in which terms (a JSON list of [term, weight]) tell most. Of files (a JSON
-- list of ids) only if there is such a list.
SELECT posting.doc, sum((wanted.value ->> 1) * posting.col) AS score
FROM chunk_store AS store
CROSS JOIN json_each(:terms) AS wanted
CROSS JOIN chunk_posting AS posting ON posting.term = store.number || '_' || (wanted.value ->> 0)
WHERE store.project = :project AND store.vector_store_id = :vector_store_id
  AND posting.doc >> 20 IN (
    SELECT file.number FROM chunk_store AS own JOIN chunk_file AS file ON file.store = own.number
    WHERE own.project = :project AND own.vector_store_id = :vector_store_id
      AND file.is_published = 1
      AND (:files IS NULL OR file.file_id IN (SELECT value FROM json_each(:files))))
GROUP BY posting.doc ORDER BY score DESC, posting.doc LIMIT :limit;

-- name: chunk_search_vector
-- The chunks of a store whose vectors are nearest: the best by the signs of their numbers, then
-- by the numbers themselves.
WITH near AS MATERIALIZED (
  SELECT bits.id, vec_distance_hamming(vec_bit(bits.bits), vec_quantize_binary(:vector)) AS distance
  FROM chunk_store AS store
  CROSS JOIN chunk_file AS file ON file.store = store.number
  CROSS JOIN chunk_bits AS bits
    ON bits.id >= file.number * 1048576 AND bits.id < (file.number + 1) * 1048576
  WHERE store.project = :project AND store.vector_store_id = :vector_store_id
    AND file.space = :space AND file.is_published = 1
    AND (:files IS NULL OR file.file_id IN (SELECT value FROM json_each(:files)))
  ORDER BY distance LIMIT :candidates)
SELECT near.id, 1.0 - vec_distance_cosine(chunk_vector.vector, :vector) AS score
FROM near CROSS JOIN chunk_vector ON chunk_vector.id = near.id
ORDER BY score DESC, near.id LIMIT :limit;

-- name: chunk_get
-- Chunks by their ids (a JSON list), if they belong to a published file of the store.
SELECT chunk.id, file.file_id, file.filename, file.attributes, chunk.start_char, chunk.end_char,
  chunk.text
FROM chunk_store AS store
CROSS JOIN json_each(:ids) AS wanted
CROSS JOIN chunk_file AS file ON file.number = wanted.value >> 20 AND file.store = store.number
CROSS JOIN chunk ON chunk.id = wanted.value
WHERE store.project = :project AND store.vector_store_id = :vector_store_id
  AND file.is_published = 1;

-- name: sweep_chunk_terms
DELETE FROM chunk_term WHERE rowid IN (
  SELECT id FROM chunk
  WHERE id >= CAST(:number AS BIGINT) * 1048576 AND id < (CAST(:number AS BIGINT) + 1) * 1048576
  ORDER BY id LIMIT :slice);
