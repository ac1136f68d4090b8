-- Repositories elsewhere, by name: `home`, `mirror`, and `mirror:<branch>` for other branches that are pushed. Nothing
-- of it belongs to a tenant.
CREATE TABLE remotes (
    name    text PRIMARY KEY,
    address text NOT NULL,
    -- the newest commit that is known to be there: the mirror's cursor
    commit  text NOT NULL DEFAULT '',
    -- why nothing goes there now; empty where nothing is in the way
    reason  text NOT NULL DEFAULT '',
    -- since when the reason is what it is
    at      timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON remotes TO ordain_worker;
GRANT SELECT ON remotes TO ordain_api;

-- when a request's commit was on the mirror
ALTER TABLE write_requests ADD COLUMN pushed_at timestamptz;
