-- name: get
SELECT commit FROM cursors WHERE name = %(name)s

-- name: set
INSERT INTO cursors (name, commit) VALUES (%(name)s, %(commit)s)
ON CONFLICT (name) DO UPDATE SET commit = excluded.commit, updated_at = now()
