"""What `responder deploy check` looks at on a deployed stack, a module for each category; it only reads."""
