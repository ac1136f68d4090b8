-- A ledger that was made anew does not know how earlier runs ended, and says so.
ALTER TABLE runs
    DROP CONSTRAINT runs_state_check,
    ADD CONSTRAINT runs_state_check CHECK (state IN
        ('created', 'submitting', 'submitted', 'running', 'registering',
         'succeeded', 'failed', 'cancelled', 'unknown'));
DROP INDEX runs_due;
CREATE INDEX runs_due ON runs (due_at) WHERE state NOT IN ('succeeded', 'failed', 'cancelled', 'unknown');
