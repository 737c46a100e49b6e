"""What the ledger has of alerts, as people ask for it: lists by the index, and what became of one."""
