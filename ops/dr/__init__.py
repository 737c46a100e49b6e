"""`responder dr`: disaster recovery from the command line."""
