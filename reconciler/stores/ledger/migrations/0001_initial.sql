-- The ledger. Every row belongs to a tenant ('' is the platform itself); the API's role sees one tenant a
-- transaction, workers see all, and nobody who serves requests may bypass the policies.

CREATE TABLE write_requests (
    id          uuid PRIMARY KEY,
    sequence    bigint GENERATED ALWAYS AS IDENTITY,
    tenant      text NOT NULL,
    project     text NOT NULL,
    subject     text NOT NULL,
    principal   jsonb NOT NULL,
    email       text NOT NULL,
    on_behalf_of text NOT NULL,
    cause       text NOT NULL,
    body        text NOT NULL,
    writes      jsonb NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'committed', 'refused', 'parked')),
    crashes     integer NOT NULL DEFAULT 0,
    commit      text NOT NULL DEFAULT '',
    paths       jsonb NOT NULL DEFAULT '[]',
    problems    jsonb NOT NULL DEFAULT '[]',
    conflict    boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    answered_at timestamptz
);
CREATE INDEX write_requests_waiting ON write_requests (sequence) WHERE state = 'waiting';

CREATE TABLE intents (
    path         text PRIMARY KEY,
    tenant       text NOT NULL,
    project      text NOT NULL,
    kind         text NOT NULL,
    name         text NOT NULL,
    blob         text NOT NULL,
    commit       text NOT NULL,
    author       text NOT NULL,
    committed_at timestamptz NOT NULL
);
CREATE INDEX intents_by_project ON intents (tenant, project, kind, name);

CREATE TABLE cursors (
    name       text PRIMARY KEY,
    commit     text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE leases (
    name    text PRIMARY KEY,
    holder  text NOT NULL,
    expires timestamptz NOT NULL
);

CREATE TABLE runs (
    uid             uuid NOT NULL,
    attempt         integer NOT NULL CHECK (attempt >= 1),
    tenant          text NOT NULL,
    project         text NOT NULL,
    name            text NOT NULL,
    path            text NOT NULL,
    commit          text NOT NULL,
    template        text NOT NULL,
    parameters      jsonb NOT NULL,
    register_model  text NOT NULL,
    register_output text NOT NULL,
    cancelled       boolean NOT NULL DEFAULT false,
    requested_by    text NOT NULL,
    state           text NOT NULL DEFAULT 'created' CHECK (state IN
        ('created', 'submitting', 'submitted', 'running', 'registering', 'succeeded', 'failed', 'cancelled')),
    reason          text NOT NULL DEFAULT '',
    run_id          text NOT NULL,
    outputs         jsonb NOT NULL DEFAULT '[]',
    model           text NOT NULL DEFAULT '',
    fence           bigint NOT NULL DEFAULT 0,
    -- leases in a row that nothing was recorded of
    failures        integer NOT NULL DEFAULT 0,
    due_at          timestamptz NOT NULL DEFAULT now(),
    lease_until     timestamptz NOT NULL DEFAULT 'epoch',
    created_at      timestamptz NOT NULL DEFAULT now(),
    submitted_at    timestamptz,
    finished_at     timestamptz,
    PRIMARY KEY (uid, attempt)
);
CREATE INDEX runs_due ON runs (due_at) WHERE state NOT IN ('succeeded', 'failed', 'cancelled');
CREATE INDEX runs_by_project ON runs (tenant, project, created_at DESC);
CREATE UNIQUE INDEX runs_by_run_id ON runs (run_id);
CREATE INDEX runs_by_name ON runs (tenant, project, name);

CREATE TABLE run_tasks (
    uid         uuid NOT NULL,
    attempt     integer NOT NULL,
    name        text NOT NULL,
    tenant      text NOT NULL,
    state       text NOT NULL,
    started_at  timestamptz,
    finished_at timestamptz,
    error       text NOT NULL DEFAULT '',
    metrics     jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (uid, attempt, name),
    FOREIGN KEY (uid, attempt) REFERENCES runs ON DELETE CASCADE
);

CREATE TABLE deployments (
    tenant       text NOT NULL,
    project      text NOT NULL,
    name         text NOT NULL,
    intent_blob  text NOT NULL,
    rollout_blob text NOT NULL,
    versions     jsonb NOT NULL,
    routed       boolean NOT NULL,
    observed_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, project, name)
);

CREATE TABLE conditions (
    tenant        text NOT NULL,
    project       text NOT NULL,
    kind          text NOT NULL,
    name          text NOT NULL,
    type          text NOT NULL,
    status        boolean NOT NULL,
    reason        text NOT NULL,
    message       text NOT NULL,
    observed_blob text NOT NULL,
    commit        text NOT NULL,
    changed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, project, kind, name, type)
);

CREATE TABLE events (
    id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    sequence  bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    -- the writing transaction: sequence numbers commit out of order, so readers go no further than
    -- the oldest transaction still open
    writer    xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    tenant    text NOT NULL,
    project   text NOT NULL,
    noun      text NOT NULL,
    verb      text NOT NULL,
    name      text NOT NULL,
    commit    text NOT NULL,
    data      jsonb NOT NULL,
    published boolean NOT NULL DEFAULT false
);
CREATE INDEX events_unpublished ON events (writer, sequence) WHERE NOT published;
CREATE INDEX events_by_tenant ON events (tenant, writer, sequence);

-- The roles exist before: whoever starts Postgres makes them, with their passwords.
GRANT USAGE ON SCHEMA public TO ordain_api, ordain_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ordain_worker;
GRANT SELECT ON write_requests, intents, runs, run_tasks, deployments, conditions, events TO ordain_api;
GRANT INSERT ON write_requests TO ordain_api;

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY
        ARRAY['write_requests', 'intents', 'runs', 'run_tasks', 'deployments', 'conditions', 'events']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        -- An unset or empty ordain.tenant matches no row: NULL is not true, and '' is the platform's own.
        EXECUTE format('CREATE POLICY one_tenant ON %I TO ordain_api
            USING (tenant = nullif(current_setting(''ordain.tenant'', true), ''''))
            WITH CHECK (tenant = nullif(current_setting(''ordain.tenant'', true), ''''))', tenant_table);
        EXECUTE format('CREATE POLICY all_tenants ON %I TO ordain_worker USING (true) WITH CHECK (true)', tenant_table);
    END LOOP;
END $$;
