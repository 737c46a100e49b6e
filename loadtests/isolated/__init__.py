"""A function by itself, without a stack: its package, its environment, events, and an AWS of canned answers.

Benchmarks measure handlers so, and the tuner of memory.
"""
