-- Lists of the projection of main's head, by path. What a path begins with is a range of it: `after` is at least
-- that beginning, `until` comes after everything that begins so. No path equals its beginning.
-- Labels and names are looked through, not looked up: 80 ms where none of 50,000 intents of a tenant has them.

-- name: intents
SELECT * FROM intents
WHERE tenant = %(tenant)s AND path COLLATE "C" > %(after)s AND path COLLATE "C" < %(until)s
AND (%(labels)s::jsonb = '{}' OR labels @> %(labels)s)
AND (%(name)s::text IS NULL OR name = %(name)s)
ORDER BY path COLLATE "C" LIMIT %(limit)s

-- name: intents_of_kind
SELECT * FROM intents
WHERE tenant = %(tenant)s AND kind = %(kind)s AND path COLLATE "C" > %(after)s AND path COLLATE "C" < %(until)s
AND (%(labels)s::jsonb = '{}' OR labels @> %(labels)s)
AND (%(name)s::text IS NULL OR name = %(name)s)
ORDER BY path COLLATE "C" LIMIT %(limit)s

-- name: intents_of_platform
-- The platform's own, and who its tenants are.
SELECT * FROM intents
WHERE kind IN ('Platform', 'Cluster', 'Template', 'Tenant')
AND path COLLATE "C" > %(after)s AND path COLLATE "C" < %(until)s AND (%(labels)s::jsonb = '{}' OR labels @> %(labels)s)
AND (%(name)s::text IS NULL OR name = %(name)s)
ORDER BY path COLLATE "C" LIMIT %(limit)s

-- name: intents_of_platform_of_kind
SELECT * FROM intents
WHERE kind IN ('Platform', 'Cluster', 'Template', 'Tenant') AND kind = %(kind)s
AND path COLLATE "C" > %(after)s AND path COLLATE "C" < %(until)s AND (%(labels)s::jsonb = '{}' OR labels @> %(labels)s)
AND (%(name)s::text IS NULL OR name = %(name)s)
ORDER BY path COLLATE "C" LIMIT %(limit)s
