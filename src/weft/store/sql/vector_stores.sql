-- Vector stores, the files in them and batches of files. What indexes a file is found in the
-- queue; every write of a worker names its attempt. The counts of a store are kept by triggers.

-- === stores ===============================================================================

-- name: vector_store_insert
INSERT INTO vector_store (id, project, created_at, last_active_at, expires_days, expires_at, wire)
VALUES (:id, :project, :now, :now, :expires_days,
        CAST(:now AS BIGINT) + CAST(:expires_days AS BIGINT) * 86400, :wire);

-- name: vector_store_get
SELECT id, created_at, usage_bytes, in_progress, completed, failed, cancelled,
       last_active_at, expires_at, wire
FROM vector_store WHERE id = :id AND project = :project AND deleted_at IS NULL;

-- name: vector_store_place
SELECT created_at, id FROM vector_store WHERE id = :id AND project = :project;

-- name: vector_store_alive
-- A guard of whatever names a store.
SELECT 1 FROM vector_store WHERE id = :id AND project = :project AND deleted_at IS NULL;

-- name: vector_store_replace
-- Compare and set; what has expired stays so.
UPDATE vector_store
SET wire = :wire, expires_days = :expires_days,
    expires_at = last_active_at + CAST(:expires_days AS BIGINT) * 86400
WHERE id = :id AND project = :project AND deleted_at IS NULL AND wire = :was
  AND (expires_at IS NULL OR expires_at > :now)
RETURNING id;

-- name: vector_store_touch
-- It is used: its time begins anew. A guard too, of what needs a store that has not expired.
UPDATE vector_store
SET last_active_at = CASE WHEN last_active_at > :now THEN last_active_at ELSE :now END,
    expires_at = CASE WHEN last_active_at > :now THEN last_active_at ELSE :now END
      + expires_days * 86400
WHERE id = :id AND project = :project AND deleted_at IS NULL
  AND (expires_at IS NULL OR expires_at > :now)
RETURNING id;

-- name: vector_store_delete
-- Hides a store and everything in it; its rows are swept later.
UPDATE vector_store SET deleted_at = :now, wire = ''
WHERE id = :id AND project = :project AND deleted_at IS NULL
RETURNING id;

-- name: vector_store_list_asc
SELECT id, created_at, usage_bytes, in_progress, completed, failed, cancelled,
       last_active_at, expires_at, wire
FROM vector_store
WHERE project = :project AND deleted_at IS NULL
  AND (created_at, id) > (:low_at, :low_id) AND (created_at, id) < (:high_at, :high_id)
ORDER BY created_at, id LIMIT :limit;

-- name: vector_store_list_desc
SELECT id, created_at, usage_bytes, in_progress, completed, failed, cancelled,
       last_active_at, expires_at, wire
FROM vector_store
WHERE project = :project AND deleted_at IS NULL
  AND (created_at, id) > (:low_at, :low_id) AND (created_at, id) < (:high_at, :high_id)
ORDER BY created_at DESC, id DESC LIMIT :limit;

-- name: vector_store_overdue
-- Stores that have expired and still hold what can be searched.
SELECT id, project FROM vector_store
WHERE expires_at IS NOT NULL AND is_cleared = 0 AND deleted_at IS NULL AND expires_at <= :now
ORDER BY expires_at LIMIT :limit;

-- name: vector_store_clear
-- A guard: it is still expired, and nobody has cleared it yet.
UPDATE vector_store SET is_cleared = 1
WHERE id = :id AND project = :project AND deleted_at IS NULL AND is_cleared = 0
  AND expires_at <= :now
RETURNING id;

-- name: vector_store_stop
-- Nothing more is indexed in a store.
UPDATE vector_store_file SET status = 'cancelled'
WHERE vector_store_id = :id AND project = :project AND status = 'in_progress'
  AND deleted_at IS NULL;

-- === files in stores ======================================================================

-- name: vector_store_file_get
SELECT file_id, vector_store_id, created_at, status, usage_bytes, max_tokens, overlap_tokens,
       last_error, attributes
FROM vector_store_file
WHERE vector_store_id = :vector_store_id AND project = :project AND file_id = :file_id
  AND deleted_at IS NULL
  AND EXISTS (SELECT 1 FROM vector_store
              WHERE id = :vector_store_id AND project = :project AND deleted_at IS NULL);

-- name: vector_store_file_place
SELECT created_at, position FROM vector_store_file
WHERE vector_store_id = :vector_store_id AND project = :project AND file_id = :id;

-- name: vector_store_file_list_asc
SELECT file_id, vector_store_id, created_at, status, usage_bytes, max_tokens, overlap_tokens,
       last_error, attributes
FROM vector_store_file
WHERE vector_store_id = :vector_store_id AND project = :project AND deleted_at IS NULL
  AND (created_at, position) > (:low_at, :low_id)
  AND (created_at, position) < (:high_at, :high_id)
ORDER BY created_at, position LIMIT :limit;

-- name: vector_store_file_list_desc
SELECT file_id, vector_store_id, created_at, status, usage_bytes, max_tokens, overlap_tokens,
       last_error, attributes
FROM vector_store_file
WHERE vector_store_id = :vector_store_id AND project = :project AND deleted_at IS NULL
  AND (created_at, position) > (:low_at, :low_id)
  AND (created_at, position) < (:high_at, :high_id)
ORDER BY created_at DESC, position DESC LIMIT :limit;

-- name: vector_store_file_list_of_status_asc
SELECT file_id, vector_store_id, created_at, status, usage_bytes, max_tokens, overlap_tokens,
       last_error, attributes
FROM vector_store_file
WHERE vector_store_id = :vector_store_id AND project = :project AND status = :status
  AND deleted_at IS NULL
  AND (created_at, position) > (:low_at, :low_id)
  AND (created_at, position) < (:high_at, :high_id)
ORDER BY created_at, position LIMIT :limit;

-- name: vector_store_file_list_of_status_desc
SELECT file_id, vector_store_id, created_at, status, usage_bytes, max_tokens, overlap_tokens,
       last_error, attributes
FROM vector_store_file
WHERE vector_store_id = :vector_store_id AND project = :project AND status = :status
  AND deleted_at IS NULL
  AND (created_at, position) > (:low_at, :low_id)
  AND (created_at, position) < (:high_at, :high_id)
ORDER BY created_at DESC, position DESC LIMIT :limit;

-- name: vector_store_file_set_attributes
UPDATE vector_store_file SET attributes = :attributes
WHERE vector_store_id = :vector_store_id AND project = :project AND file_id = :file_id
  AND deleted_at IS NULL
  AND EXISTS (SELECT 1 FROM vector_store
              WHERE id = :vector_store_id AND project = :project AND deleted_at IS NULL)
RETURNING file_id;

-- name: vector_store_file_delete
-- Its place stays a cursor for a day.
UPDATE vector_store_file SET deleted_at = :now
WHERE vector_store_id = :vector_store_id AND project = :project AND file_id = :file_id
  AND deleted_at IS NULL
  AND EXISTS (SELECT 1 FROM vector_store
              WHERE id = :vector_store_id AND project = :project AND deleted_at IS NULL)
RETURNING file_id;

-- name: vector_store_file_stores
-- The stores that a file is in.
SELECT vector_store_id FROM vector_store_file
WHERE project = :project AND file_id = :file_id AND deleted_at IS NULL;

-- name: vector_store_file_forget
-- A file is deleted: it is in no store any more.
UPDATE vector_store_file SET deleted_at = :now
WHERE project = :project AND file_id = :file_id AND deleted_at IS NULL;

-- === the job ==============================================================================

-- name: vector_store_file_queue
-- What is to be indexed, oldest first. Those of a store that is gone are left to the sweep.
SELECT project, vector_store_id, file_id, attempt FROM vector_store_file
WHERE status = 'in_progress' AND deleted_at IS NULL
  AND EXISTS (SELECT 1 FROM vector_store
              WHERE id = vector_store_file.vector_store_id
                AND project = vector_store_file.project AND deleted_at IS NULL)
ORDER BY created_at, position LIMIT :limit;

-- name: vector_store_file_job
SELECT attempt, tries, max_tokens, overlap_tokens, attributes FROM vector_store_file
WHERE vector_store_id = :vector_store_id AND project = :project AND file_id = :file_id
  AND status = 'in_progress' AND deleted_at IS NULL
  AND EXISTS (SELECT 1 FROM vector_store
              WHERE id = :vector_store_id AND project = :project AND deleted_at IS NULL);

-- name: vector_store_file_claim
-- A worker takes it up: from now on only writes that name this attempt count.
UPDATE vector_store_file SET attempt = :attempt + 1, tries = tries + 1
WHERE vector_store_id = :vector_store_id AND project = :project AND file_id = :file_id
  AND status = 'in_progress' AND deleted_at IS NULL AND attempt = :attempt
  AND EXISTS (SELECT 1 FROM vector_store
              WHERE id = :vector_store_id AND project = :project AND deleted_at IS NULL)
RETURNING file_id;

-- name: vector_store_file_fence
-- Goes first in every write of a worker: refused once the file is not wanted, or another's.
SELECT 1 FROM vector_store_file
WHERE vector_store_id = :vector_store_id AND project = :project AND file_id = :file_id
  AND status = 'in_progress' AND deleted_at IS NULL AND attempt = :attempt
  AND EXISTS (SELECT 1 FROM vector_store
              WHERE id = :vector_store_id AND project = :project AND deleted_at IS NULL);

-- name: vector_store_file_release
-- The server stops, and nobody is to blame: the try does not count.
UPDATE vector_store_file SET tries = tries - 1
WHERE vector_store_id = :vector_store_id AND project = :project AND file_id = :file_id
  AND status = 'in_progress' AND attempt = :attempt;

-- name: vector_store_file_finish
-- The end of the job, unless it was cancelled, removed, or is another's by now. The attributes
-- must be those that the index was told.
UPDATE vector_store_file
SET status = :status, usage_bytes = :usage_bytes, last_error = :last_error, tries = 0
WHERE vector_store_id = :vector_store_id AND project = :project AND file_id = :file_id
  AND status = 'in_progress' AND deleted_at IS NULL AND attempt = :attempt
  AND attributes = :attributes
  AND EXISTS (SELECT 1 FROM vector_store
              WHERE id = :vector_store_id AND project = :project AND deleted_at IS NULL)
RETURNING file_id;

-- === batches ==============================================================================

-- name: file_batch_insert
INSERT INTO file_batch (vector_store_id, project, id, created_at)
VALUES (:vector_store_id, :project, :id, :now);

-- name: file_batch_get
-- Counted when it is read: what was taken out of the store does not count any more.
SELECT batch.created_at, batch.cancelled_at,
  count(CASE WHEN file.status = 'in_progress' THEN 1 END),
  count(CASE WHEN file.status = 'completed' THEN 1 END),
  count(CASE WHEN file.status = 'failed' THEN 1 END),
  count(CASE WHEN file.status = 'cancelled' THEN 1 END)
FROM file_batch AS batch
LEFT JOIN file_batch_file AS member ON member.vector_store_id = batch.vector_store_id
  AND member.project = batch.project AND member.batch_id = batch.id
LEFT JOIN vector_store_file AS file ON file.vector_store_id = member.vector_store_id
  AND file.project = member.project AND file.file_id = member.file_id
  AND file.deleted_at IS NULL
WHERE batch.vector_store_id = :vector_store_id AND batch.project = :project AND batch.id = :id
  AND EXISTS (SELECT 1 FROM vector_store
              WHERE id = :vector_store_id AND project = :project AND deleted_at IS NULL)
GROUP BY batch.created_at, batch.cancelled_at;

-- name: file_batch_cancel
-- Files that are being indexed come to an end; what is indexed stays.
UPDATE vector_store_file SET status = 'cancelled'
WHERE vector_store_id = :vector_store_id AND project = :project
  AND status = 'in_progress' AND deleted_at IS NULL
  AND file_id IN (SELECT file_id FROM file_batch_file
                  WHERE vector_store_id = :vector_store_id AND project = :project
                    AND batch_id = :id)
RETURNING file_id;

-- name: file_batch_discard_chunks
-- What was written of files that are cancelled is found no more, and swept.
INSERT INTO chunk_garbage (number)
SELECT written.number
FROM chunk_store AS store JOIN chunk_file AS written ON written.store = store.number
WHERE store.project = :project AND store.vector_store_id = :vector_store_id
  AND written.file_id IN (
    SELECT member.file_id
    FROM file_batch_file AS member
    JOIN vector_store_file AS file
      ON file.vector_store_id = member.vector_store_id AND file.project = member.project
      AND file.file_id = member.file_id
    WHERE member.vector_store_id = :vector_store_id AND member.project = :project
      AND member.batch_id = :id AND file.status = 'cancelled');

-- name: file_batch_remove_chunks
-- Goes with file_batch_discard_chunks.
DELETE FROM chunk_file WHERE number IN (SELECT number FROM chunk_garbage) AND store = (
  SELECT number FROM chunk_store
  WHERE project = :project AND vector_store_id = :vector_store_id);

-- name: file_batch_mark_cancelled
UPDATE file_batch SET cancelled_at = :now
WHERE vector_store_id = :vector_store_id AND project = :project AND id = :id;

-- name: file_batch_file_place
SELECT 0, position FROM file_batch_file
WHERE vector_store_id = :vector_store_id AND project = :project AND batch_id = :batch_id
  AND file_id = :id;

-- name: file_batch_file_list_asc
SELECT file.file_id, file.vector_store_id, file.created_at, file.status, file.usage_bytes,
       file.max_tokens, file.overlap_tokens, file.last_error, file.attributes
FROM file_batch_file AS member
JOIN vector_store_file AS file ON file.vector_store_id = member.vector_store_id
  AND file.project = member.project AND file.file_id = member.file_id
WHERE member.vector_store_id = :vector_store_id AND member.project = :project
  AND member.batch_id = :batch_id AND member.position > :low_id AND member.position < :high_id
  AND file.deleted_at IS NULL AND (CAST(:status AS TEXT) IS NULL OR file.status = :status)
ORDER BY member.position LIMIT :limit;

-- name: file_batch_file_list_desc
SELECT file.file_id, file.vector_store_id, file.created_at, file.status, file.usage_bytes,
       file.max_tokens, file.overlap_tokens, file.last_error, file.attributes
FROM file_batch_file AS member
JOIN vector_store_file AS file ON file.vector_store_id = member.vector_store_id
  AND file.project = member.project AND file.file_id = member.file_id
WHERE member.vector_store_id = :vector_store_id AND member.project = :project
  AND member.batch_id = :batch_id AND member.position > :low_id AND member.position < :high_id
  AND file.deleted_at IS NULL AND (CAST(:status AS TEXT) IS NULL OR file.status = :status)
ORDER BY member.position DESC LIMIT :limit;

-- === timed chores =========================================================================

-- name: sweep_next_vector_store
-- A deleted store whose rows are still there, oldest first.
SELECT id, project FROM vector_store
WHERE deleted_at IS NOT NULL AND is_swept = 0 ORDER BY deleted_at LIMIT 1;

-- name: sweep_mark_vector_store
-- Says so when the last row is gone; until then it changes nothing.
UPDATE vector_store SET is_swept = 1
WHERE id = :id AND project = :project AND deleted_at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM vector_store_file
                  WHERE vector_store_id = :id AND project = :project)
  AND NOT EXISTS (SELECT 1 FROM file_batch_file
                  WHERE vector_store_id = :id AND project = :project)
  AND NOT EXISTS (SELECT 1 FROM file_batch
                  WHERE vector_store_id = :id AND project = :project);

-- === searches of runs =====================================================================

-- name: run_search_insert
-- A guard ahead of it has checked the run.
INSERT INTO run_search (thread_id, project, run_id, call_id, mark, arguments, passages)
VALUES (:thread_id, :project, :run_id, :call_id, :mark, :arguments, :passages);

-- name: run_search_list
SELECT call_id, mark, arguments, passages FROM run_search
WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id;
