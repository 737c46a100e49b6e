"""The record of silences, on DynamoDB's own rules, by moto: either region, one version, and its bounds."""

from dataclasses import replace

import boto3
import pytest

from clients.coordination import CoordinationRecords, CoordinationUnreachableError
from clients.deployment import Deployment
from clients.silences import MadeSilences, SilenceError
from handlers.adapters.aws import clients as adapters
from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of
from handlers.adapters.aws.silences import DynamoSilences
from handlers.domain.silences import Silences
from handlers.domain.states import silenced
from handlers.settings import variable
from tests.fakes.deployment import FAILOVER, PRIMARY, LossyClients
from tests.fakes.machine import FakeClock
from tests.unit.handlers.builders import row
from topology.functions import ANALYSIS
from topology.matchers import Matcher
from topology.records import SILENCES
from topology.silences import MAX_SILENCES, MAX_STORED_CHARS, Silence, packed_silences

NOW_S = 1_900_000_000


def silence(silence_id: str = "s-1", **fields: object) -> Silence:
    """A silence of `billing` for an hour."""
    given = {"matcher": Matcher(source="billing"), "reason": "move", "by": "ann"} | fields
    given = {"from_s": NOW_S, "until_s": NOW_S + 3_600} | given
    return Silence(silence_id=silence_id, **given)  # type: ignore[arg-type]


def lose(deployment: Deployment, *regions: str) -> None:
    """Have these regions not answer."""
    assert isinstance(deployment.clients, LossyClients)
    deployment.clients.lost = set(regions)


def test_handlers_read_what_people_made(deployment: Deployment) -> None:
    """From the record's item in the region where it was written."""
    MadeSilences(deployment).add(silence(), now_s=NOW_S)
    stored = DynamoSilences(adapters.client("dynamodb", PRIMARY), deployment.coordination_table)
    known = Silences(stored=stored, clock=FakeClock())
    assert known.silence_of(row(), now_s=NOW_S) == silence()
    untouched = DynamoSilences(adapters.client("dynamodb", FAILOVER), deployment.coordination_table)
    assert untouched.read() == ""


def test_silence_is_made_while_a_region_is_lost(deployment: Deployment) -> None:
    """By the other; with both gone nobody can say, and that is said."""
    lose(deployment, PRIMARY)
    made = MadeSilences(deployment)
    made.add(silence(), now_s=NOW_S)
    assert made.read() == (silence(),)
    lose(deployment, PRIMARY, FAILOVER)
    with pytest.raises(CoordinationUnreachableError):
        made.end("s-1", now_s=NOW_S)


def test_configured_silences_are_read_of_the_deployed_function(deployment: Deployment) -> None:
    """Of the other region's while one is lost; with both gone nobody can say."""
    assert isinstance(deployment.clients, LossyClients)
    name = deployment.names.function(ANALYSIS)
    deployment.clients.environments = {name: {variable("alert_silences"): packed_silences([silence()])}}
    lose(deployment, PRIMARY)
    assert [one.silence_id for one in MadeSilences(deployment).configured()] == ["s-1"]
    lose(deployment, PRIMARY, FAILOVER)
    with pytest.raises(CoordinationUnreachableError, match="which silences are configured"):
        MadeSilences(deployment).configured()


def test_people_hear_once_which_region_did_not_answer(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """However many questions a command asks; nobody hears anything while both answer."""
    MadeSilences(deployment).read()
    assert capsys.readouterr().err == ""
    lose(deployment, PRIMARY)
    made = MadeSilences(deployment)
    made.add(silence(), now_s=NOW_S)
    made.counts()
    made.read()
    line = f"{PRIMARY} did not answer; {FAILOVER} did, and was asked instead\n"
    assert capsys.readouterr().err == line


def test_silence_that_contradicts_another_is_refused(deployment: Deployment) -> None:
    """It names the other and how to change that; once the other is over, there is nothing to contradict."""
    made = MadeSilences(deployment)
    made.add(silence(), now_s=NOW_S)
    made.add(silence(), now_s=NOW_S)  # the same again, as after an unknown outcome
    with pytest.raises(SilenceError, match="`responder silence extend s-1`"):
        made.add(silence("s-2", until_s=NOW_S + 60), now_s=NOW_S)
    with pytest.raises(SilenceError, match="`responder silence extend s-1`"):
        made.add(silence("s-2", matcher=Matcher(source="Billing")), now_s=NOW_S)
    made.add(silence("s-3", matcher=Matcher(source="other")), now_s=NOW_S)
    made.end("s-1", now_s=NOW_S + 5)
    made.add(silence("s-2"), now_s=NOW_S + 6)
    assert {one.silence_id for one in made.read()} == {"s-1", "s-2", "s-3"}


def test_changed_silence_remembers_its_earlier_ends(deployment: Deployment) -> None:
    """By which Recovery finds what it silenced until then."""
    made = MadeSilences(deployment)
    made.add(silence(), now_s=NOW_S)
    made.extend("s-1", until_s=NOW_S + 7_200, now_s=NOW_S)
    ended = made.end("s-1", now_s=NOW_S + 60)
    assert (ended.until_s, ended.due_s) == (NOW_S + 60, (NOW_S + 3_600, NOW_S + 7_200))
    assert made.read() == (ended,)


@pytest.mark.parametrize(
    ("silence_id", "problem"), [("s-9", "the configuration is changed there"), ("s-1", "is over already")]
)
def test_silence_that_is_not_there_can_not_be_ended(
    deployment: Deployment, silence_id: str, problem: str
) -> None:
    """Nor extended."""
    made = MadeSilences(deployment)
    made.add(silence(until_s=NOW_S + 1), now_s=NOW_S)
    for change in (made.end, lambda one, now_s: made.extend(one, until_s=NOW_S + 99, now_s=now_s)):
        with pytest.raises(SilenceError, match=problem):
            change(silence_id, now_s=NOW_S + 1)


def test_shorter_end_is_no_extension(deployment: Deployment) -> None:
    """The next step is named."""
    made = MadeSilences(deployment)
    made.add(silence(), now_s=NOW_S)
    with pytest.raises(SilenceError, match="`responder silence end s-1`"):
        made.extend("s-1", until_s=NOW_S + 60, now_s=NOW_S)


def test_record_is_bounded(deployment: Deployment) -> None:
    """What is over makes room, the longest over first; what is not is never dropped."""
    made = MadeSilences(deployment)
    old = [silence(f"o-{n}", matcher=Matcher(title=f"t{n}"), until_s=NOW_S + 9 + n) for n in range(5)]
    new = [silence(f"n-{n}", matcher=Matcher(title=f"n{n}")) for n in range(MAX_SILENCES - 4)]
    for one in (*old, *new):
        made.add(one, now_s=NOW_S + (0 if one in old else 60))
    known = {one.silence_id for one in made.read()}
    assert len(known) == MAX_SILENCES
    assert "o-0" not in known
    for number in range(4):
        made.add(silence(f"m-{number}", matcher=Matcher(title=f"m{number}")), now_s=NOW_S + 60)
    with pytest.raises(SilenceError, match="end one of them first"):
        made.add(silence("last", matcher=Matcher(title="last")), now_s=NOW_S + 60)


def test_record_takes_bounded_room(deployment: Deployment) -> None:
    """Workers read it each few seconds."""
    made = MadeSilences(deployment)
    matchers = [
        Matcher(labels={"number": str(number)} | {f"label{n}": "x" * 200 for n in range(7)})
        for number in range(MAX_STORED_CHARS // 1_400 + 1)
    ]

    def make_all() -> None:
        for number, matcher in enumerate(matchers):
            made.add(silence(f"s-{number}", matcher=matcher), now_s=NOW_S)

    with pytest.raises(SilenceError, match="too much room"):
        make_all()


def test_malformed_record_is_made_anew(deployment: Deployment) -> None:
    """It silences nothing, so nothing is lost with it."""
    assert CoordinationRecords(deployment, PRIMARY).write(SILENCES, None, {"other": 1})
    made = MadeSilences(deployment)
    assert made.read() == ()
    made.add(silence(), now_s=NOW_S)
    assert made.read() == (silence(),)


def test_silenced_alerts_are_counted_by_silence(deployment: Deployment) -> None:
    """Those that wait for its end, of both regions' alerts, and what it would have silenced."""
    dynamodb = boto3.client("dynamodb", region_name=PRIMARY)
    for number, owner in enumerate((PRIMARY, PRIMARY, FAILOVER)):
        alert = silenced(row(f"a{number}"), silence_id="s-1", until=NOW_S)
        plain = attributes_of(alert) | {"owner": owner, "open_key": f"{owner}#SILENCED"}
        dynamodb.put_item(TableName=deployment.alerts_table, Item=item_of(plain))
    made = MadeSilences(deployment)
    assert made.counts() == {"s-1": 3}
    accepted = made.accepted_since(row().timestamp)
    covered = [replace(silence(), from_s=0).covers(one, now_s=NOW_S) for one in accepted]
    assert covered == [True] * 3
    assert made.accepted_since(row().timestamp + 1) == []
