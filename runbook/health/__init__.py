"""Whether a stack is well: what `responder health check` and `responder health daily` look at."""
