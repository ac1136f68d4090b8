-- name: admit
-- One row a uid and attempt, however often a commit is walked.
INSERT INTO runs (uid, attempt, tenant, project, name, path, commit, template, parameters, register_model,
                  register_output, cancelled, requested_by, run_id)
VALUES (%(uid)s, %(attempt)s, %(tenant)s, %(project)s, %(name)s, %(path)s, %(commit)s, %(template)s,
        %(parameters)s, %(register_model)s, %(register_output)s, %(cancelled)s, %(requested_by)s, %(run_id)s)
ON CONFLICT (uid, attempt) DO NOTHING
RETURNING uid

-- name: cancel
-- `desired: Cancelled`, or the intent was removed: the orchestrator ends what is still under way.
UPDATE runs SET cancelled = true, due_at = now(), woken = true
WHERE path = %(path)s AND NOT cancelled AND state NOT IN ('succeeded', 'failed', 'cancelled', 'unknown')

-- name: lease_due
-- One run that is due and that nobody holds. SKIP LOCKED keeps orchestrators from waiting on each
-- other; the lease outlives the transaction, so a worker that dies gives the run back when it ends.
-- A run that is leased again and again without a record (its step fails, or ends its orchestrator) comes back
-- later and later, at most a minute, so that it never keeps others from their turn.
UPDATE runs SET
    lease_until = now() + make_interval(secs => %(seconds)s),
    fence = fence + 1,
    failures = failures + 1,
    woken = false,
    due_at = now() + make_interval(secs => least(60, 0.25 * 2 ^ least(failures, 10)))
WHERE (uid, attempt) = (
    SELECT uid, attempt FROM runs
    WHERE due_at <= now() AND lease_until <= now() AND state NOT IN ('succeeded', 'failed', 'cancelled', 'unknown')
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING *, extract(epoch FROM now() - submission_at)::float8 AS submitted_ago

-- name: release
UPDATE runs SET lease_until = 'epoch'
WHERE uid = %(uid)s AND attempt = %(attempt)s AND fence = %(fence)s

-- name: lock_project
-- Two orchestrators claiming for one project count one after the other.
SELECT pg_advisory_xact_lock(hashtext('ordain-claims:' || %(tenant)s || '/' || %(project)s))

-- name: under_way
SELECT count(*) AS count FROM runs
WHERE tenant = %(tenant)s AND project = %(project)s AND state IN ('submitting', 'submitted', 'running', 'registering')

-- name: claim
UPDATE runs SET state = 'submitting', failures = 0, due_at = now(), lease_until = 'epoch'
WHERE uid = %(uid)s AND attempt = %(attempt)s AND fence = %(fence)s AND state = 'created'

-- name: begin
-- Just before a submission: an old fence submits nothing, and whoever takes the run over knows that there was one.
-- What was promised least stays: an earlier submission may still be on its way.
UPDATE runs SET
    submissions = submissions + 1,
    submission_at = clock_timestamp(),
    delivery = CASE WHEN delivery = 'at-least-once' THEN delivery ELSE %(delivery)s END
WHERE uid = %(uid)s AND attempt = %(attempt)s AND fence = %(fence)s

-- name: record
-- An old fence changes nothing: the lease went to another. What was woken meanwhile is due at once: nobody knows
-- whether the step looked before or after that.
UPDATE runs SET
    state = %(state)s,
    reason = %(reason)s,
    model = CASE WHEN %(model)s = '' THEN model ELSE %(model)s END,
    outputs = coalesce(%(outputs)s::jsonb, outputs),
    failures = 0,
    due_at = CASE WHEN woken THEN now() ELSE now() + make_interval(secs => %(due_in)s) END,
    lease_until = 'epoch',
    submitted_at = CASE WHEN %(state)s IN ('submitted', 'running') THEN coalesce(submitted_at, now()) ELSE submitted_at END,
    finished_at = CASE WHEN %(state)s IN ('succeeded', 'failed', 'cancelled', 'unknown') THEN now() END
WHERE uid = %(uid)s AND attempt = %(attempt)s AND fence = %(fence)s

-- name: note
-- Nothing else changes: a run that gets no further comes back later and later all the same.
UPDATE runs SET reason = %(reason)s WHERE uid = %(uid)s AND attempt = %(attempt)s AND fence = %(fence)s

-- name: finished
SELECT run_id FROM runs WHERE run_id = ANY(%(run_ids)s::text[]) AND state IN ('succeeded', 'failed', 'cancelled', 'unknown')

-- name: projects
SELECT tenant, project FROM runs WHERE state IN ('submitting', 'submitted', 'running')
UNION
SELECT tenant, project FROM runs WHERE finished_at > now() - interval '1 day'

-- name: wake
UPDATE runs SET due_at = now(), woken = true
WHERE run_id = ANY(%(run_ids)s::text[]) AND state IN ('submitting', 'submitted', 'running')

-- name: known
SELECT run_id FROM runs WHERE run_id = ANY(%(run_ids)s::text[])

-- name: duplicated
UPDATE runs SET duplicates = duplicates + %(ended)s, delivery = 'at-least-once' WHERE run_id = %(run_id)s
RETURNING *

-- name: put_task
INSERT INTO run_tasks (uid, attempt, name, tenant, state, started_at, finished_at, error, metrics)
VALUES (%(uid)s, %(attempt)s, %(name)s, %(tenant)s, %(state)s, %(started_at)s, %(finished_at)s, %(error)s, %(metrics)s)
ON CONFLICT (uid, attempt, name) DO UPDATE SET
    state = excluded.state, started_at = excluded.started_at, finished_at = excluded.finished_at,
    error = excluded.error, metrics = excluded.metrics

-- name: list
SELECT * FROM runs WHERE tenant = %(tenant)s AND project = %(project)s
AND (created_at, uid) < (%(before_at)s, %(before_uid)s)
ORDER BY created_at DESC, uid DESC LIMIT %(limit)s

-- name: by_name
SELECT * FROM runs WHERE tenant = %(tenant)s AND project = %(project)s AND name = %(name)s
ORDER BY created_at DESC, attempt DESC LIMIT 1

-- name: tasks
SELECT * FROM run_tasks WHERE uid = %(uid)s AND attempt = %(attempt)s ORDER BY started_at NULLS LAST, name

-- name: tasks_of
SELECT run_tasks.* FROM run_tasks
JOIN unnest(%(uids)s::uuid[], %(attempts)s::integer[]) AS wanted (uid, attempt) USING (uid, attempt)
ORDER BY started_at NULLS LAST, name
