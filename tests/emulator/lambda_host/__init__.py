"""Tests of the local Lambda host, by each mechanism that works here."""
