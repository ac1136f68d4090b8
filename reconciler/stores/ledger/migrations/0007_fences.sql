-- Who may write now: of each name the newest token alone.
CREATE TABLE fences (
    name  text PRIMARY KEY,
    token bigint NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON fences TO ordain_worker;
