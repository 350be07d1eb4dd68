"""What was recorded: journal first, database later, so that no database is ever on the request path.

    worker ── Record ──> journal segment (append-only, encrypted, one per worker)
                              │   shipper process: read, write one transaction, acknowledge
                              v
                         database: calls, contents (stored once), minute rollups
                              │
                              v
                         queries: stats, calls, replay

A record is appended before the agent sees the last byte of its answer, so a killed process loses no finished call.
Shipping is idempotent by call id; a segment is deleted only after the transaction that holds its records committed.
"""
