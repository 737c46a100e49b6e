"""The one table of prices, against excerpts of the sources that it names."""

import json
from pathlib import Path
from typing import Any

import pytest

from topology import prices
from topology.prices import MODELS, Price, UnpricedError, check_regions, model_price

EXCERPTS = json.loads((Path(__file__).parent / "price_sources.json").read_text(encoding="utf-8"))
ROWS = {name: value for name, value in vars(prices).items() if isinstance(value, Price)}


@pytest.mark.parametrize("excerpt", EXCERPTS, ids=lambda one: one["row"])
def test_a_row_has_the_figure_unit_and_day_of_its_source(excerpt: dict[str, Any]) -> None:
    """Copied from the source into a file of its own, so that a figure mistyped in either is seen."""
    row = ROWS[excerpt["row"]]
    assert f"${excerpt['figure']}" in excerpt["excerpt"]
    assert row.usd == float(excerpt["figure"])
    assert row.per == excerpt["per"]
    assert row.unit.startswith(excerpt["unit"])
    assert (row.source.url, row.source.of, row.source.first_hand) == (
        excerpt["url"], excerpt["of"], excerpt["first_hand"],
    )  # fmt: skip
    assert excerpt["region"] in prices.REGIONS


def test_at_least_five_rows_are_compared_with_their_sources() -> None:
    """And none twice."""
    assert len({excerpt["row"] for excerpt in EXCERPTS}) == len(EXCERPTS) >= 5


@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_row_has_a_price_an_address_and_a_day_before_it_was_read(name: str) -> None:
    """A price that came from nowhere is none."""
    row = ROWS[name]
    assert row.usd > 0
    assert row.per >= 1
    assert row.source.url.startswith("https://")
    assert "2024-01-01" <= row.source.of <= prices.READ_ON


def test_a_price_is_told_for_one_unit() -> None:
    """Forty cents for a million."""
    assert prices.SQS_REQUEST.each == pytest.approx(4e-7)


@pytest.mark.parametrize("regions", [("eu-west-1",), ("us-east-1", "us-east-2")])
def test_a_region_that_the_table_lacks_is_refused_by_name(regions: tuple[str, ...]) -> None:
    """It is not priced by its likeness to another."""
    with pytest.raises(UnpricedError, match=regions[-1]):
        check_regions(regions)


def test_a_model_without_a_price_is_refused_with_those_that_have_one() -> None:
    """So that a new model does not go for nothing."""
    with pytest.raises(UnpricedError, match="claude-sonnet-5-5"):
        model_price("claude-next")
    assert model_price("claude-sonnet-5-5") is MODELS["claude-sonnet-5-5"]
