"""Tests of an embedded AWS on which nothing is deployed, which they share: names are a module's own."""
