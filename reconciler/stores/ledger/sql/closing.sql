-- name: committed
UPDATE write_requests SET state = 'committed', commit = answer.commit, paths = answer.paths, answered_at = now()
FROM jsonb_to_recordset(%(rows)s) AS answer (id uuid, commit text, paths jsonb)
WHERE write_requests.id = answer.id AND state = 'waiting'

-- name: remember
-- The answers to keyed requests that this ledger does not know: it was made anew since.
INSERT INTO write_requests (id, tenant, project, subject, principal, email, on_behalf_of, cause, body, writes,
                            key, key_body, state, commit, paths, created_at, answered_at)
SELECT id, tenant, project, subject, principal, '', '', '', '', '[]', key, key_body, 'committed', commit, paths, at, at
FROM jsonb_to_recordset(%(rows)s) AS asked (id uuid, tenant text, project text, subject text, principal jsonb,
                                            key text, key_body text, commit text, paths jsonb, at timestamptz)
WHERE at > now() - %(kept)s AND NOT EXISTS (SELECT FROM write_requests WHERE write_requests.id = asked.id)
ON CONFLICT DO NOTHING

-- name: refused
UPDATE write_requests SET
    state = 'refused', problems = answer.problems, conflict = answer.conflict, answered_at = now()
FROM jsonb_to_recordset(%(rows)s) AS answer (id uuid, problems jsonb, conflict boolean)
WHERE write_requests.id = answer.id AND state = 'waiting'

-- name: project
INSERT INTO intents (path, tenant, project, kind, name, labels, blob, commit, author, committed_at)
SELECT path, tenant, project, kind, name, labels, blob, commit, author, at
FROM jsonb_to_recordset(%(rows)s) AS projected (path text, tenant text, project text, kind text, name text,
                                                labels jsonb, blob text, commit text, author text, at timestamptz)
ON CONFLICT (path) DO UPDATE SET
    labels = excluded.labels, blob = excluded.blob, commit = excluded.commit, author = excluded.author,
    committed_at = excluded.committed_at

-- name: unproject
DELETE FROM intents WHERE path = ANY(%(paths)s)

-- name: notify_head
SELECT pg_notify('ordain_head', %(commit)s)

-- name: notify_answers
-- The ids of some answered requests each; a reader that lost one looks all the same, later.
SELECT pg_notify('ordain_answers', ids) FROM unnest(%(ids)s::text[]) AS ids
