"""How well the error signature groups log lines and alerts, beside other ways: `make bench-signature`."""
