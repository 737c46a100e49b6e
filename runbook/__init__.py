"""The runbook as code: know how a stack is, ask what became of an alert, mend what is broken."""
