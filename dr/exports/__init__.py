"""Exports of the ledger: started, found, checked file by file, and chained to the newest restorable state."""
