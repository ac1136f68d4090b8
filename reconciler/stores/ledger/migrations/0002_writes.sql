-- Idempotency keys of requests, labels and paths to look intents and runs up by.

ALTER TABLE write_requests
    -- hash of tenant, person and key; NULL without one, and once it is forgotten
    ADD COLUMN key text UNIQUE,
    -- hash of all that was asked under the key
    ADD COLUMN key_body text NOT NULL DEFAULT '';
CREATE INDEX write_requests_keyed ON write_requests (created_at) WHERE key IS NOT NULL;

ALTER TABLE intents ADD COLUMN labels jsonb NOT NULL DEFAULT '{}';
-- Lists go by path, which is ordered by bytes: a project is a range of it.
DROP INDEX intents_by_project;
CREATE INDEX intents_by_path ON intents (tenant, path COLLATE "C");
CREATE INDEX intents_by_kind ON intents (tenant, kind, path COLLATE "C");
CREATE INDEX intents_of_platform ON intents (path COLLATE "C") WHERE kind IN ('Platform', 'Cluster', 'Template', 'Tenant');

-- The platform's own rows carry the reserved tenant name `platform`; whoever reads as it sees who its tenants are.
DROP POLICY one_tenant ON intents;
CREATE POLICY one_tenant ON intents TO ordain_api
    USING (tenant = nullif(current_setting('ordain.tenant', true), '')
           OR (kind = 'Tenant' AND current_setting('ordain.tenant', true) = 'platform'))
    WITH CHECK (false);

-- The history of an intent: the events that the closing transaction tells of each commit that changed it.
-- A column, as row-level security keeps an index from being searched by an expression that might tell of other rows.
ALTER TABLE events ADD COLUMN path text GENERATED ALWAYS AS (data ->> 'path') STORED;
CREATE INDEX events_by_path ON events (tenant, path, sequence) WHERE data ? 'request';
-- Which commit of main the projection and that history reflect.
GRANT SELECT (name, commit) ON cursors TO ordain_api;

CREATE INDEX runs_by_path ON runs (path, attempt);
