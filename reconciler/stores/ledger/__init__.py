"""The ledger: Postgres. Statements live in sql/, the schema in migrations/."""
