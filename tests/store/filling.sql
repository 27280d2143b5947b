-- Some thousands of rows in every table, for tests of plans.
INSERT INTO thread SELECT 'thread_' || n, 'p' || n % 3, n / 10, n / 10, 'x' || n,
  CASE WHEN n % 50 = 0 THEN n END, 0 FROM generate_series(1, 5000) AS n;
INSERT INTO thread_metadata SELECT 'p' || n % 3, 'k' || n % 4, 'v' || n % 100, n / 10,
  'thread_' || n FROM generate_series(1, 5000) AS n;
INSERT INTO message SELECT 'thread_' || n % 50, 'p' || n % 3, 'msg_' || n, n / 10, n,
  CASE WHEN n % 3 = 0 THEN 'run_' || n END, n, 'x', CASE WHEN n % 50 = 0 THEN n END
  FROM generate_series(1, 5000) AS n;
INSERT INTO assistant SELECT 'asst_' || n, 'p' || n % 3, n / 10, n / 10, 'x',
  CASE WHEN n % 50 = 0 THEN n END FROM generate_series(1, 5000) AS n;
INSERT INTO idempotency SELECT 'p' || n % 3, 'k' || n, 'h', 200, 'a', n
  FROM generate_series(1, 5000) AS n;
INSERT INTO run SELECT 'thread_' || n % 1000, 'p' || n % 3, 'run_' || n, n,
  (ARRAY['completed', 'failed', 'queued'])[1 + n % 3], CAST(n % 3 = 2 AS int), 0, 0, 1, 0,
  CASE WHEN n % 3 = 2 THEN n END, CASE WHEN n % 3 <> 2 THEN n END, n % 2, 'x'
  FROM generate_series(1, 5000) AS n;
INSERT INTO run_step SELECT 'thread_' || n % 1000, 'p' || n % 3, 'run_' || n % 100, 'step_' || n,
  n, n, 'x' FROM generate_series(1, 5000) AS n;
INSERT INTO run_event SELECT 'thread_' || n % 100, 'p' || n % 3, 'run_' || n % 100, n, 1,
  'thread.message.delta', 'x' FROM generate_series(1, 5000) AS n;
INSERT INTO blob SELECT 'sha' || n, 'place' || n, n FROM generate_series(1, 5000) AS n;
INSERT INTO blob_released SELECT 'sha' || n FROM generate_series(1, 5000) AS n;
INSERT INTO blob_orphan SELECT 'orphan' || n, n FROM generate_series(1, 5000) AS n;
INSERT INTO file SELECT 'file_' || n, 'p' || n % 3, n / 10, n, 'assistants', 'x', n, 'sha' || n,
  CASE WHEN n % 3 = 0 THEN n END, 'x', CASE WHEN n % 50 = 0 THEN n END
  FROM generate_series(1, 5000) AS n;
INSERT INTO upload SELECT 'upload_' || n, 'p' || n % 3, n, (ARRAY['pending', 'completed'])[1 + n % 2],
  n, n, CASE WHEN n % 2 = 1 THEN n END, NULL, 'x' FROM generate_series(1, 5000) AS n;
INSERT INTO upload_part SELECT 'upload_' || n % 500, 'p' || n % 3, 'part_' || n, n, 'sha' || n
  FROM generate_series(1, 5000) AS n;
INSERT INTO vector_store (id, project, created_at, last_active_at, expires_at, wire, deleted_at)
  SELECT 'vs_' || n, 'p' || n % 3, n / 10, n, CASE WHEN n % 3 = 0 THEN n END, 'x',
  CASE WHEN n % 50 = 0 THEN n END FROM generate_series(1, 5000) AS n;
INSERT INTO vector_store_file (vector_store_id, project, file_id, created_at, position, status,
  max_tokens, overlap_tokens, attributes, deleted_at)
  SELECT 'vs_' || n % 500, 'p' || n % 3, 'file_' || n, n / 10, n,
  (ARRAY['completed', 'in_progress'])[1 + CAST(n % 20 = 0 AS int)], 800, 400, '{}',
  CASE WHEN n % 50 = 1 THEN n END FROM generate_series(1, 5000) AS n;
INSERT INTO file_batch SELECT 'vs_' || n % 500, 'p' || n % 3, 'batch_' || n, n
  FROM generate_series(1, 5000) AS n;
INSERT INTO file_batch_file SELECT 'vs_' || n % 500, 'p' || n % 3, 'batch_' || n % 50, n, 'file_' || n
  FROM generate_series(1, 5000) AS n;
INSERT INTO run_search SELECT 'thread_' || n % 1000, 'p' || n % 3, 'run_' || n % 100, 'call_' || n,
  n, '{}', '[]' FROM generate_series(1, 5000) AS n;
INSERT INTO chunk_store (project, vector_store_id) SELECT 'p' || n % 3, 'vs_' || n
  FROM generate_series(1, 5000) AS n;
INSERT INTO chunk_file (store, file_id, attempt, filename, space, chunks, is_published)
  SELECT n % 500, 'file_' || n, 1, 'x', 's', 3, n % 2 FROM generate_series(1, 5000) AS n;
INSERT INTO chunk SELECT CAST(n AS bigint) * 1048576, 0, 9, 'x' FROM generate_series(1, 5000) AS n;
INSERT INTO chunk_vector SELECT CAST(n AS bigint) * 1048576, ARRAY[1, 0]
  FROM generate_series(1, 5000) AS n;
INSERT INTO chunk_bits SELECT CAST(n AS bigint) * 1048576, CAST('10' AS bit varying)
  FROM generate_series(1, 5000) AS n;
INSERT INTO chunk_term SELECT CAST(n AS bigint) * 1048576,
  array_to_tsvector(ARRAY[n % 500 || '_weft_' || 1 + n % 8, n % 500 || '_w' || n % 40 || '_3'])
  FROM generate_series(1, 5000) AS n;
INSERT INTO chunk_garbage SELECT n FROM generate_series(10001, 15000) AS n;
INSERT INTO chunk_store_garbage SELECT n FROM generate_series(10001, 15000) AS n;
