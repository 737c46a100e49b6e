"""The `responder` command line: what a person on call types."""
