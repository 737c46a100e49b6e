"""The list of regions against the SDK's own."""

import boto3

from topology.regions import REGIONS, STRONG_REGION_SETS


def test_regions_are_those_the_sdk_lists_for_lambda() -> None:
    """A region that AWS opened since is allowed as soon as the SDK knows it and this list is raised."""
    assert set(boto3.Session().get_available_regions("lambda")) == REGIONS


def test_strong_region_sets_hold_known_regions() -> None:
    """A misspelt region in a set would refuse a valid configuration."""
    assert frozenset[str]().union(*STRONG_REGION_SETS) <= REGIONS
