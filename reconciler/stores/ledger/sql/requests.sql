-- name: put
-- A second put of the same id changes nothing: workers ask under ids derived from what they ask. Nor does one of the
-- same key: of two at once, the second waits here for the first's transaction. And nothing is put while the writer
-- cannot write.
WITH stall AS (SELECT reason FROM stalls WHERE name = 'writer'),
added AS (
    INSERT INTO write_requests (id, tenant, project, subject, principal, email, on_behalf_of, cause, body, writes,
                                author, key, key_body, change, deed, change_head, merge_when_approved)
    SELECT %(id)s, %(tenant)s, %(project)s, %(subject)s, %(principal)s, %(email)s, %(on_behalf_of)s, %(cause)s,
           %(body)s, %(writes)s, %(author)s, %(key)s, %(key_body)s, %(change)s, %(deed)s, %(change_head)s,
           %(merge_when_approved)s
    WHERE NOT EXISTS (SELECT FROM stall)
    ON CONFLICT DO NOTHING
    RETURNING id
)
SELECT EXISTS (SELECT FROM added) AS added, (SELECT reason FROM stall) AS stall

-- name: stall
INSERT INTO stalls (name, reason) VALUES ('writer', %(reason)s)
ON CONFLICT (name) DO UPDATE SET reason = excluded.reason

-- name: end_stall
DELETE FROM stalls WHERE name = 'writer'

-- name: keyed
SELECT id, key_body FROM write_requests WHERE key = %(key)s

-- name: forget_keys
UPDATE write_requests SET key = NULL
WHERE key IS NOT NULL AND state <> 'waiting' AND created_at <= now() - %(older_than)s

-- name: notify_writer
SELECT pg_notify('ordain_requests', '')

-- name: status
SELECT id, state, commit, problems, conflict, change, pushed_at,
       CASE WHEN conflict THEN writes ELSE '[]' END AS writes,
       CASE WHEN state IN ('committed', 'proposed', 'closed') THEN paths
            ELSE jsonb_path_query_array(writes, '$[*] ? (@.action != "guard").path') END AS paths
FROM write_requests WHERE id = %(id)s

-- name: waiting
SELECT * FROM write_requests WHERE state = 'waiting' AND sequence > %(after)s ORDER BY sequence LIMIT %(limit)s

-- name: facts
-- Runs that nothing says have ended: the attempt asked for has no final state here, or no row at all yet; and what
-- runs ever had the names of those that are new.
SELECT 'active' AS fact, removed.path
FROM unnest(%(paths)s::text[], %(attempts)s::integer[]) AS removed (path, attempt)
WHERE NOT EXISTS (SELECT FROM runs WHERE runs.path = removed.path AND runs.attempt >= removed.attempt
                  AND runs.state IN ('succeeded', 'failed', 'cancelled', 'unknown'))
UNION ALL
SELECT 'retired', runs.path
FROM unnest(%(tenants)s::text[], %(projects)s::text[], %(names)s::text[]) AS named (tenant, project, name)
JOIN runs USING (tenant, project, name)

-- name: try_writer_lock
SELECT pg_try_advisory_lock(hashtext('ordain-writer')) AS held

-- name: next_term
-- Waits for the closing transaction of a predecessor; after it, that one closes nothing any more.
INSERT INTO fences (name, token) VALUES ('writer', 1)
ON CONFLICT (name) DO UPDATE SET token = fences.token + 1
RETURNING token

-- name: term
-- Whoever would be the next writer waits for this transaction.
SELECT token FROM fences WHERE name = 'writer' FOR SHARE

-- name: crashed
-- The third crash parks the request, with the reason as its answer.
UPDATE write_requests SET
    crashes = crashes + 1,
    state = CASE WHEN crashes + 1 >= 3 THEN 'parked' ELSE state END,
    problems = CASE WHEN crashes + 1 >= 3 THEN %(problems)s::jsonb ELSE problems END,
    answered_at = CASE WHEN crashes + 1 >= 3 THEN now() ELSE answered_at END
WHERE id = %(id)s AND state = 'waiting'
