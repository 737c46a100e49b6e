"""Which alerts are listed, in which order, and what is read for it; on DynamoDB's own rules, by moto."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from clients.deployment import Deployment
from clients.rows import LedgerUnreachableError
from runbook.history.listing import AT_WORK, Wanted, fits_matcher, list_alerts
from tests.fakes.deployment import FAILOVER, PRIMARY, LossyClients
from topology.alerts import Severity, Status
from topology.matchers import Matcher

NOW_S = 1_800_000_000
DAY = Wanted(since_s=NOW_S - 86_400, until_s=NOW_S)

Put = Callable[..., str]


def ids(deployment: Deployment, wanted: Wanted) -> list[str]:
    """Of the alerts that are listed, in order."""
    return [row["alert_id"] for row in list_alerts(deployment, wanted).alerts]


def test_the_newest_of_all_severities_come_first(deployment: Deployment, put: Put) -> None:
    """Merged, and none from before or after the time that was asked for."""
    for n, severity in enumerate(("CRITICAL", "INFO", "HIGH", "INFO", "CRITICAL")):
        put(f"a{n}", at_s=NOW_S - n, severity=severity)
    put("future", at_s=NOW_S + 1)
    put("past", at_s=NOW_S - 86_401)
    assert ids(deployment, DAY) == ["a0", "a1", "a2", "a3", "a4"]
    assert ids(deployment, replace(DAY, limit=2)) == ["a0", "a1"]
    assert ids(deployment, replace(DAY, severities=(Severity.INFO,))) == ["a1", "a3"]


@pytest.mark.parametrize("limit", [1, 7, 60])
def test_of_one_severity_nothing_is_read_that_is_not_shown(
    deployment: Deployment, put: Put, limit: int
) -> None:
    """However many rows there are: by DynamoDB's own count of the rows it read."""
    for n in range(60):
        put(f"a{n:02}", at_s=NOW_S - n, severity="HIGH")
    listing = list_alerts(deployment, replace(DAY, severities=(Severity.HIGH,), limit=limit))
    assert [row["alert_id"] for row in listing.alerts] == [f"a{n:02}" for n in range(limit)]
    assert listing.rows_read == limit
    assert listing.more


def test_a_page_that_ends_at_a_megabyte_has_no_row_read_beyond_what_is_shown(
    deployment: Deployment, put: Put
) -> None:
    """Large rows: the next page is of those that are missing."""
    for n in range(12):
        put(f"a{n:02}", at_s=NOW_S - n, severity="HIGH", raw="x" * 300_000)
    listing = list_alerts(deployment, replace(DAY, severities=(Severity.HIGH,), limit=7))
    assert (len(listing.alerts), listing.rows_read) == (7, 7)


def test_other_conditions_say_how_many_rows_were_read_for_them(deployment: Deployment, put: Put) -> None:
    """Two of sixty are shown."""
    for n in range(60):
        put(
            f"a{n:02}",
            at_s=NOW_S - n,
            source="grafana" if n in {3, 50} else "billing",
            labels={"team": "pay"},
        )
    fits = fits_matcher(Matcher(source="graf*", labels={"team": "p?y"}))
    listing = list_alerts(deployment, replace(DAY, fits=fits))
    assert [row["alert_id"] for row in listing.alerts] == ["a03", "a50"]
    assert (listing.rows_read, listing.more, listing.unread_from) == (60, False, None)


def test_where_the_reading_ended_is_said(deployment: Deployment, put: Put) -> None:
    """What was not looked at is unknown, and is not taken for none."""
    for n in range(30):
        put(f"a{n:02}", at_s=NOW_S - n)
    listing = list_alerts(deployment, replace(DAY, fits=lambda _: False, read_max=20))
    assert (listing.alerts, listing.unread_from) == ([], NOW_S - 19)


def test_open_alerts_are_found_by_their_index_whoever_owns_them(deployment: Deployment, put: Put) -> None:
    """Those at rest are not even read, and what the index still shows is not listed."""
    for n in range(40):
        put(f"rest{n}", at_s=NOW_S - n, status="NOTIFIED", open_key=None, due_at=None)
    put("mine", at_s=NOW_S - 50, severity="CRITICAL", open_key=f"{PRIMARY}#CRITICAL", due_at=NOW_S)
    put("theirs", at_s=NOW_S - 40, status="ANALYZED", open_key=f"{FAILOVER}#HIGH", severity="HIGH")
    put("moved", at_s=NOW_S, status="NOTIFIED", open_key=f"{PRIMARY}#HIGH", severity="HIGH")
    listing = list_alerts(deployment, replace(DAY, statuses=AT_WORK))
    assert [row["alert_id"] for row in listing.alerts] == ["theirs", "mine"]
    assert listing.rows_read == 3


def test_parked_alerts_are_found_by_their_index(deployment: Deployment, put: Put) -> None:
    """With a condition beside it."""
    put("a1", status="PARKED", open_key=f"{PRIMARY}#PARKED", severity="LOW")
    put("a2", status="PARKED", open_key=f"{PRIMARY}#PARKED", severity="HIGH")
    put("a3")
    wanted = replace(DAY, statuses=(Status.PARKED,), severities=(Severity.LOW,))
    listing = list_alerts(deployment, wanted)
    assert ([row["alert_id"] for row in listing.alerts], listing.rows_read) == (["a1"], 2)


def test_a_status_without_an_index_is_looked_for_row_by_row(deployment: Deployment, put: Put) -> None:
    """And says so by what it read."""
    for n in range(5):
        put(f"a{n}", at_s=NOW_S - n, status="SUPPRESSED" if n == 4 else "NOTIFIED")
    listing = list_alerts(deployment, replace(DAY, statuses=(Status.SUPPRESSED,)))
    assert ([row["alert_id"] for row in listing.alerts], listing.rows_read) == (["a4"], 5)


def test_a_lost_region_is_answered_for_by_the_other(
    deployment: Deployment, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said on stderr; without any region it is an error with a next step."""
    put("there", at_s=NOW_S)
    put("here", at_s=NOW_S, region=FAILOVER)
    clients = deployment.clients
    assert isinstance(clients, LossyClients)
    clients.lost = {PRIMARY}
    assert ids(deployment, DAY) == ["here"]
    assert f"{PRIMARY} did not answer; {FAILOVER} did" in capsys.readouterr().err
    clients.lost = {PRIMARY, FAILOVER}
    with pytest.raises(LedgerUnreachableError, match="try again"):
        list_alerts(deployment, DAY)
