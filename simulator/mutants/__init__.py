"""Bugs, planted from the outside: each changes the handlers' objects in this process while it is switched on.

The checker has teeth if it catches every one (`make simulate-mutants`). Nothing shipped knows of them.
"""
