"""Exactly what goes into the Lambda packages: thin entry points, a pure domain, adapters for the rest."""
