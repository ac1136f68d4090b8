-- name: add
-- A fact with an id of its own is stored once, however often it is told.
INSERT INTO events (id, tenant, project, noun, verb, name, commit, data)
SELECT coalesce(id, gen_random_uuid()), tenant, project, noun, verb, name, commit, data
FROM ROWS FROM (jsonb_to_recordset(%(facts)s) AS (id uuid, tenant text, project text, noun text, verb text,
                                                  name text, commit text, data jsonb)) WITH ORDINALITY
ORDER BY ordinality
ON CONFLICT (id) DO NOTHING

-- name: notify
-- Wakes the publisher and the API's SSE streams; one channel, the payload is a tenant.
SELECT pg_notify('ordain_events', tenant) FROM unnest(%(tenants)s::text[]) AS tenant

-- Events are read in the order of their transactions' ids, and only below the oldest that is still open: nothing
-- can later appear before what was read. Sequence numbers alone commit out of order, also below that line: a
-- transaction that began first may number its events last.

-- name: unpublished
SELECT * FROM events
WHERE NOT published AND writer < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY writer, sequence LIMIT %(limit)s

-- name: mark_published
UPDATE events SET published = true WHERE id = ANY(%(ids)s)

-- name: after
-- A tenant's events after the one with a sequence number; all of them, where there is none with it.
SELECT * FROM events
WHERE tenant = %(tenant)s
AND (writer, sequence) > (coalesce((SELECT writer FROM events WHERE sequence = %(after)s), '0'::xid8), %(after)s)
AND writer < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY writer, sequence LIMIT %(limit)s

-- name: newest
SELECT * FROM events
WHERE tenant = %(tenant)s AND writer < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY writer DESC, sequence DESC LIMIT %(limit)s

-- name: of_path
-- The commits that changed an intent, newest first: one event a commit and path, in the order of the closing
-- transactions, which one writer makes one after the other.
SELECT sequence, commit, data FROM events
WHERE tenant = %(tenant)s AND path = %(path)s AND data ? 'request' AND sequence < %(before)s
ORDER BY sequence DESC LIMIT %(limit)s
