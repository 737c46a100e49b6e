"""How well `responder diagnose` finds what is wrong: `make bench-diagnosis`."""
