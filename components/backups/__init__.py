"""Backups: each region's bucket, vault and schedules, and what spans both regions."""
