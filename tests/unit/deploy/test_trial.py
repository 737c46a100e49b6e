"""A trial tells a claim that held from one that failed, ends in time, and always removes what it deployed."""

import contextlib
import errno
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.trial.deployer import Changes, DeployFailedError
from deploy.trial.run import TEAR_DOWN_S, TRIAL_WITHIN_S, run_trial
from deploy.trial.steps import STEPS, Seen, Step, Trial
from deploy.trial.verdicts import Result, TrialReport, Verdict, read_results
from dr.exports.requests import ExportRefusedError
from tests.fakes.aws_refusals import refusal
from tests.fakes.recorded_aws import FAILOVER, PRIMARY, Answers, RecordedAws
from tests.fakes.trial import FakeDeployer

LOCKED = {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": datetime(2026, 12, 1, tzinfo=UTC)}}
KEY = "abcdefghijklmnopqrstuvwxyz"
CLAIM = Step("one", "it holds", lambda _: Seen("seen", held=True))


def answers() -> Answers:
    """A stack of which every claim holds, but for those that a webhook and an export are needed for."""
    return {
        "dynamodb.describe_table": {"Table": {"DeletionProtectionEnabled": True}},
        "s3.get_object_retention": LOCKED,
        "backup.describe_backup_vault": {"Locked": True, "MinRetentionDays": 2},
        "backup.start_backup_job": {"BackupJobId": "j1"},
        "backup.describe_backup_job": {"State": "COMPLETED"},
        "apigateway.get_api_keys": {
            "items": [{"name": "mcp-incident-responder-trial-sources", "value": KEY}]
        },
        "iam.get_role": {
            "Role": {
                "Path": "/",
                "RoleName": "backup",
                "RoleId": "AROA0123456789ABCDEF",
                "Arn": "arn:aws:iam::123456789012:role/backup",
                "CreateDate": datetime(2026, 11, 30, tzinfo=UTC),
            }
        },
    }


def chosen(*ids: str) -> list[Step]:
    """The steps of these ids, in their order."""
    steps = [step for step in STEPS if step.id in ids]
    assert len(steps) == len(ids)
    return steps


def verdicts(deployer: FakeDeployer, *ids: str) -> dict[str, Verdict]:
    """What a trial of these steps comes to."""
    return {one.id: one.verdict for one in run_trial(deployer, steps=chosen(*ids)).results}


def test_the_ledgers_guard_is_tried_last() -> None:
    """Where it does not refuse, the embedded AWS has no preview to stop at."""
    assert [step.id for step in STEPS][-1] == "A5"
    assert len({step.id for step in STEPS}) == len(STEPS)


def test_a_stack_that_holds_what_it_should_is_held() -> None:
    """On AWS; two ups and a third change nothing."""
    ids = ("up", "up-2", "up-3", "A4", "A2", "A1", "A3", "A6", "A7-role", "A5")
    assert set(verdicts(FakeDeployer(RecordedAws(answers())), *ids).values()) == {Verdict.HELD}


def unprotected_first(deployer: FakeDeployer) -> None:
    """The provider's known order: the second up protects the replicas."""
    deployer.ups = [Changes(created=278), Changes(updated=2), Changes()]


FAULTS: dict[str, tuple[str, Callable[[FakeDeployer], object]]] = {
    "a second up that updates objects": (
        "up-2",
        lambda d: setattr(d, "ups", [Changes(created=9), Changes(updated=5)]),
    ),
    "a second up that replaces": (
        "up-2",
        lambda d: setattr(d, "ups", [Changes(created=9), Changes(replaced=1)]),
    ),
    "a third up that is not quiet": (
        "up-3",
        lambda d: setattr(d, "ups", [Changes(created=9), Changes(), Changes(updated=1)]),
    ),
    "a replica without protection": (
        "A4",
        lambda d: d.aws.answers.update(
            {f"dynamodb.describe_table@{FAILOVER}": {"Table": {"DeletionProtectionEnabled": False}}}
        ),
    ),
    "an object that is not locked": (
        "A2",
        lambda d: d.aws.answers.update({"s3.get_object_retention": refusal("NoSuchObjectLockConfiguration")}),
    ),
    "a vault without its lock": (
        "A1",
        lambda d: d.aws.answers.update({f"backup.describe_backup_vault@{PRIMARY}": {"Locked": False}}),
    ),
    "a vault with its old lock": (
        "A1",
        lambda d: d.aws.answers.update(
            {"backup.describe_backup_vault": {"Locked": True, "MinRetentionDays": 1}}
        ),
    ),
    "a key in the state": ("A3", lambda d: setattr(d, "kept", f'"value": "{KEY}"')),
    "a ledger that would move": ("A5", lambda d: setattr(d, "refuses", "")),
    "a refusal of something else": ("A5", lambda d: setattr(d, "refuses", "the disk is full")),
    "a bare bucket": ("A6", lambda d: d.bare.add("aws:s3/bucket:Bucket")),
    "a backup that fails": (
        "A7-role",
        lambda d: d.aws.answers.update({"backup.describe_backup_job": {"State": "FAILED"}}),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_fails_its_claim(fault: str) -> None:
    """And the trial as a whole; without the fault it is held, as the test above shows."""
    id_, plant = FAULTS[fault]
    deployer = FakeDeployer(RecordedAws(answers()))
    plant(deployer)
    report = run_trial(deployer, steps=chosen(*{"up", "up-2", "up-3", id_}))
    assert {one.id: one.verdict for one in report.results}[id_] is Verdict.FAILED
    assert report.failed
    assert deployer.removed == 1


def test_what_the_second_up_protects_is_no_failure() -> None:
    """A4: two updates of strong tables, and nothing else."""
    deployer = FakeDeployer(RecordedAws(answers()))
    unprotected_first(deployer)
    assert set(verdicts(deployer, "up", "up-2", "up-3").values()) == {Verdict.HELD}


def test_the_embedded_aws_settles_only_what_the_program_decides_itself() -> None:
    """What it stands in for is not settled however well it looks; what it shows to be wrong has failed."""
    deployer = FakeDeployer(RecordedAws(answers()), embedded=True, where="the embedded AWS")
    assert verdicts(deployer, "up", "A3", "A6", "A5") == {
        "up": Verdict.NOT_SETTLED,
        "A3": Verdict.NOT_SETTLED,
        "A6": Verdict.HELD,
        "A5": Verdict.HELD,
    }
    deployer.kept = KEY
    assert verdicts(deployer, "up", "A3")["A3"] is Verdict.FAILED


@pytest.mark.parametrize(
    ("unseen", "expected"),
    [
        ("dynamodb.describe_table", {"A4": Verdict.NOT_SETTLED, "A2": Verdict.HELD}),
        ("s3.get_object_retention", {"A4": Verdict.FAILED, "A2": Verdict.NOT_SETTLED}),
    ],
)
def test_what_could_not_be_looked_at_after_an_up_is_not_taken_from_another(
    unseen: str, expected: dict[str, Verdict]
) -> None:
    """A4 is of the second `up`, whose replica is bare, and not of the third, which protects it."""
    aws = RecordedAws(answers())
    replica = f"dynamodb.describe_table@{FAILOVER}"

    class Uneven(FakeDeployer):
        def up(self, config: Mapping[str, str], *, within_s: float) -> Changes:
            number = len(self.configs) + 1
            self.aws.answers |= answers()
            self.aws.answers[replica] = {"Table": {"DeletionProtectionEnabled": number == 3}}
            if number == 2:
                self.aws.answers[unseen] = refusal("ThrottlingException")
                if unseen in replica:
                    self.aws.answers[replica] = refusal("ThrottlingException")
            return super().up(config, within_s=within_s)

    found = verdicts(Uneven(aws), "up", "up-2", "up-3", "A4", "A2")
    assert {id_: found[id_] for id_ in ("A4", "A2")} == expected
    assert {found[id_] for id_ in ("up", "up-2", "up-3")} == {Verdict.HELD}


def test_a_second_up_that_fails_leaves_its_claims_open() -> None:
    """The third is not taken for it."""
    ups: list[Changes | Exception] = [Changes(created=9), DeployFailedError("throttled"), Changes()]
    found = verdicts(FakeDeployer(RecordedAws(answers()), ups=ups), "up", "up-2", "up-3", "A4")
    assert found["up-2"] is Verdict.FAILED
    assert found["A4"] is Verdict.NOT_SETTLED


def test_without_the_first_up_nothing_else_is_tried_and_all_is_removed() -> None:
    """What is half made costs as well."""
    deployer = FakeDeployer(RecordedAws(answers()), ups=[DeployFailedError("no quota")])
    report = run_trial(deployer, steps=chosen("up", "A6"))
    assert [one.verdict for one in report.results] == [Verdict.FAILED, Verdict.NOT_SETTLED]
    assert "no quota" in report.results[0].evidence
    assert (deployer.removed, len(deployer.configs)) == (1, 1)


@pytest.mark.parametrize(
    "error", [refusal("AccessDenied"), ExportRefusedError("no PITR"), IndexError("an up is missing")]
)
def test_what_aws_refuses_settles_nothing(error: Exception) -> None:
    """The other steps go on."""

    def refused(_: Trial) -> Seen:
        raise error

    report = run_trial(
        FakeDeployer(RecordedAws(answers())), steps=[*chosen("up"), Step("x", "c", refused), CLAIM]
    )
    assert [one.verdict for one in report.results] == [Verdict.HELD, Verdict.NOT_SETTLED, Verdict.HELD]
    assert not report.failed


def test_the_time_for_the_tear_down_is_kept() -> None:
    """A step that would begin within it is not run."""
    now = [0.0]

    def slow(_: Trial) -> Seen:
        now[0] += TRIAL_WITHIN_S - TEAR_DOWN_S
        return Seen("done", held=True)

    deployer = FakeDeployer(RecordedAws(answers()))
    steps = [*chosen("up"), Step("slow", "c", slow), CLAIM]
    report = run_trial(deployer, steps=steps, now_s=lambda: now[0])
    assert report.results[-1].evidence == "no time was left"
    assert deployer.removed == 1


@pytest.mark.parametrize("end", [KeyboardInterrupt(), AssertionError("a fault of the trial itself")])
def test_an_interrupted_trial_is_torn_down_and_its_verdicts_are_kept(end: BaseException) -> None:
    """Ctrl-C, or a fault of the step itself: the file has what was found, and whether anything is left."""

    def interrupted(_: Trial) -> Seen:
        raise end

    kept: list[TrialReport] = []
    deployer = FakeDeployer(RecordedAws(answers()))
    with pytest.raises(type(end)):
        run_trial(deployer, steps=[*chosen("up"), Step("x", "c", interrupted)], keep=kept.append)
    assert deployer.removed == 1
    assert [bool(report.left_over) for report in kept] == [True, False]
    assert [one.verdict for one in kept[-1].results] == [Verdict.HELD, Verdict.NOT_SETTLED]


def no_room(_: object) -> None:
    """A full disk, or a stderr whose reader is gone."""
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_report_that_cannot_be_kept_does_not_keep_the_stack() -> None:
    """It is what costs; whoever is given the report tries again."""
    deployer = FakeDeployer(RecordedAws(answers()))
    assert not run_trial(deployer, steps=chosen("up"), keep=no_room).failed
    assert deployer.removed == 1


@pytest.mark.parametrize("after", [0, 1, 2])
def test_lines_that_nobody_reads_do_not_keep_the_stack(after: int) -> None:
    """As of `prove 2>&1 | head -1`: it ends, and all is removed."""
    told: list[str] = []

    def tell(line: str) -> None:
        if len(told) >= after:
            raise BrokenPipeError
        told.append(line)

    deployer = FakeDeployer(RecordedAws(answers()))
    with contextlib.suppress(BrokenPipeError):
        run_trial(deployer, steps=chosen("up"), tell=tell)
    assert deployer.removed == 1


def test_what_cannot_be_removed_is_named_and_fails_the_trial() -> None:
    """It costs until somebody removes it."""

    def stuck() -> None:
        raise DeployFailedError("the bucket is not empty")

    report = run_trial(FakeDeployer(RecordedAws(answers()), removing=stuck), steps=chosen("up"))
    assert report.left_over == "the bucket is not empty"
    assert report.failed


def test_the_file_has_what_was_found(tmp_path: Path) -> None:
    """And names no account."""
    report = run_trial(FakeDeployer(RecordedAws(answers())), steps=chosen("up", "A6"))
    report.write(tmp_path / "proof.json")
    assert read_results(tmp_path / "proof.json") == ("AWS", report.results)
    assert "123456789012" not in (tmp_path / "proof.json").read_text()


def result(**changed: Any) -> Result:
    """One result."""
    return Result(
        **{"id": "x", "claim": "c", "verdict": Verdict.HELD, "evidence": "e", "at": "t", "took_s": 1.0}
        | changed
    )


def test_not_settled_is_no_failure() -> None:
    """Here most are not."""
    assert not TrialReport("AWS", "t", 1.0, (result(verdict=Verdict.NOT_SETTLED),), "").failed
    assert TrialReport("AWS", "t", 1.0, (result(verdict=Verdict.FAILED),), "").failed
