-- how often a run was handed to its engine, when last, and the least that the engine could promise of it
ALTER TABLE runs
    ADD COLUMN submissions integer NOT NULL DEFAULT 0,
    ADD COLUMN submission_at timestamptz,
    ADD COLUMN delivery text NOT NULL DEFAULT 'exactly-once' CHECK (delivery IN ('exactly-once', 'at-least-once')),
    -- executions beyond the first that were found at the engine, and ended
    ADD COLUMN duplicates integer NOT NULL DEFAULT 0,
    -- somebody said since the lease began that the run is worth another look
    ADD COLUMN woken boolean NOT NULL DEFAULT false;
CREATE INDEX runs_under_way ON runs (tenant, project)
    WHERE state IN ('submitting', 'submitted', 'running');
CREATE INDEX runs_ended ON runs (finished_at) WHERE finished_at IS NOT NULL;
