"""The real Pulumi program, run in process against the embedded AWS."""
