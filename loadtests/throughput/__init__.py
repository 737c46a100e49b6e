"""How much a stack takes: the highest rate that meets its thresholds, what saturates, what tuning buys.

`responder tune throughput` runs it. Memory, the next thing to tune, will have a folder beside this one.
"""
