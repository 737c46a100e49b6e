"""Disaster recovery as exercises that anyone on call can run: exports, restore, failover, rebuild, drills.

Acts on a stack through `clients.Deployment`; `responder dr` is its command line, docs/disaster-recovery.md
its guide.
"""
