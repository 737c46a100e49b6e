"""Stand-ins for Slack and Claude that speak the real HTTP protocols, failures included.

Each keeps its state in one object and makes one application for each region, so that what arrives is known
by the region it came from.
"""
