-- Changes that wait for approval: branches beside main, and who said yes to what.

ALTER TABLE write_requests
    -- the change that the request is about, or became
    ADD COLUMN change text NOT NULL DEFAULT '',
    ADD COLUMN deed text NOT NULL DEFAULT '' CHECK (deed IN ('', 'update', 'merge', 'close')),
    -- the commit of the change that the person saw
    ADD COLUMN change_head text NOT NULL DEFAULT '',
    ADD COLUMN merge_when_approved boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT write_requests_state_check,
    ADD CONSTRAINT write_requests_state_check
        CHECK (state IN ('waiting', 'committed', 'proposed', 'closed', 'refused', 'parked'));

CREATE TABLE changes (
    id                  text PRIMARY KEY,
    tenant              text NOT NULL,
    project             text NOT NULL,
    author              jsonb NOT NULL,
    email               text NOT NULL,
    subject             text NOT NULL,
    -- the commit of main that its writes were decided on, and the newest commit of its branch
    base                text NOT NULL,
    head                text NOT NULL,
    paths               jsonb NOT NULL,
    merge_when_approved boolean NOT NULL,
    state               text NOT NULL CHECK (state IN ('open', 'merged', 'closed')),
    commit              text NOT NULL,
    ended_by            text NOT NULL,
    opened_at           timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL
);
CREATE INDEX changes_by_tenant ON changes (tenant, opened_at DESC, id DESC);
CREATE INDEX changes_open ON changes (tenant, opened_at DESC, id DESC) WHERE state = 'open';

-- One word a person: a later one takes the place of an earlier.
CREATE TABLE approvals (
    change   text NOT NULL REFERENCES changes ON DELETE CASCADE,
    approver text NOT NULL,
    tenant   text NOT NULL,
    groups   jsonb NOT NULL,
    digest   text NOT NULL,
    head     text NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (change, approver)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON changes, approvals TO ordain_worker;
GRANT SELECT ON changes TO ordain_api;
-- An approval is a fact that the API itself brings about, and tells of in the same transaction.
GRANT SELECT, INSERT, UPDATE ON approvals TO ordain_api;
GRANT INSERT ON events TO ordain_api;

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['changes', 'approvals']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('CREATE POLICY one_tenant ON %I TO ordain_api
            USING (tenant = nullif(current_setting(''ordain.tenant'', true), ''''))
            WITH CHECK (tenant = nullif(current_setting(''ordain.tenant'', true), ''''))', tenant_table);
        EXECUTE format('CREATE POLICY all_tenants ON %I TO ordain_worker USING (true) WITH CHECK (true)', tenant_table);
    END LOOP;
END $$;
