"""Tests of the whole local stack, which they share: each leaves it as it was."""
