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

-- === the queue ============================================================================
-- Its tables and functions are Procrastinate's, of which a migration keeps the copy.

-- name: job_enqueue
-- In the write that makes the job necessary; a trigger tells the workers at the commit. A queue
-- for each task: a node of an older version takes only what it knows.
SELECT procrastinate_defer_jobs_v1(ARRAY[CAST(
  ROW(CAST(:task AS text), CAST(:task AS text), 0, NULL, NULL, CAST(CAST(:key AS text) AS jsonb), NULL)
  AS procrastinate_job_to_defer_v1)]);

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
