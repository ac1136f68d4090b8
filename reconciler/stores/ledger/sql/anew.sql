-- name: forget_projection
DELETE FROM intents

-- name: recall
-- What is there stays: it knows more.
INSERT INTO runs (uid, attempt, tenant, project, name, path, commit, template, parameters, register_model,
                  register_output, cancelled, requested_by, run_id, state, reason, model, outputs, created_at)
SELECT uid, attempt, tenant, project, name, path, commit, template, parameters, register_model,
       register_output, cancelled, requested_by, run_id, state, reason, model, outputs, created_at
FROM jsonb_to_recordset(%(rows)s) AS past (
    uid uuid, attempt integer, tenant text, project text, name text, path text, commit text, template text,
    parameters jsonb, register_model text, register_output text, cancelled boolean, requested_by text, run_id text,
    state text, reason text, model text, outputs jsonb, created_at timestamptz)
ON CONFLICT DO NOTHING
RETURNING uid, attempt

-- name: begin_runs
INSERT INTO cursors (name, commit) VALUES ('runs', %(commit)s) ON CONFLICT (name) DO NOTHING

-- name: known_uids
SELECT DISTINCT uid FROM runs WHERE uid = ANY(%(uids)s)
