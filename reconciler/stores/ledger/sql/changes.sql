-- name: step
-- A change as a request left it. The writer alone does this, in order; what ended stays as it ended.
INSERT INTO changes (id, tenant, project, author, email, subject, base, head, paths, merge_when_approved,
                     state, commit, ended_by, opened_at, updated_at)
VALUES (%(id)s, %(tenant)s, %(project)s, %(author)s, %(email)s, %(subject)s, %(base)s, %(head)s, %(paths)s,
        %(merge_when_approved)s, %(state)s, %(commit)s, %(ended_by)s, %(opened_at)s, %(updated_at)s)
ON CONFLICT (id) DO UPDATE SET
    base = excluded.base, head = excluded.head, paths = excluded.paths, state = excluded.state,
    ended_by = excluded.ended_by, updated_at = excluded.updated_at,
    merge_when_approved = excluded.merge_when_approved
WHERE changes.state = 'open'

-- name: answered
UPDATE write_requests SET
    state = %(state)s, change = %(change)s, commit = %(commit)s, paths = %(paths)s, answered_at = now()
WHERE id = %(request)s AND state = 'waiting'

-- name: merged
UPDATE changes SET state = 'merged', commit = %(commit)s, ended_by = %(ended_by)s, updated_at = %(at)s
WHERE id = %(id)s AND state = 'open'
RETURNING *

-- name: by_id
SELECT * FROM changes WHERE id = ANY(%(ids)s)

-- name: list
-- Newest first. Each filter that is NULL lets everything through; author and project are looked up in what a page
-- walks over, which is a tenant's own.
SELECT * FROM changes
WHERE tenant = %(tenant)s AND (opened_at, id) < (%(before_at)s, %(before_id)s)
  AND (%(state)s::text IS NULL OR state = %(state)s)
  AND (%(project)s::text IS NULL OR project = %(project)s)
  AND (%(author)s::text IS NULL OR author ->> 'user' = %(author)s)
ORDER BY opened_at DESC, id DESC LIMIT %(limit)s

-- name: open_counts
SELECT tenant, count(*) AS open FROM changes WHERE tenant = ANY(%(tenants)s) AND state = 'open' GROUP BY tenant

-- name: approvals
SELECT * FROM approvals WHERE change = ANY(%(ids)s) ORDER BY at, approver

-- name: approve
-- Only of an open change; a person's later word takes the place of their earlier one.
INSERT INTO approvals (change, approver, tenant, groups, digest, head, at)
SELECT id, %(approver)s, tenant, %(groups)s, %(digest)s, %(head)s, %(at)s
FROM changes WHERE id = %(change)s AND state = 'open'
ON CONFLICT (change, approver) DO UPDATE SET
    groups = excluded.groups, digest = excluded.digest, head = excluded.head, at = excluded.at

-- name: withdraw
-- Of an open change alone: what an ended one was approved by stays as it was.
DELETE FROM approvals USING changes
WHERE approvals.change = %(change)s AND approvals.approver = %(approver)s
  AND changes.id = approvals.change AND changes.state = 'open'
RETURNING approvals.digest, approvals.at
