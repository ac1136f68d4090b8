-- name: served
SELECT * FROM deployments WHERE tenant = %(tenant)s AND project = %(project)s AND name = %(name)s

-- name: served_of_project
SELECT * FROM deployments WHERE tenant = %(tenant)s AND project = %(project)s ORDER BY name

-- name: put_served
INSERT INTO deployments (tenant, project, name, intent_blob, rollout_blob, versions, routed, observed_at)
VALUES (%(tenant)s, %(project)s, %(name)s, %(intent_blob)s, %(rollout_blob)s, %(versions)s, %(routed)s, now())
ON CONFLICT (tenant, project, name) DO UPDATE SET
    intent_blob = excluded.intent_blob, rollout_blob = excluded.rollout_blob, versions = excluded.versions,
    routed = excluded.routed, observed_at = excluded.observed_at

-- name: put_condition
-- Returns a row only where the condition changed: then, and only then, it is an event.
INSERT INTO conditions (tenant, project, kind, name, type, status, reason, message, observed_blob, commit)
VALUES (%(tenant)s, %(project)s, 'ModelDeployment', %(name)s, %(type)s, %(status)s, %(reason)s, %(message)s,
        %(observed_blob)s, %(commit)s)
ON CONFLICT (tenant, project, kind, name, type) DO UPDATE SET
    status = excluded.status, reason = excluded.reason, message = excluded.message,
    observed_blob = excluded.observed_blob, commit = excluded.commit, changed_at = now()
WHERE (conditions.status, conditions.reason, conditions.message, conditions.observed_blob)
    IS DISTINCT FROM (excluded.status, excluded.reason, excluded.message, excluded.observed_blob)
RETURNING type

-- name: conditions
SELECT * FROM conditions WHERE tenant = %(tenant)s AND project = %(project)s AND name = %(name)s ORDER BY type

-- name: deployment_names
SELECT tenant, project, name FROM deployments UNION SELECT tenant, project, name FROM conditions

-- name: forget_deployment
DELETE FROM deployments WHERE tenant = %(tenant)s AND project = %(project)s AND name = %(name)s

-- name: forget_conditions
DELETE FROM conditions WHERE tenant = %(tenant)s AND project = %(project)s AND name = %(name)s

-- name: hold_lease
INSERT INTO leases (name, holder, expires) VALUES (%(name)s, %(holder)s, now() + make_interval(secs => %(seconds)s))
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires = excluded.expires
WHERE leases.holder = excluded.holder OR leases.expires <= now()
RETURNING holder

-- name: release_lease
DELETE FROM leases WHERE name = %(name)s AND holder = %(holder)s
