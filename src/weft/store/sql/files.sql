-- Files, uploads and where their bytes lie: for every database. The rules are those of shared.sql.

-- === contents =============================================================================

-- name: blob_arrive
-- Ahead of the first byte: whatever happens now, the location will not be forgotten.
INSERT INTO blob_orphan (location, remove_at) VALUES (:location, :remove_at);

-- name: blob_insert
-- The bytes are there. Those of the same content that came first stay.
INSERT INTO blob (sha256, location, bytes)
SELECT :sha256, location, :bytes FROM blob_orphan WHERE location = :location
ON CONFLICT (sha256) DO NOTHING;

-- name: blob_adopt
-- A location that a blob has is no orphan any more.
DELETE FROM blob_orphan
WHERE location = :location
  AND EXISTS (SELECT 1 FROM blob WHERE sha256 = :sha256 AND location = :location);

-- name: blob_abandon
-- Nobody wants these bytes; of a location that a blob has there is no such row.
UPDATE blob_orphan SET remove_at = 0 WHERE location = :location;

-- name: blob_release
-- Goes with every write that lets go of a content. It writes also what stands there: whoever is
-- about to check it then waits for this write.
INSERT INTO blob_released (sha256) VALUES (:sha256) ON CONFLICT (sha256) DO UPDATE SET sha256 = excluded.sha256;

-- name: blob_release_parts
INSERT INTO blob_released (sha256)
SELECT DISTINCT sha256 FROM upload_part WHERE upload_id = :upload_id AND project = :project
ON CONFLICT (sha256) DO UPDATE SET sha256 = excluded.sha256;

-- name: blob_released
SELECT sha256 FROM blob_released ORDER BY sha256 LIMIT :limit;

-- name: blob_orphan_unused
-- A content that nothing refers to becomes an orphan, to be removed at once.
INSERT INTO blob_orphan (location, remove_at)
SELECT location, 0 FROM blob
WHERE sha256 = :sha256
  AND NOT EXISTS (SELECT 1 FROM file WHERE sha256 = :sha256)
  AND NOT EXISTS (SELECT 1 FROM upload_part WHERE sha256 = :sha256);

-- name: blob_delete_unused
DELETE FROM blob
WHERE sha256 = :sha256
  AND NOT EXISTS (SELECT 1 FROM file WHERE sha256 = :sha256)
  AND NOT EXISTS (SELECT 1 FROM upload_part WHERE sha256 = :sha256);

-- name: blob_checked
-- Goes first: what is let go of from now on is noted anew.
DELETE FROM blob_released WHERE sha256 = :sha256;

-- name: blob_orphans_due
SELECT location FROM blob_orphan WHERE remove_at <= :now ORDER BY remove_at LIMIT :limit;

-- name: blob_orphan_removed
DELETE FROM blob_orphan WHERE location = :location;

-- === files ================================================================================

-- name: file_insert
INSERT INTO file (id, project, created_at, inserted_at, purpose, filename, bytes, sha256,
                  expires_at, wire)
VALUES (:id, :project, :created_at, :now, :purpose, :filename, :bytes, :sha256,
        :expires_at, :wire);

-- name: file_get
SELECT wire FROM file WHERE id = :id AND project = :project AND deleted_at IS NULL;

-- name: file_content
-- What is needed to read a file's bytes.
SELECT file.filename, file.bytes, file.sha256, blob.location, file.purpose
FROM file JOIN blob ON blob.sha256 = file.sha256
WHERE file.id = :id AND file.project = :project AND file.deleted_at IS NULL;

-- name: file_place
SELECT created_at, id FROM file WHERE id = :id AND project = :project;

-- name: file_release
-- Ahead of file_delete, which forgets what the file referred to.
INSERT INTO blob_released (sha256)
SELECT sha256 FROM file WHERE id = :id AND project = :project AND deleted_at IS NULL
ON CONFLICT (sha256) DO UPDATE SET sha256 = excluded.sha256;

-- name: file_delete
UPDATE file SET deleted_at = :now, wire = '', filename = '', sha256 = NULL
WHERE id = :id AND project = :project AND deleted_at IS NULL
RETURNING id;

-- name: file_overdue
SELECT project, id FROM file
WHERE expires_at <= :now AND deleted_at IS NULL ORDER BY expires_at LIMIT :limit;

-- name: file_list_asc
SELECT id, wire FROM file
WHERE project = :project AND deleted_at IS NULL
  AND (created_at, id) > (:low_at, :low_id) AND (created_at, id) < (:high_at, :high_id)
ORDER BY created_at, id LIMIT :limit;

-- name: file_list_desc
SELECT id, wire FROM file
WHERE project = :project AND deleted_at IS NULL
  AND (created_at, id) > (:low_at, :low_id) AND (created_at, id) < (:high_at, :high_id)
ORDER BY created_at DESC, id DESC LIMIT :limit;

-- name: file_list_of_purpose_asc
SELECT id, wire FROM file
WHERE project = :project AND purpose = :purpose AND deleted_at IS NULL
  AND (created_at, id) > (:low_at, :low_id) AND (created_at, id) < (:high_at, :high_id)
ORDER BY created_at, id LIMIT :limit;

-- name: file_list_of_purpose_desc
SELECT id, wire FROM file
WHERE project = :project AND purpose = :purpose AND deleted_at IS NULL
  AND (created_at, id) > (:low_at, :low_id) AND (created_at, id) < (:high_at, :high_id)
ORDER BY created_at DESC, id DESC LIMIT :limit;

-- === uploads ==============================================================================

-- name: upload_insert
INSERT INTO upload (id, project, created_at, status, bytes, expires_at, file_expires_after_s, wire)
VALUES (:id, :project, :created_at, 'pending', :bytes, :expires_at, :file_expires_after_s, :wire);

-- name: upload_get
SELECT wire, file_expires_after_s FROM upload WHERE id = :id AND project = :project;

-- name: upload_end
-- Completed, cancelled or expired: whoever is first decides.
UPDATE upload SET status = :status, wire = :wire, ended_at = :now
WHERE id = :id AND project = :project AND status = 'pending'
RETURNING id;

-- name: upload_overdue
SELECT project, id, wire FROM upload
WHERE status = 'pending' AND expires_at <= :now ORDER BY expires_at LIMIT :limit;

-- name: upload_part_insert
-- Only while the upload is pending.
INSERT INTO upload_part (upload_id, project, id, bytes, sha256)
SELECT id, project, :id, :bytes, :sha256 FROM upload
WHERE id = :upload_id AND project = :project AND status = 'pending'
RETURNING id;

-- name: upload_parts
-- The parts that are there, in no order: the client gives the order when it completes.
SELECT part.id, part.bytes, blob.location
FROM upload_part AS part JOIN blob ON blob.sha256 = part.sha256
WHERE part.upload_id = :upload_id AND part.project = :project;

-- name: upload_parts_delete
-- The release of what they referred to goes ahead of it.
DELETE FROM upload_part WHERE upload_id = :upload_id AND project = :project;
