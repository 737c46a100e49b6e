"""The runbook from the command line."""
