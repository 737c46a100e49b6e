"""What became of an event, and which rule decided it: of the ledger, the configuration and the logs.

`search` finds what a person asks for, `explanation` puts together what is known of an alert, and `bodies`
says what would come of a body that a person has. Each `Decision` names its rule and the figures behind it.
"""
