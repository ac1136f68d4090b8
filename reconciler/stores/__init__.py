"""What remembers: git, the ledger (Postgres), the bus (JetStream), objects (S3)."""
