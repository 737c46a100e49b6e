"""Two releases at once: the last one, archived here as a zip, beside today's in one simulated world.

Every deployment runs two releases side by side: regions are updated one after the other, functions of a
region too, and messages in flight outlive both. `archive` makes and loads the zips, `release` is what the
simulator takes of one, `mixed` says which runs where, and in `aws` and `items` both meet as they do in AWS:
in items and message bodies, which each writes and reads by its own adapters.
"""
