"""The rules, a module for each concern; each is a function of one resource and its stack."""
