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
