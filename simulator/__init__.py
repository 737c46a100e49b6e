"""The deterministic simulator: the handlers' real code in two regions, over a virtual clock, with faults.

One seed makes one `scenario`, which is run in one `world` and watched by one `checker`; the same seed always
gives the same history. `python -m simulator` and `responder simulate` are the ways in. README.md says what is
modelled and what is checked.
"""
