"""What lies in the dead-letter queues: why, what the ledger knows of it, sending it again, dropping it."""
