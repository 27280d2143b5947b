-- What Weft asks of the queue beyond what Procrastinate asks: has this object a job, and which jobs
-- have lost their workers?

CREATE INDEX procrastinate_jobs_by_object ON procrastinate_jobs ((args ->> 'id') COLLATE "C");
CREATE INDEX procrastinate_jobs_without_worker ON procrastinate_jobs (id)
  WHERE status = 'doing' AND worker_id IS NULL;
