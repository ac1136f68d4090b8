-- name: add
INSERT INTO events (tenant, project, noun, verb, name, commit, data)
VALUES (%(tenant)s, %(project)s, %(noun)s, %(verb)s, %(name)s, %(commit)s, %(data)s)

-- name: notify
-- Wakes the publisher and the API's SSE streams; one channel, the payload is the tenant.
SELECT pg_notify('ordain_events', %(tenant)s)

-- name: unpublished
-- Only what no open transaction can still precede: sequence numbers commit out of order.
SELECT * FROM events
WHERE NOT published AND writer < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY sequence LIMIT %(limit)s

-- name: mark_published
UPDATE events SET published = true WHERE id = ANY(%(ids)s)

-- name: after
-- A tenant's events after a sequence number, in an order that never grows an earlier one.
SELECT * FROM events
WHERE tenant = %(tenant)s AND sequence > %(after)s AND writer < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY sequence LIMIT %(limit)s

-- name: newest
SELECT * FROM events
WHERE tenant = %(tenant)s AND writer < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY sequence DESC LIMIT %(limit)s
