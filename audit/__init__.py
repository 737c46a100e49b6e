"""The audit: proves, by id, that every alert answered 202 is accounted for, or names it.

It compares three records that are made independently: the receipts of 202s, each region's ledger, and what
Slack received. It is built to fail: a row that is missing, overwritten or not at rest, regions that disagree,
a message that Slack never saw, a member that its body's 202 left out, a change of state that nobody was told,
and a duplicate that nothing explains are each named. It is exact, and its memory does not grow with the
number of alerts: the records are streamed to disk and compared there by DuckDB.

`responder audit`, the demo, chaos experiments, load tests and drills use it.
"""
