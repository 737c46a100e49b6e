"""Evicting answers, on DynamoDB's own rules, by moto: which, in both regions, and what loses to it."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from msgspec.structs import replace
from typer.testing import CliRunner

from clients.analysis_cache import CachedAnalyses, CacheEntry
from clients.deployment import Deployment
from handlers.adapters.aws import clients as adapters
from handlers.adapters.aws.dynamodb import DynamoAnalysisCache
from ops.cli import app
from ops.runbook import cache_commands
from runbook.cache import CacheError, Selection, evict, figures, select
from tests.fakes.deployment import FAILOVER, PRIMARY, LossyClients
from tests.fakes.services import ANALYSIS

NOW_MS = 1_700_000_000_000
EXPIRES_AT = NOW_MS // 1000 + 86_400
REGIONS = (PRIMARY, FAILOVER)


@pytest.fixture
def filled(deployment: Deployment) -> Deployment:
    """Answers of two models in both regions, of which `old` was asked for a day earlier than the others."""
    for region in REGIONS:
        cache = functions_cache(deployment, region)
        for signature, model, age_ms in (("old", "one", 86_400_000), ("new", "one", 0), ("other", "two", 0)):
            answer = replace(ANALYSIS, model=model)
            cache.put(signature, answer, asked_ms=NOW_MS - age_ms, expires_at=EXPIRES_AT)
    return deployment


def functions_cache(deployment: Deployment, region: str) -> DynamoAnalysisCache:
    """The cache as a region's functions have it."""
    return DynamoAnalysisCache(adapters.client("dynamodb", region), deployment.analysis_cache_table)


def evicted_by(deployment: Deployment, selection: Selection, *, at_ms: int = NOW_MS) -> set[str]:
    """The signatures that such an eviction takes out."""
    cache = CachedAnalyses(deployment)
    return evict(deployment, cache, select(deployment, cache, selection), at_ms=at_ms).evicted


@pytest.mark.parametrize(
    ("selection", "signatures"),
    [
        (Selection(), {"old", "new", "other"}),
        (Selection(signature="new"), {"new"}),
        (Selection(signature="unknown"), set()),
        (Selection(model="two"), {"other"}),
        (Selection(asked_before_ms=NOW_MS - 3_600_000), {"old"}),
        (Selection(signature="new", model="two"), set()),
    ],
)
def test_only_what_is_meant_is_evicted_in_both_regions(
    filled: Deployment, selection: Selection, signatures: set[str]
) -> None:
    """And the functions of each region miss it at once, and nothing else."""
    assert evicted_by(filled, selection) == signatures
    for region in REGIONS:
        cache = functions_cache(filled, region)
        missed = {one for one in ("old", "new", "other") if cache.get(one, now_s=1) is None}
        assert missed == signatures


def test_an_answer_that_was_asked_for_before_comes_too_late(filled: Deployment) -> None:
    """In both regions; the next one is kept, and an eviction of that time leaves it alone."""
    evicted_by(filled, Selection(signature="new"))
    for region in REGIONS:
        cache = functions_cache(filled, region)
        cache.put("new", ANALYSIS, asked_ms=NOW_MS, expires_at=EXPIRES_AT)
        assert cache.get("new", now_s=1) is None
        cache.put("new", ANALYSIS, asked_ms=NOW_MS + 60_000, expires_at=EXPIRES_AT)
        assert cache.get("new", now_s=1) == ANALYSIS
    cache, entries = (
        CachedAnalyses(filled),
        select(filled, CachedAnalyses(filled), Selection(signature="new")),
    )
    assert evict(filled, cache, entries, at_ms=NOW_MS).newer == {"new"}


def test_a_lost_region_is_named_and_the_other_evicts(filled: Deployment) -> None:
    """It hears of the eviction by replication."""
    lose(filled, PRIMARY)
    cache = CachedAnalyses(filled)
    done = evict(filled, cache, select(filled, cache, Selection()), at_ms=NOW_MS)
    assert len(done.evicted) == 3
    assert [*done.failed] == [PRIMARY]
    lose(filled, PRIMARY, FAILOVER)
    with pytest.raises(CacheError, match="diagnose"):
        select(filled, cache, Selection())


def test_a_region_that_does_not_answer_is_not_asked_for_each_entry(deployment: Deployment) -> None:
    """Which would take hours for a full cache, each with the client's timeouts; nor is a person's Ctrl-C."""
    asked: dict[str, int] = dict.fromkeys(REGIONS, 0)

    class Counted(CachedAnalyses):
        def evict(self, region: str, signature: str, *, at_ms: int) -> bool:
            asked[region] += 1
            if region == PRIMARY:
                raise EndpointConnectionError(endpoint_url=PRIMARY)
            return super().evict(region, signature, at_ms=at_ms)

    entries = [CacheEntry(signature=f"s{n}", expires_at=0, model="one", asked_ms=1) for n in range(1_000)]

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evict(deployment, Counted(deployment), entries, at_ms=NOW_MS, progress=interrupted)
    assert max(asked.values()) <= 16, "one round of both"


def test_what_has_no_data_is_unknown_and_not_zero(filled: Deployment) -> None:
    """No hit rate is made up where nothing was counted; a region that is away is unknown whole."""
    lose(filled, FAILOVER)
    now = datetime.now(UTC)
    seen, lost = figures(filled, PRIMARY, now=now), figures(filled, FAILOVER, now=now)
    assert (seen.entries, seen.hits, seen.hit_rate, seen.error) == (3, None, None, "")
    assert lost.entries is None
    assert FAILOVER in lost.error


@pytest.fixture
def commanded(filled: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """The commands act on the filled stack."""
    monkeypatch.setattr(
        cache_commands, "open_stack", lambda *_, **__: SimpleNamespace(deployment=filled, emulator=None)
    )
    return filled


def clear(*words: str, typed: str = "") -> Any:
    """Run `responder cache clear`."""
    return CliRunner().invoke(app, ["cache", "clear", *words], input=typed)


def test_a_dry_run_and_a_refusal_leave_everything(commanded: Deployment) -> None:
    """A person is asked first, and told how much it is."""
    dry = clear("--dry-run", "--json")
    assert sorted(json.loads(dry.stdout)["would_evict"]) == ["new", "old", "other"]
    refused = clear(typed="something\n")
    assert refused.exit_code == 2
    assert "3 analyses by one, two are evicted" in refused.stderr
    assert len(select(commanded, CachedAnalyses(commanded), Selection())) == 3


def test_a_region_that_did_not_take_it_fails_the_command(commanded: Deployment) -> None:
    """With the next step; what the other took is said."""
    lose(commanded, FAILOVER)
    done = clear("--model", "one", "--yes", "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert (report["evicted"], [*report["failed"]]) == (["new", "old"], [FAILOVER])
    assert "run it again when it answers" in done.stderr


@pytest.mark.parametrize("text", ["soon", "1", "-1h", "3w"])
def test_an_age_that_is_none_is_refused(commanded: Deployment, text: str) -> None:
    """Before anything is read."""
    lose(commanded, *REGIONS)
    assert clear("--older-than", text).exit_code == 2


def lose(deployment: Deployment, *regions: str) -> None:
    """Have these regions not answer."""
    assert isinstance(deployment.clients, LossyClients)
    deployment.clients.lost = set(regions)
