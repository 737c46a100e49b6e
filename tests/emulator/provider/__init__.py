"""Tests of deployments to an embedded AWS, which they share: each test removes what it deployed."""
