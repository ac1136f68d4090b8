-- What keeps the writer from writing: no request is taken while there is a row. Everyone who asks is told.
CREATE TABLE stalls (
    name   text PRIMARY KEY,
    reason text NOT NULL,
    since  timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON stalls TO ordain_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON stalls TO ordain_worker;
