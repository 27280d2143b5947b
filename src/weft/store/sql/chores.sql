-- Timed chores: clearing away, in slices, what nobody needs any more.

-- name: sweep_next_thread
-- A deleted thread whose messages are still there, oldest first.
SELECT id, project FROM thread
WHERE deleted_at IS NOT NULL AND is_swept = 0 ORDER BY deleted_at LIMIT 1;

-- name: sweep_fence
-- Only what is still deleted is swept: a thread may be restored between two slices.
SELECT 1 FROM thread WHERE id = :id AND project = :project AND deleted_at IS NOT NULL;

-- name: sweep_mark_thread
-- Says so when the last message is gone; until then it changes nothing.
UPDATE thread SET is_swept = 1
WHERE id = :id AND project = :project AND deleted_at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM message WHERE thread_id = :id AND project = :project)
  AND NOT EXISTS (SELECT 1 FROM run WHERE thread_id = :id AND project = :project)
  AND NOT EXISTS (SELECT 1 FROM run_step WHERE thread_id = :id AND project = :project)
  AND NOT EXISTS (SELECT 1 FROM run_event WHERE thread_id = :id AND project = :project)
  AND NOT EXISTS (SELECT 1 FROM run_search WHERE thread_id = :id AND project = :project);

-- name: sweep_messages
-- A slice of a deleted thread's messages.
DELETE FROM message WHERE (id, thread_id, project) IN (
  SELECT id, thread_id, project FROM message WHERE thread_id = :id AND project = :project LIMIT :slice
);

-- name: sweep_run_events
-- A slice of the events under a deleted thread.
DELETE FROM run_event WHERE (thread_id, project, run_id, number) IN (
  SELECT thread_id, project, run_id, number FROM run_event
  WHERE thread_id = :id AND project = :project LIMIT :slice
);

-- name: sweep_run_steps
DELETE FROM run_step WHERE (thread_id, project, run_id, id) IN (
  SELECT thread_id, project, run_id, id FROM run_step
  WHERE thread_id = :id AND project = :project LIMIT :slice
);

-- name: sweep_run_searches
DELETE FROM run_search WHERE (thread_id, project, run_id, call_id) IN (
  SELECT thread_id, project, run_id, call_id FROM run_search
  WHERE thread_id = :id AND project = :project LIMIT :slice
);

-- name: sweep_runs
-- Goes after the events and steps: a worker may still be writing until its run is gone.
DELETE FROM run WHERE (thread_id, project, id) IN (
  SELECT thread_id, project, id FROM run
  WHERE thread_id = :id AND project = :project LIMIT :slice
);

-- name: sweep_log
-- A slice of the log of a run that ended more than a day ago.
DELETE FROM run_event WHERE (thread_id, project, run_id, number) IN (
  SELECT thread_id, project, run_id, number FROM run_event
  WHERE thread_id = :thread_id AND project = :project AND run_id = :id LIMIT :slice
);

-- name: sweep_old_threads
-- Tombstones whose day as a cursor is over. All of these say when there was none.
DELETE FROM thread WHERE (id, project) IN (
  SELECT id, project FROM thread
  WHERE deleted_at < :before AND is_swept = 1 LIMIT :slice
) RETURNING 1;

-- name: sweep_old_messages
DELETE FROM message WHERE (id, thread_id, project) IN (
  SELECT id, thread_id, project FROM message WHERE deleted_at < :before LIMIT :slice
) RETURNING 1;

-- name: sweep_old_assistants
DELETE FROM assistant WHERE (id, project) IN (
  SELECT id, project FROM assistant WHERE deleted_at < :before LIMIT :slice
) RETURNING 1;

-- name: sweep_old_keys
-- Idempotency keys that nobody may repeat any more.
DELETE FROM idempotency WHERE (project, key) IN (
  SELECT project, key FROM idempotency WHERE created_at < :before LIMIT :slice
) RETURNING 1;

-- name: sweep_next_log
-- A run that ended more than a day ago and still has its log.
SELECT thread_id, project, id FROM run
WHERE ended_at < :before AND has_log = 1 ORDER BY ended_at LIMIT 1;

-- name: sweep_mark_log
UPDATE run SET has_log = 0
WHERE thread_id = :thread_id AND project = :project AND id = :id
  AND NOT EXISTS (SELECT 1 FROM run_event
                  WHERE thread_id = :thread_id AND project = :project AND run_id = :id);

-- name: sweep_vector_store_files
-- A slice of the files of a deleted store.
DELETE FROM vector_store_file WHERE (vector_store_id, project, file_id) IN (
  SELECT vector_store_id, project, file_id FROM vector_store_file
  WHERE vector_store_id = :id AND project = :project LIMIT :slice
);

-- name: sweep_file_batch_files
DELETE FROM file_batch_file WHERE (vector_store_id, project, batch_id, position) IN (
  SELECT vector_store_id, project, batch_id, position FROM file_batch_file
  WHERE vector_store_id = :id AND project = :project LIMIT :slice
);

-- name: sweep_file_batches
DELETE FROM file_batch WHERE (vector_store_id, project, id) IN (
  SELECT vector_store_id, project, id FROM file_batch
  WHERE vector_store_id = :id AND project = :project LIMIT :slice
);

-- name: sweep_old_vector_stores
DELETE FROM vector_store WHERE (id, project) IN (
  SELECT id, project FROM vector_store
  WHERE deleted_at < :before AND is_swept = 1 LIMIT :slice
) RETURNING 1;

-- name: sweep_old_vector_store_files
DELETE FROM vector_store_file WHERE (vector_store_id, project, file_id) IN (
  SELECT vector_store_id, project, file_id FROM vector_store_file
  WHERE deleted_at < :before LIMIT :slice
) RETURNING 1;

-- name: sweep_old_files
DELETE FROM file WHERE (id, project) IN (
  SELECT id, project FROM file WHERE deleted_at < :before LIMIT :slice
) RETURNING 1;

-- name: sweep_old_uploads
DELETE FROM upload WHERE (id, project) IN (
  SELECT id, project FROM upload WHERE ended_at < :before LIMIT :slice
) RETURNING 1;
