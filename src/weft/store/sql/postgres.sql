-- What only PostgreSQL says this way: JSON opens into rows by json_array_elements.

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
    SELECT 1 FROM json_array_elements(CAST(CAST(:others AS text) AS json)) AS wanted
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
    SELECT 1 FROM json_array_elements(CAST(CAST(:others AS text) AS json)) AS wanted
    WHERE NOT EXISTS (
      SELECT 1 FROM thread_metadata AS other
      WHERE other.project = :project AND other.key = wanted.value ->> 0
        AND other.value = wanted.value ->> 1
        AND other.created_at = rarest.created_at AND other.thread_id = rarest.thread_id))
ORDER BY rarest.created_at DESC, rarest.thread_id DESC LIMIT :limit;

-- === files ================================================================================

-- name: blob_is_there
-- Refuses to refer to what was swept away because it took too long to arrive. What it finds is
-- held: another node that is about to sweep it away waits, and finds the reference.
SELECT 1 FROM blob WHERE sha256 = :sha256 FOR KEY SHARE;

-- name: blob_hold
-- Ahead of a check: whoever is about to refer to it waits, or is waited for.
SELECT 1 FROM blob WHERE sha256 = :sha256 FOR UPDATE;

-- name: blob_abandon_all
-- Another node may be writing while this one starts: only time says what is left over.
SELECT 1;

-- name: files_exist
-- A guard: every file of a JSON list is there. None of them can be deleted until the write is
-- done; they are held in one order, so that no two writes wait for each other.
WITH wanted AS MATERIALIZED (
  SELECT DISTINCT id COLLATE "C" AS id FROM json_array_elements_text(CAST(:ids AS json)) AS listed (id)),
held AS MATERIALIZED (
  SELECT file.id FROM (SELECT id FROM wanted ORDER BY id) AS named
  JOIN file ON file.id = named.id AND file.project = :project AND file.deleted_at IS NULL
  FOR SHARE OF file)
SELECT 1 WHERE (SELECT count(*) FROM wanted) = (SELECT count(*) FROM held);

-- name: files_missing
-- Which of a JSON list are not there, in its order.
SELECT wanted.id FROM json_array_elements_text(CAST(:ids AS json)) AS wanted (id)
WHERE NOT EXISTS (SELECT 1 FROM file
                  WHERE id = wanted.id AND project = :project AND deleted_at IS NULL);

-- name: file_names
-- The names of those files of a JSON list that are there.
SELECT file.id, file.filename FROM json_array_elements_text(CAST(:ids AS json)) AS wanted (id)
JOIN file ON file.id = wanted.id AND file.project = :project AND file.deleted_at IS NULL;

-- === vector stores ========================================================================

-- name: vector_store_file_add
-- Puts files into a store, in the order of a JSON list. One that is there is left as it is, unless
-- it has to be indexed anew: it failed, was cancelled, or comes with other settings (those that it
-- keeps are none). Whoever is indexing it then is out of the race.
INSERT INTO vector_store_file (vector_store_id, project, file_id, created_at, position, status,
                               max_tokens, overlap_tokens, attributes)
SELECT :vector_store_id, :project, wanted.value ->> 'file_id', :now,
       wanted.place + coalesce((SELECT max(position) FROM vector_store_file
                                WHERE vector_store_id = :vector_store_id
                                  AND project = :project AND created_at = :now), 0),
       'in_progress',
       coalesce(CASE WHEN wanted.value ->> 'keeps_cut' = 'true' THEN had.max_tokens END,
                CAST(wanted.value ->> 'max_tokens' AS bigint)),
       coalesce(CASE WHEN wanted.value ->> 'keeps_cut' = 'true' THEN had.overlap_tokens END,
                CAST(wanted.value ->> 'overlap_tokens' AS bigint)),
       coalesce(CASE WHEN wanted.value ->> 'keeps_attributes' = 'true' THEN had.attributes END,
                wanted.value ->> 'attributes')
FROM json_array_elements(CAST(:files AS json)) WITH ORDINALITY AS wanted (value, place)
LEFT JOIN vector_store_file AS had
  ON had.vector_store_id = :vector_store_id AND had.project = :project
  AND had.file_id = wanted.value ->> 'file_id' AND had.deleted_at IS NULL
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

-- name: vector_store_file_still_in
-- A guard: a file is in no other stores than those of a JSON list.
SELECT 1 WHERE NOT EXISTS (
  SELECT 1 FROM vector_store_file
  WHERE project = :project AND file_id = :file_id AND deleted_at IS NULL
    AND vector_store_id NOT IN (SELECT json_array_elements_text(CAST(:stores AS json))));

-- name: file_batch_add
-- The files of a batch, in the order of a JSON list.
INSERT INTO file_batch_file (vector_store_id, project, batch_id, position, file_id)
SELECT :vector_store_id, :project, :id, wanted.place, wanted.value ->> 'file_id'
FROM json_array_elements(CAST(:files AS json)) WITH ORDINALITY AS wanted (value, place);

-- === chunks ===============================================================================

-- name: chunk_index_terms
INSERT INTO chunk_term (id, terms)
SELECT :id, array_to_tsvector(ARRAY(
  SELECT term || '_' || impact
  FROM unnest(ARRAY[:terms_1, :terms_2, :terms_3, :terms_4, :terms_5, :terms_6, :terms_7, :terms_8])
    WITH ORDINALITY AS said (terms, impact)
  CROSS JOIN LATERAL unnest(string_to_array(terms, ' ')) AS term));

-- name: chunk_index_vector
INSERT INTO chunk_vector (id, vector) VALUES (:id, :vector);

-- name: chunk_index_bits
INSERT INTO chunk_bits (id, bits) VALUES (:id, weft_signs(:vector));

-- name: chunk_term_counts
-- In how many chunks of a store each of some terms (a JSON list) stands.
SELECT wanted.term, count(*)
FROM chunk_store AS store
CROSS JOIN json_array_elements_text(CAST(:terms AS json)) AS wanted (term)
CROSS JOIN generate_series(1, 8) AS impact
CROSS JOIN LATERAL weft_postings(store.number, wanted.term, impact) AS posting
WHERE store.project = :project AND store.vector_store_id = :vector_store_id
GROUP BY wanted.term;

-- name: chunk_search_text
-- The chunks of a store in which terms (a JSON list of [term, weight]) tell most. Of files (a JSON
-- list of ids) only if there is such a list.
SELECT posting, sum(CAST(wanted.value ->> 1 AS double precision) * impact) AS score
FROM chunk_store AS store
CROSS JOIN json_array_elements(CAST(:terms AS json)) AS wanted (value)
CROSS JOIN generate_series(1, 8) AS impact
CROSS JOIN LATERAL weft_postings(store.number, wanted.value ->> 0, impact) AS posting
WHERE store.project = :project AND store.vector_store_id = :vector_store_id
  AND (posting >> 20 IN (
    SELECT file.number FROM chunk_store AS own JOIN chunk_file AS file ON file.store = own.number
    WHERE own.project = :project AND own.vector_store_id = :vector_store_id
      AND file.is_published = 1
      AND (CAST(:files AS json) IS NULL
           OR file.file_id IN (SELECT json_array_elements_text(CAST(:files AS json)))))) IS TRUE
GROUP BY posting ORDER BY score DESC, posting LIMIT :limit;

-- name: chunk_search_vector
-- The chunks of a store whose vectors are nearest: the best by the signs of their numbers, then
-- by the numbers themselves.
WITH asked AS MATERIALIZED (SELECT weft_signs(:vector) AS bits),
near AS MATERIALIZED (
  SELECT signed.id, bit_count(signed.bits # (SELECT bits FROM asked)) AS distance
  FROM chunk_store AS store
  JOIN chunk_file AS file ON file.store = store.number
  JOIN chunk_bits AS signed
    ON signed.id >= file.number * 1048576 AND signed.id < (file.number + 1) * 1048576
  WHERE store.project = :project AND store.vector_store_id = :vector_store_id
    AND file.space = :space AND file.is_published = 1
    AND (CAST(:files AS json) IS NULL
         OR file.file_id IN (SELECT json_array_elements_text(CAST(:files AS json))))
  ORDER BY distance LIMIT :candidates)
SELECT near.id, weft_cosine(exact.vector, :vector) AS score
FROM near JOIN chunk_vector AS exact ON exact.id = near.id
ORDER BY score DESC NULLS LAST, near.id LIMIT :limit;

-- name: chunk_get
-- Chunks by their ids (a JSON list), if they belong to a published file of the store.
SELECT chunk.id, file.file_id, file.filename, file.attributes, chunk.start_char, chunk.end_char,
  chunk.text
FROM chunk_store AS store
CROSS JOIN json_array_elements_text(CAST(:ids AS json)) AS wanted (id)
JOIN chunk ON chunk.id = CAST(wanted.id AS bigint)
JOIN chunk_file AS file ON file.number = CAST(wanted.id AS bigint) >> 20
  AND file.store = store.number
WHERE store.project = :project AND store.vector_store_id = :vector_store_id
  AND file.is_published = 1;

-- name: sweep_chunk_terms
DELETE FROM chunk_term WHERE id IN (
  SELECT id FROM chunk
  WHERE id >= CAST(:number AS BIGINT) * 1048576 AND id < (CAST(:number AS BIGINT) + 1) * 1048576
  ORDER BY id LIMIT :slice);

-- === the queue ============================================================================
-- Its tables and functions are Procrastinate's, of which a migration keeps the copy.

-- name: job_enqueue
-- In the write that makes the job necessary; a trigger tells the workers at the commit. A queue
-- for each task: a node of an older version takes only what it knows.
SELECT procrastinate_defer_jobs_v1(ARRAY[CAST(
  ROW(CAST(:task AS text), CAST(:task AS text), 0, NULL, NULL, CAST(CAST(:key AS text) AS jsonb), NULL)
  AS procrastinate_job_to_defer_v1)]);

-- name: vector_store_file_enqueue
-- In the write that puts files into a store: a job for each that is to be indexed, with the number
-- of its last attempt, which that write may have counted on.
SELECT procrastinate_defer_jobs_v1(array_agg(CAST(
  ROW(CAST(:task AS text), CAST(:task AS text), 0, NULL, NULL,
      jsonb_build_object('project', project, 'vector_store_id', vector_store_id, 'id', file_id,
                         'attempt', attempt), NULL)
  AS procrastinate_job_to_defer_v1) ORDER BY position))
FROM vector_store_file
WHERE vector_store_id = :vector_store_id AND project = :project
  AND status = 'in_progress' AND deleted_at IS NULL
  AND file_id IN (SELECT wanted.value ->> 'file_id'
                  FROM json_array_elements(CAST(:files AS json)) AS wanted (value))
HAVING count(*) > 0;

-- name: worker_standing
-- Is a worker alive, is it the oldest of those alive, and which jobs are its?
SELECT CASE WHEN max(CASE WHEN id = :worker_id THEN 1 END) IS NULL THEN 0 ELSE 1 END,
       CASE WHEN min(id) = :worker_id THEN 1 ELSE 0 END,
       coalesce((SELECT string_agg(CAST(id AS text), ' ') FROM procrastinate_jobs
                 WHERE worker_id = :worker_id AND status = 'doing'), '')
FROM procrastinate_workers
WHERE last_heartbeat > now() - CAST(:stalled_s AS bigint) * interval '1 second';

-- name: worker_clear
-- Dead workers lose their rows, and so their jobs; one that wakes up again finds out by it.
DELETE FROM procrastinate_workers
WHERE last_heartbeat <= now() - CAST(:stalled_s AS bigint) * interval '1 second';

-- name: job_clear
-- Jobs without a worker go. What was to be done stands elsewhere and gets a job of its own: under
-- the old number, the first worker could end it when it wakes up again.
DELETE FROM procrastinate_jobs WHERE status = 'doing' AND worker_id IS NULL;

-- name: job_drop
DELETE FROM procrastinate_jobs WHERE id = :id AND status = 'doing';

-- name: vector_store_file_unattended
-- What is to be indexed and has no job, oldest first.
SELECT project, vector_store_id, file_id, attempt FROM vector_store_file AS wanted
WHERE status = 'in_progress' AND deleted_at IS NULL
  AND EXISTS (SELECT 1 FROM vector_store
              WHERE id = wanted.vector_store_id
                AND project = wanted.project AND deleted_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs AS job
                  WHERE job.task_name = :task AND job.status IN ('todo', 'doing')
                    AND job.args ->> 'id' = wanted.file_id
                    AND job.args ->> 'vector_store_id' = wanted.vector_store_id)
ORDER BY created_at, position LIMIT :limit;

-- name: run_unattended
-- What should be driven and has no job: its worker died, or the queue lost it.
SELECT thread_id, project, id, attempt
FROM (SELECT thread_id, project, id, attempt FROM run WHERE status = 'queued' AND is_waiting = 0
      UNION ALL
      SELECT thread_id, project, id, attempt FROM run WHERE status = 'in_progress') AS wanted
WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs AS job
                  WHERE job.task_name = :task AND job.status IN ('todo', 'doing')
                    AND job.args ->> 'id' = wanted.id)
LIMIT :limit;
