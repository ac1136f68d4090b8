-- name: tell
INSERT INTO remotes (name, reason) VALUES (%(name)s, %(reason)s)
ON CONFLICT (name) DO UPDATE SET reason = excluded.reason, at = now()
WHERE remotes.reason <> excluded.reason

-- name: reached
INSERT INTO remotes (name, commit) VALUES (%(name)s, %(commit)s)
ON CONFLICT (name) DO UPDATE SET commit = excluded.commit, reason = '',
    at = CASE WHEN remotes.reason = '' THEN remotes.at ELSE now() END

-- name: pushed
UPDATE write_requests SET pushed_at = now() WHERE id = ANY(%(ids)s::uuid[]) AND pushed_at IS NULL

-- name: all
SELECT * FROM remotes

-- name: notify_forge
-- Someone says that something happened on the forge: whoever follows it looks again.
SELECT pg_notify('ordain_forge', '')
