"""Functions of one shape each, to try the tuner on: what they do depends on nothing but their size of memory.

Each file is a package of its own, and imports nothing of the project.
"""
