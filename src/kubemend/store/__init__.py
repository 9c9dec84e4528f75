"""The only room that keeps things: the ledger of incidents, repairs, approvals, switches and audit, in SQL."""
