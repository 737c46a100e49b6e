"""The checks that are only possible when everything has come to rest, or should have."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise

from handlers.domain.alert import Alert
from handlers.domain.states import contradictions
from simulator.checker import InvariantChecker
from simulator.queues import WorkQueue
from simulator.scenario import Scenario, changing_faults, fault_of
from simulator.services import Post, digest_id_of
from simulator.wiring import CONFIG
from topology.alerts import Status


def unsettled(rows: Mapping[str, Alert]) -> list[str]:
    """Why not everything is at rest: one line an alert; open ones are marked by their status."""
    families: dict[str, list[Alert]] = {}
    for row in rows.values():
        families.setdefault(row.parent_id or row.alert_id, []).append(row)
    problems = []
    for row in rows.values():
        if not row.status.at_rest:
            problems.append(f"{row.alert_id} is {row.status} ({row.attempts} attempts)")
        elif row.step is not None:
            problems.append(f"{row.alert_id} waits for its follow-up, {row.follow_up}")
        elif row.escalate_at is not None:
            problems.append(f"{row.alert_id} waits for its acknowledgement")
        elif row.status is Status.SUPPRESSED and row.due_at is not None:
            problems.append(f"{row.alert_id} is SUPPRESSED, and nobody has looked at its fault")
        elif row.status is Status.SUPPRESSED and not any(
            relative.status is Status.NOTIFIED
            or not relative.status.at_rest
            or relative.silence_id is not None
            for relative in families[row.parent_id or row.alert_id]
        ):
            problems.append(f"{row.alert_id} is SUPPRESSED, and none of its family is open or NOTIFIED")
    return problems


def check_rest(
    checker: InvariantChecker, rows: Mapping[str, Alert], receipts: Iterable[str], scenario: Scenario
) -> None:
    """Check the rows of a run that has come to rest, against the receipts and what Slack has."""
    strong, changing = scenario.consistency == "strong", changing_faults(scenario)
    for alert_id in receipts:
        if alert_id not in rows:
            checker.broken("unaccounted", f"{alert_id} was answered 202 and has no row")
    for row in rows.values():
        for contradiction in contradictions(row):
            checker.broken("contradictory", f"{row.alert_id}: {contradiction}")
        if row.status is Status.NOTIFIED:
            _check_notified(checker, row)
        _check_duplicates(checker, row, strong=strong)
        # A fold is one family for what comes before and after a change of a fault's state.
        if (
            strong
            and row.status is Status.SUPPRESSED
            and not (row.folded and fault_of(row.title) in changing)
        ):
            _check_retries(checker, row, rows)
    _check_digests(checker, rows)
    if strong:
        _check_identities(checker, rows, scenario)


def check_dead_letters(checker: InvariantChecker, queue: WorkQueue) -> None:
    """The dead-letter queues are for poison, and for wake-ups whose workers died each time."""
    for message in queue.dead:
        if not message.is_poison and message.killed < message.receives:
            checker.broken("dead_letter", f"{message.body} of {queue.spec.key} is no poison")


def unexplained(checker: InvariantChecker, rows: Mapping[str, Alert]) -> int:
    """How many posts too many there are that no row counts as possible: eventual ledgers only."""
    return sum(
        max(len(checker.posts.alerts.get(alert_id, ())) - 1 - sum(row.possible_duplicates.values()), 0)
        for alert_id, row in rows.items()
    )


def _check_notified(checker: InvariantChecker, row: Alert) -> None:
    posts = checker.posts.alerts.get(row.alert_id, [])
    wanted = [
        post
        for post in posts
        if (post.message.key if post.message.kind == "digest" else None) == row.digest_id
    ]
    if not wanted:
        checker.broken(
            "notified_unposted", f"{row.alert_id} is NOTIFIED (digest {row.digest_id}), and Slack lacks it"
        )


def _check_digests(checker: InvariantChecker, rows: Mapping[str, Alert]) -> None:
    """The audit's own rule: the rows that carry a digest's id, if they are all of it, make up that id."""
    members: dict[str, list[str]] = {}
    for row in rows.values():
        if row.digest_id is not None:
            members.setdefault(row.digest_id, []).append(row.alert_id)
    counts = {
        post.message.key: post.message.alert_count
        for posts in checker.posts.alerts.values()
        for post in posts
        if post.message.kind == "digest"
    }
    for digest_id, alert_ids in members.items():
        if len(alert_ids) > counts.get(digest_id, 0) or (
            len(alert_ids) == counts[digest_id] and digest_id != digest_id_of(alert_ids)
        ):
            checker.broken("digest_unprovable", f"{digest_id} is carried by others than its members")


def _check_identities(checker: InvariantChecker, rows: Mapping[str, Alert], scenario: Scenario) -> None:
    """Under a strong ledger two alerts of one fault, a window apart at most, are an alert and its repeat.

    Known by their titles, which the sources make; not if one was taken in while the other was not there yet,
    nor if the later one's clock was behind the earlier one's: nobody looks for alerts of the future; nor if
    the state of the fault changed, which `change_checks` looks at.
    """
    about = {fault: arrival for arrival in scenario.arrivals for fault in arrival.tells_of}
    changing = changing_faults(scenario)
    roots: dict[tuple[int, str | None, str], list[Alert]] = {}
    for row in rows.values():
        fault = fault_of(row.title)
        if row.parent_id is None and fault in about and fault not in changing:
            key = (fault, row.body_hash if about[fault].keyed else None, row.severity)
            roots.setdefault(key, []).append(row)
    for (fault, _, _), alerts in roots.items():
        by_content = about[fault].by_content and not about[fault].keyed and not about[fault].by_source
        window_s = CONFIG.dedupe_content_window_s if by_content else CONFIG.dedupe_event_window_s
        alerts.sort(key=lambda row: checker.rows.made_ms[row.alert_id][1])
        for earlier, later in pairwise(alerts):
            apart_ms = later.accepted_at_ms - earlier.accepted_at_ms
            visible = checker.rows.made_ms[earlier.alert_id][1] < checker.rows.made_ms[later.alert_id][0]
            if visible and 0 <= apart_ms < window_s * 1000:
                checker.broken(
                    "identity_split", f"fault {fault} is both {earlier.alert_id} and {later.alert_id}"
                )


def _check_retries(checker: InvariantChecker, row: Alert, rows: Mapping[str, Alert]) -> None:
    """The same bytes once more are answered with the row that they made: a retry repeats nothing.

    Unless that was PARKED: then nobody is told of it, and the retry goes out. A silence may hide it then.
    """
    if row.silence_id is not None and row.alert_id in checker.rows.made_live:
        return
    made_ms = checker.rows.made_ms
    for other in checker.rows.by_fault.get(fault_of(row.title) or 0, {}).values():
        same = other.body_hash == row.body_hash and (other.parent_id or other.alert_id) == row.parent_id
        if same and other.alert_id in rows and made_ms[other.alert_id][1] < made_ms[row.alert_id][0]:
            checker.broken(
                "retry_repeated", f"{row.alert_id} is a repeat of {other.alert_id} by the same body"
            )


def _check_duplicates(checker: InvariantChecker, row: Alert, *, strong: bool) -> None:
    """A post too many needs a cause that really was, and a cause in the row that counts it."""
    rows = checker.rows
    if (
        not strong
        and max(len(of.get(row.alert_id, ())) for of in (rows.workers, rows.creators, rows.promoters)) > 1
    ):
        return  # both regions worked on it, took it in or promoted it: the cause that an eventual ledger adds
    for what, posts in (("alert", checker.posts.alerts), ("follow-up", checker.posts.follow_ups)):
        clean = [post for post in posts.get(row.alert_id, []) if not _disturbed(post, row.alert_id)]
        if len(clean) > 1:
            names = ", ".join(post.invocation.name for post in clean)
            checker.broken(
                "duplicate_without_cause", f"{what} {row.alert_id} by {names}, none of them disturbed"
            )
    extra = len(checker.posts.alerts.get(row.alert_id, ())) - 1
    if extra > sum(row.possible_duplicates.values()):
        checker.broken(
            "duplicate_uncounted",
            f"{row.alert_id} was posted {extra + 1} times, possible: {dict(row.possible_duplicates)}",
        )


def _disturbed(post: Post, alert_id: str) -> bool:
    """Whether its poster had a reason not to know, or not to record, that Slack has it."""
    by = post.invocation
    return (
        not post.answered or by.killed or by.was_frozen or by.ledger_errors > 0 or alert_id in by.lease_lost
    )


def tally(rows: Mapping[str, Alert], checker: InvariantChecker) -> Counter[str]:
    """What came of the alerts, for the report."""
    counts: Counter[str] = Counter(str(row.status) for row in rows.values())
    counts["posts"] = sum(map(len, checker.posts.alerts.values()))
    counts["duplicates"] = sum(max(len(posts) - 1, 0) for posts in checker.posts.alerts.values())
    counts["edits"] = sum(
        getattr(post.message, "refers_to", None) is not None
        for kept in (checker.posts.alerts, checker.posts.follow_ups)
        for posts in kept.values()
        for post in posts
    )
    counts["follow_ups"] = sum(map(len, checker.posts.follow_ups.values()))
    counts["in_digest"] = sum(row.digest_id is not None for row in rows.values())
    counts["folded"] = sum(bool(row.folded) for row in rows.values())
    counts["held"] = sum(row.incident_id is not None and not row.lead for row in rows.values())
    counts["incidents"] = len({row.incident_id for row in rows.values()} - {None})
    counts["silenced"] = sum(row.silence_id is not None for row in rows.values())
    counts["acknowledged"] = sum(row.acknowledged_at is not None for row in rows.values())
    counts["escalated"] = sum(row.escalated_at is not None for row in rows.values())
    counts["routed"] = sum(row.route is not None for row in rows.values())
    counts["rerouted"] = sum(row.unusable_route is not None for row in rows.values())
    for row in rows.values():
        for cause, times in row.possible_duplicates.items():
            counts[f"possible_duplicate {cause}"] += times
    return counts
