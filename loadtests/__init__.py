"""Load tests: how much load the pipeline bears, and how fast it is under it."""
