-- Runs, their steps and their events. A run's life is the table in domain/lifecycle.py; the
-- checks below are its closed sets.

CREATE TABLE run (
  thread_id  TEXT COLLATE "C" NOT NULL,
  project    TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  created_at BIGINT   NOT NULL,
  status     TEXT     NOT NULL CHECK (status IN ('queued', 'in_progress', 'requires_action',
                      'cancelling', 'cancelled', 'failed', 'completed', 'incomplete', 'expired')),
  is_waiting SMALLINT NOT NULL DEFAULT 0 CHECK (is_waiting IN (0, 1)),  -- 1: behind an active run
  sees_at       BIGINT NOT NULL,               -- (sees_at, sees_position): the thread's last message
  sees_position BIGINT NOT NULL,               -- when it was made; users' later ones are not for it
  attempt    BIGINT   NOT NULL DEFAULT 0,      -- counts claims; every write of a worker names its own
  recoveries BIGINT   NOT NULL DEFAULT 0,      -- of those, after a crash, since it was last queued
  expires_at BIGINT,                           -- when it ends by itself; NULL once it ended or waits
  ended_at   BIGINT,                           -- drives the clearing of its events
  has_log    SMALLINT NOT NULL DEFAULT 1 CHECK (has_log IN (0, 1)),    -- 0: its events are cleared
  wire       TEXT     NOT NULL,
  PRIMARY KEY (thread_id, project, id)
) WITH (fillfactor = 80);                      -- a run is written some four times

-- One active run for each thread: the rule itself.
CREATE UNIQUE INDEX run_active ON run (thread_id, project)
  WHERE status IN ('queued', 'in_progress', 'requires_action', 'cancelling') AND is_waiting = 0;
CREATE INDEX run_by_date ON run (thread_id, project, created_at, id);
CREATE INDEX run_waiting ON run (thread_id, project, created_at, id) WHERE is_waiting = 1;
-- What a worker has to do, and what has run out of time.
CREATE INDEX run_queue ON run (created_at) WHERE status = 'queued' AND is_waiting = 0;
CREATE INDEX run_cancelling ON run (created_at) WHERE status = 'cancelling';
CREATE INDEX run_in_progress ON run (created_at) WHERE status = 'in_progress';
CREATE INDEX run_expiry ON run (expires_at) WHERE expires_at IS NOT NULL AND ended_at IS NULL;
CREATE INDEX run_ended ON run (ended_at) WHERE ended_at IS NOT NULL AND has_log = 1;

CREATE TABLE run_step (
  thread_id  TEXT COLLATE "C" NOT NULL,
  project    TEXT COLLATE "C" NOT NULL,
  run_id     TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  position   BIGINT NOT NULL,                  -- counts within the run: the order of steps
  wire       TEXT   NOT NULL,
  PRIMARY KEY (thread_id, project, run_id, id)
);

CREATE UNIQUE INDEX run_step_by_position ON run_step (thread_id, project, run_id, position);

CREATE TABLE run_event (
  thread_id TEXT COLLATE "C" NOT NULL,
  project   TEXT COLLATE "C" NOT NULL,
  run_id    TEXT COLLATE "C" NOT NULL,
  number    BIGINT NOT NULL,                   -- of the first event of the row, from 1
  count     BIGINT NOT NULL CHECK (count > 0), -- how many events the row holds: a batch of deltas
  name      TEXT   NOT NULL,                   -- of the event, as the stream names it
  data      TEXT   NOT NULL,                   -- JSON: what changed (engine/events.py renders it)
  PRIMARY KEY (thread_id, project, run_id, number)
) WITH (autovacuum_vacuum_scale_factor = 0.05); -- a day's events come and go
