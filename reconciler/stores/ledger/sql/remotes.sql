-- name: tell
INSERT INTO remotes (name, address, reason) VALUES (%(name)s, %(address)s, %(reason)s)
ON CONFLICT (name) DO UPDATE SET
    address = excluded.address, reason = excluded.reason, at = now(),
    commit = CASE WHEN remotes.address = excluded.address THEN remotes.commit ELSE '' END
WHERE (remotes.address, remotes.reason) <> (excluded.address, excluded.reason)

-- name: reached
INSERT INTO remotes (name, address, commit) VALUES (%(name)s, %(address)s, %(commit)s)
ON CONFLICT (name) DO UPDATE SET
    address = excluded.address, commit = excluded.commit, reason = '',
    at = CASE WHEN remotes.reason = '' THEN remotes.at ELSE now() END

-- name: pushed
UPDATE write_requests SET pushed_at = now() WHERE id = ANY(%(ids)s::uuid[]) AND pushed_at IS NULL

-- name: forget
DELETE FROM remotes WHERE name = %(name)s

-- name: all
SELECT * FROM remotes

-- name: notify_forge
-- Someone says that something happened on the forge: whoever follows it looks again.
SELECT pg_notify('ordain_forge', '')
