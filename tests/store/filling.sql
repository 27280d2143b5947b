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
