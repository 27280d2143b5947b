-- Statements that every database understands. Each has its reason above it.
-- Parameters are named; instants are unix seconds; wire is the object's JSON.
-- A row with deleted_at is a tombstone: it hides, but its place in a list stays known
-- for a day, because clients delete while they page.

-- === threads ==============================================================================

-- name: thread_insert
-- A new thread: its id is fresh, so nothing can stand in its way.
INSERT INTO thread (id, project, created_at, inserted_at, wire)
VALUES (:id, :project, :created_at, :now, :wire);

-- name: thread_restore
-- A thread with its own id: only where there is none, or one that is deleted and swept.
INSERT INTO thread (id, project, created_at, inserted_at, wire)
VALUES (:id, :project, :created_at, :now, :wire)
ON CONFLICT (id, project) DO UPDATE
SET created_at = excluded.created_at, inserted_at = excluded.inserted_at,
    wire = excluded.wire, deleted_at = NULL, is_swept = 0
WHERE thread.deleted_at IS NOT NULL AND thread.is_swept = 1
RETURNING id;

-- name: thread_get
-- The whole answer of GET in one lookup.
SELECT wire FROM thread WHERE id = :id AND project = :project AND deleted_at IS NULL;

-- name: thread_alive
SELECT 1 FROM thread WHERE id = :thread_id AND project = :project AND deleted_at IS NULL;

-- name: thread_place
-- Where a thread stands in lists, also when it is deleted: for cursors and for restoring.
SELECT created_at, id, deleted_at, is_swept FROM thread WHERE id = :id AND project = :project;

-- name: thread_replace
-- Compare and set: two changes at once never lose one of them.
UPDATE thread SET wire = :wire
WHERE id = :id AND project = :project AND deleted_at IS NULL AND wire = :was
RETURNING id;

-- name: thread_delete
-- Hides a thread and everything under it at once; the messages are swept later.
UPDATE thread SET deleted_at = :now, wire = ''
WHERE id = :id AND project = :project AND deleted_at IS NULL AND wire = :was
RETURNING id;

-- name: thread_list_asc
-- Both bounds are always there (open ends are extreme values), so that one plan serves all.
SELECT id, wire FROM thread
WHERE project = :project AND deleted_at IS NULL
  AND (created_at, id) > (:low_at, :low_id) AND (created_at, id) < (:high_at, :high_id)
ORDER BY created_at, id LIMIT :limit;

-- name: thread_list_desc
SELECT id, wire FROM thread
WHERE project = :project AND deleted_at IS NULL
  AND (created_at, id) > (:low_at, :low_id) AND (created_at, id) < (:high_at, :high_id)
ORDER BY created_at DESC, id DESC LIMIT :limit;

-- name: thread_metadata_insert
INSERT INTO thread_metadata (project, key, value, created_at, thread_id)
VALUES (:project, :key, :value, :created_at, :thread_id);

-- name: thread_metadata_delete
DELETE FROM thread_metadata
WHERE project = :project AND key = :key AND value = :value
  AND created_at = :created_at AND thread_id = :thread_id;

-- name: thread_metadata_count
-- How common a pair is, without counting further than it matters.
SELECT count(*) FROM (
  SELECT 1 FROM thread_metadata
  WHERE project = :project AND key = :key AND value = :value LIMIT :most
) AS some;

-- === messages =============================================================================

-- name: message_insert
-- A message of a thread that is made in the same write.
INSERT INTO message (thread_id, project, id, created_at, position, run_id, inserted_at, wire)
VALUES (:thread_id, :project, :id, :created_at, :position, :run_id, :now, :wire);

-- name: message_may_append
-- Goes ahead of a new message: the thread is there, no run locks it, and no newer message stands
-- in it (another node's clock is ahead): the date of new messages never decreases. Guard and
-- insert are two statements because an INSERT that selects from its own table costs twice both.
SELECT 1 FROM thread
WHERE id = :thread_id AND project = :project AND deleted_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM message
                  WHERE thread_id = :thread_id AND project = :project
                    AND created_at > :created_at)
  AND NOT EXISTS (SELECT 1 FROM run
                  WHERE thread_id = :thread_id AND project = :project AND is_waiting = 0
                    AND status IN ('queued', 'in_progress', 'requires_action', 'cancelling'));

-- name: message_may_wait
-- The same for a message that comes with a waiting run: it does not mind the active one.
SELECT 1 FROM thread
WHERE id = :thread_id AND project = :project AND deleted_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM message
                  WHERE thread_id = :thread_id AND project = :project
                    AND created_at > :created_at);

-- name: message_append
-- The last message of its second; a guard ahead of it has checked the thread or the run.
INSERT INTO message (thread_id, project, id, created_at, position, run_id, inserted_at, wire)
VALUES (:thread_id, :project, :id, :created_at,
        coalesce((SELECT max(position) FROM message
                  WHERE thread_id = :thread_id AND project = :project
                    AND created_at = :created_at), 0) + 1,
        :run_id, :now, :wire);

-- name: message_restore
-- A message with its own id and date; it may take the place of a deleted one.
INSERT INTO message (thread_id, project, id, created_at, position, run_id, inserted_at, wire)
VALUES (:thread_id, :project, :id, :created_at,
        coalesce((SELECT max(position) FROM message
                  WHERE thread_id = :thread_id AND project = :project
                    AND created_at = :created_at), 0) + 1,
        :run_id, :now, :wire)
ON CONFLICT (id, thread_id, project) DO UPDATE
SET created_at = excluded.created_at, position = excluded.position, run_id = excluded.run_id,
    inserted_at = excluded.inserted_at, wire = excluded.wire, deleted_at = NULL
WHERE message.deleted_at IS NOT NULL
RETURNING position;

-- name: message_newest_date
SELECT max(created_at) FROM message WHERE thread_id = :thread_id AND project = :project;

-- name: message_get
SELECT wire FROM message
WHERE thread_id = :thread_id AND project = :project AND id = :id AND deleted_at IS NULL
  AND EXISTS (SELECT 1 FROM thread
              WHERE id = :thread_id AND project = :project AND deleted_at IS NULL);

-- name: message_place
-- Where a message stands in its thread, also when it is deleted.
SELECT created_at, position, deleted_at FROM message
WHERE thread_id = :thread_id AND project = :project AND id = :id;

-- name: message_replace
UPDATE message SET wire = :wire
WHERE thread_id = :thread_id AND project = :project AND id = :id AND deleted_at IS NULL
  AND wire = :was
  AND EXISTS (SELECT 1 FROM thread
              WHERE id = :thread_id AND project = :project AND deleted_at IS NULL)
RETURNING id;

-- name: message_delete
-- The text goes, the place stays for a day.
UPDATE message SET deleted_at = :now, wire = ''
WHERE thread_id = :thread_id AND project = :project AND id = :id AND deleted_at IS NULL
  AND EXISTS (SELECT 1 FROM thread
              WHERE id = :thread_id AND project = :project AND deleted_at IS NULL)
RETURNING id;

-- name: message_list_asc
SELECT id, wire FROM message
WHERE thread_id = :thread_id AND project = :project AND deleted_at IS NULL
  AND (created_at, position) > (:low_at, :low_id)
  AND (created_at, position) < (:high_at, :high_id)
  AND EXISTS (SELECT 1 FROM thread
              WHERE id = :thread_id AND project = :project AND deleted_at IS NULL)
ORDER BY created_at, position LIMIT :limit;

-- name: message_list_desc
SELECT id, wire FROM message
WHERE thread_id = :thread_id AND project = :project AND deleted_at IS NULL
  AND (created_at, position) > (:low_at, :low_id)
  AND (created_at, position) < (:high_at, :high_id)
  AND EXISTS (SELECT 1 FROM thread
              WHERE id = :thread_id AND project = :project AND deleted_at IS NULL)
ORDER BY created_at DESC, position DESC LIMIT :limit;

-- name: message_list_of_run_asc
SELECT id, wire FROM message
WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id AND deleted_at IS NULL
  AND (created_at, position) > (:low_at, :low_id)
  AND (created_at, position) < (:high_at, :high_id)
  AND EXISTS (SELECT 1 FROM thread
              WHERE id = :thread_id AND project = :project AND deleted_at IS NULL)
ORDER BY created_at, position LIMIT :limit;

-- name: message_list_of_run_desc
SELECT id, wire FROM message
WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id AND deleted_at IS NULL
  AND (created_at, position) > (:low_at, :low_id)
  AND (created_at, position) < (:high_at, :high_id)
  AND EXISTS (SELECT 1 FROM thread
              WHERE id = :thread_id AND project = :project AND deleted_at IS NULL)
ORDER BY created_at DESC, position DESC LIMIT :limit;

-- === assistants ===========================================================================

-- name: assistant_insert
INSERT INTO assistant (id, project, created_at, inserted_at, wire)
VALUES (:id, :project, :created_at, :now, :wire);

-- name: assistant_get
SELECT wire FROM assistant WHERE id = :id AND project = :project AND deleted_at IS NULL;

-- name: assistant_place
SELECT created_at, id, deleted_at FROM assistant WHERE id = :id AND project = :project;

-- name: assistant_replace
UPDATE assistant SET wire = :wire
WHERE id = :id AND project = :project AND deleted_at IS NULL AND wire = :was
RETURNING id;

-- name: assistant_delete
UPDATE assistant SET deleted_at = :now, wire = ''
WHERE id = :id AND project = :project AND deleted_at IS NULL
RETURNING id;

-- name: assistant_list_asc
SELECT id, wire FROM assistant
WHERE project = :project AND deleted_at IS NULL
  AND (created_at, id) > (:low_at, :low_id) AND (created_at, id) < (:high_at, :high_id)
ORDER BY created_at, id LIMIT :limit;

-- name: assistant_list_desc
SELECT id, wire FROM assistant
WHERE project = :project AND deleted_at IS NULL
  AND (created_at, id) > (:low_at, :low_id) AND (created_at, id) < (:high_at, :high_id)
ORDER BY created_at DESC, id DESC LIMIT :limit;

-- === idempotency ==========================================================================

-- name: idempotency_get
SELECT request_hash, status, answer FROM idempotency
WHERE project = :project AND key = :key AND created_at > :expired_at;

-- name: idempotency_insert
-- The answer goes in with the write that it answers for. A live key refuses the whole write.
INSERT INTO idempotency (project, key, request_hash, status, answer, created_at)
VALUES (:project, :key, :request_hash, :status, :answer, :now)
ON CONFLICT (project, key) DO UPDATE
SET request_hash = excluded.request_hash, status = excluded.status,
    answer = excluded.answer, created_at = excluded.created_at
WHERE idempotency.created_at <= :expired_at
RETURNING key;

-- === API keys =============================================================================

-- name: key_insert
INSERT INTO api_key (id, project, name, hash, hint, created_at)
VALUES (:id, :project, :name, :hash, :hint, :now);

-- name: key_project
-- Who is asking: the project of a key that is not revoked.
SELECT project FROM api_key WHERE hash = :hash AND revoked_at IS NULL;

-- name: key_any
-- Once a key has existed, nobody comes in without one again.
SELECT 1 FROM api_key LIMIT 1;

-- name: key_list
SELECT id, project, name, hint, created_at, revoked_at FROM api_key ORDER BY created_at, id;

-- name: key_revoke
UPDATE api_key SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL RETURNING id;

-- === timed chores =========================================================================

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

-- name: sweep_next_log
-- A run that ended more than a day ago and still has its log.
SELECT thread_id, project, id FROM run
WHERE ended_at < :before AND has_log = 1 ORDER BY ended_at LIMIT 1;

-- name: sweep_mark_log
UPDATE run SET has_log = 0
WHERE thread_id = :thread_id AND project = :project AND id = :id
  AND NOT EXISTS (SELECT 1 FROM run_event
                  WHERE thread_id = :thread_id AND project = :project AND run_id = :id);

-- === runs =================================================================================

-- name: run_insert
-- A run of a thread that has no active one; the partial index keeps it so. Nor may it overtake
-- one that waits for its turn. The place of the thread's last message is noted: what users send
-- later is not for this run.
INSERT INTO run (thread_id, project, id, created_at, status, is_waiting, expires_at, wire,
                 sees_at, sees_position)
SELECT :thread_id, :project, :id, :created_at, 'queued', 0, :expires_at, :wire,
       coalesce(max(last.created_at), -1), coalesce(max(last.position), -1)
FROM (SELECT created_at, position FROM message
      WHERE thread_id = :thread_id AND project = :project
      ORDER BY created_at DESC, position DESC LIMIT 1) AS last
HAVING EXISTS (SELECT 1 FROM thread
               WHERE id = :thread_id AND project = :project AND deleted_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM run
                  WHERE thread_id = :thread_id AND project = :project AND is_waiting = 0
                    AND status IN ('queued', 'in_progress', 'requires_action', 'cancelling'))
  AND NOT EXISTS (SELECT 1 FROM run
                  WHERE thread_id = :thread_id AND project = :project AND is_waiting = 1
                    AND status = 'queued')
RETURNING id;

-- name: run_insert_waiting
-- A run behind others of its thread: it stands outside the index, and its time does not run.
INSERT INTO run (thread_id, project, id, created_at, status, is_waiting, expires_at, wire,
                 sees_at, sees_position)
SELECT :thread_id, :project, :id, :created_at, 'queued', 1, NULL, :wire,
       coalesce(max(last.created_at), -1), coalesce(max(last.position), -1)
FROM (SELECT created_at, position FROM message
      WHERE thread_id = :thread_id AND project = :project
      ORDER BY created_at DESC, position DESC LIMIT 1) AS last
HAVING EXISTS (SELECT 1 FROM thread
               WHERE id = :thread_id AND project = :project AND deleted_at IS NULL)
  AND (EXISTS (SELECT 1 FROM run
               WHERE thread_id = :thread_id AND project = :project AND is_waiting = 0
                 AND status IN ('queued', 'in_progress', 'requires_action', 'cancelling'))
       OR EXISTS (SELECT 1 FROM run
                  WHERE thread_id = :thread_id AND project = :project AND is_waiting = 1
                    AND status = 'queued'))
RETURNING id;

-- name: run_promotable
-- The first waiting run of each thread that has no active one.
SELECT thread_id, project, min(id) FROM run AS waiting
WHERE is_waiting = 1 AND status = 'queued'
  AND NOT EXISTS (SELECT 1 FROM run AS active
                  WHERE active.thread_id = waiting.thread_id AND active.project = waiting.project
                    AND active.is_waiting = 0
                    AND active.status IN ('queued', 'in_progress', 'requires_action', 'cancelling'))
  AND NOT EXISTS (SELECT 1 FROM run AS earlier
                  WHERE earlier.thread_id = waiting.thread_id AND earlier.project = waiting.project
                    AND earlier.is_waiting = 1 AND earlier.status = 'queued'
                    AND (earlier.created_at, earlier.id) < (waiting.created_at, waiting.id))
GROUP BY thread_id, project LIMIT :limit;

-- name: run_next_waiting
-- Whose turn it is in a thread that has no active run.
SELECT thread_id, project, id FROM run
WHERE thread_id = :thread_id AND project = :project AND is_waiting = 1 AND status = 'queued'
  AND NOT EXISTS (SELECT 1 FROM run AS active
                  WHERE active.thread_id = :thread_id AND active.project = :project
                    AND active.is_waiting = 0
                    AND active.status IN ('queued', 'in_progress', 'requires_action', 'cancelling'))
ORDER BY created_at, id LIMIT 1;

-- name: run_promote
-- Its turn: it becomes the active run, and its time begins.
UPDATE run SET is_waiting = 0, wire = :wire, expires_at = :expires_at
WHERE thread_id = :thread_id AND project = :project AND id = :id AND wire = :was
  AND is_waiting = 1 AND status = 'queued'
  AND NOT EXISTS (SELECT 1 FROM run AS active
                  WHERE active.thread_id = :thread_id AND active.project = :project
                    AND active.is_waiting = 0
                    AND active.status IN ('queued', 'in_progress', 'requires_action', 'cancelling'))
RETURNING id;

-- name: run_get
SELECT wire FROM run
WHERE thread_id = :thread_id AND project = :project AND id = :id
  AND EXISTS (SELECT 1 FROM thread
              WHERE id = :thread_id AND project = :project AND deleted_at IS NULL);

-- name: run_active_of
-- The run that locks a thread.
SELECT id FROM run
WHERE thread_id = :thread_id AND project = :project AND is_waiting = 0
  AND status IN ('queued', 'in_progress', 'requires_action', 'cancelling');

-- name: run_place
SELECT created_at, id FROM run WHERE thread_id = :thread_id AND project = :project AND id = :id;

-- name: run_replace
-- Compare and set; status, expiry and wire always change together. The attempt keeps out a
-- worker whose run was taken up by another. What has ended stays so, also when a client changes
-- its metadata, and waits for nothing any more.
UPDATE run SET wire = :wire, status = :status, expires_at = :expires_at,
  ended_at = coalesce(ended_at, :ended_at),
  is_waiting = CASE WHEN :ended_at IS NULL THEN is_waiting ELSE 0 END
WHERE thread_id = :thread_id AND project = :project AND id = :id AND wire = :was
  AND attempt = :attempt
  AND EXISTS (SELECT 1 FROM thread
              WHERE id = :thread_id AND project = :project AND deleted_at IS NULL)
RETURNING id;

-- name: run_claim
-- A worker takes a run up: from now on only writes that name this attempt count.
UPDATE run SET wire = :wire, status = 'in_progress', attempt = :attempt,
  recoveries = CASE status WHEN 'in_progress' THEN recoveries + 1 ELSE 0 END
WHERE thread_id = :thread_id AND project = :project AND id = :id AND wire = :was
  AND attempt = :attempt - 1
  AND EXISTS (SELECT 1 FROM thread
              WHERE id = :thread_id AND project = :project AND deleted_at IS NULL)
RETURNING id;

-- name: run_fence
-- Goes first in every write of a worker: refused once the run is cancelled, expired, or another's.
SELECT 1 FROM run
WHERE thread_id = :thread_id AND project = :project AND id = :id
  AND status = 'in_progress' AND attempt = :attempt
  AND EXISTS (SELECT 1 FROM thread
              WHERE id = :thread_id AND project = :project AND deleted_at IS NULL);

-- name: run_state
SELECT wire, attempt, recoveries FROM run
WHERE thread_id = :thread_id AND project = :project AND id = :id;

-- name: run_list_asc
SELECT id, wire FROM run
WHERE thread_id = :thread_id AND project = :project
  AND (created_at, id) > (:low_at, :low_id) AND (created_at, id) < (:high_at, :high_id)
  AND EXISTS (SELECT 1 FROM thread
              WHERE id = :thread_id AND project = :project AND deleted_at IS NULL)
ORDER BY created_at, id LIMIT :limit;

-- name: run_list_desc
SELECT id, wire FROM run
WHERE thread_id = :thread_id AND project = :project
  AND (created_at, id) > (:low_at, :low_id) AND (created_at, id) < (:high_at, :high_id)
  AND EXISTS (SELECT 1 FROM thread
              WHERE id = :thread_id AND project = :project AND deleted_at IS NULL)
ORDER BY created_at DESC, id DESC LIMIT :limit;

-- name: run_queued
-- What waits for a worker, oldest first.
SELECT thread_id, project, id FROM run
WHERE status = 'queued' AND is_waiting = 0 ORDER BY created_at LIMIT :limit;

-- name: run_cancelling
-- What a client has cancelled and a worker has to end.
SELECT thread_id, project, id FROM run WHERE status = 'cancelling' ORDER BY created_at LIMIT :limit;

-- name: run_in_progress
-- What a worker that died has left.
SELECT thread_id, project, id FROM run
WHERE status = 'in_progress' ORDER BY created_at LIMIT :limit;

-- name: run_overdue
SELECT thread_id, project, id FROM run
WHERE expires_at IS NOT NULL AND ended_at IS NULL AND expires_at <= :now LIMIT :limit;

-- name: run_step_insert
INSERT INTO run_step (thread_id, project, run_id, id, created_at, position, wire)
SELECT :thread_id, :project, :run_id, :id, :created_at,
       coalesce((SELECT max(position) FROM run_step
                 WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id), 0) + 1,
       :wire;

-- name: run_step_replace
UPDATE run_step SET wire = :wire
WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id AND id = :id;

-- name: run_step_get
SELECT wire FROM run_step
WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id AND id = :id
  AND EXISTS (SELECT 1 FROM thread
              WHERE id = :thread_id AND project = :project AND deleted_at IS NULL);

-- name: run_step_place
SELECT 0, position FROM run_step
WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id AND id = :id;

-- name: run_step_list_asc
SELECT id, wire FROM run_step
WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id
  AND position > :low_id AND position < :high_id
ORDER BY position LIMIT :limit;

-- name: run_step_list_desc
SELECT id, wire FROM run_step
WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id
  AND position > :low_id AND position < :high_id
ORDER BY position DESC LIMIT :limit;

-- name: run_step_last
-- The newest step of a run: what a crash may have left open.
SELECT id, wire FROM run_step
WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id
ORDER BY position DESC LIMIT 1;

-- name: run_event_append
-- The number is counted where it is written: workers and clients both write events.
INSERT INTO run_event (thread_id, project, run_id, number, count, name, data)
SELECT :thread_id, :project, :run_id,
       coalesce((SELECT number + count FROM run_event
                 WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id
                 ORDER BY number DESC LIMIT 1), 1),
       :count, :name, :data;

-- name: run_event_list
-- The rows that hold events behind a number: the first may begin ahead of it.
SELECT number, count, name, data FROM run_event
WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id
  AND number >= coalesce((SELECT number FROM run_event
                          WHERE thread_id = :thread_id AND project = :project
                            AND run_id = :run_id AND number <= :after + 1
                          ORDER BY number DESC LIMIT 1), 0)
  AND number + count > :after + 1
ORDER BY number LIMIT :limit;

-- name: run_event_last
-- How far the log of a run goes.
SELECT number + count - 1 FROM run_event
WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id
ORDER BY number DESC LIMIT 1;

-- name: run_event_stands_at
-- Whoever ends a run has read its log: refused when a worker wrote on meanwhile.
SELECT 1 WHERE :last = coalesce((SELECT number + count - 1 FROM run_event
                                 WHERE thread_id = :thread_id AND project = :project
                                   AND run_id = :run_id
                                 ORDER BY number DESC LIMIT 1), 0);

-- name: run_event_deltas_of
-- What was streamed of an object, from an event on: a crash left it unfinished.
SELECT data FROM run_event
WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id
  AND number > :after AND name = :name
ORDER BY number;

-- name: message_context
-- What the model reads, newest first, with the places to go on from: the users' messages up to
-- the run's beginning, and every answer but its own, with the place up to which it had read.
SELECT message.created_at, message.position, message.wire, author.sees_at, author.sees_position
FROM run JOIN message ON message.thread_id = run.thread_id AND message.project = run.project
LEFT JOIN run AS author ON author.thread_id = message.thread_id
  AND author.project = message.project AND author.id = message.run_id
WHERE run.thread_id = :thread_id AND run.project = :project AND run.id = :id
  AND message.deleted_at IS NULL
  AND (message.created_at, message.position) < (:high_at, :high_id)
  AND (message.run_id <> :id
       OR (message.run_id IS NULL
           AND (message.created_at, message.position) <= (run.sees_at, run.sees_position)))
ORDER BY message.created_at DESC, message.position DESC LIMIT :limit;

-- name: thread_has_user_message
SELECT 1 FROM message
WHERE thread_id = :thread_id AND project = :project AND deleted_at IS NULL
  AND wire LIKE '%"role":"user","content":[%' LIMIT 1;

-- name: run_event_submitted_at
-- Where the stream of the last submission begins: behind the request that it answers.
SELECT coalesce(max(number), 0) FROM run_event
WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id
  AND name = 'thread.run.requires_action'
  AND number < (SELECT max(number) FROM run_event
                WHERE thread_id = :thread_id AND project = :project AND run_id = :run_id
                  AND name = 'thread.run.queued');

-- name: message_write
-- A worker ends its own message.
UPDATE message SET wire = :wire
WHERE thread_id = :thread_id AND project = :project AND id = :id AND deleted_at IS NULL;
