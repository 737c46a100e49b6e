"""GitHub Actions: workflow runs, their jobs, and the runs and suites of checks, by a repository's webhook.

https://github.com/octokit/webhooks/tree/main/payload-examples/api.github.com (a folder for each event)

A run that failed is an alert of its own: its id is the event's, so a pipeline that fails again is told
again. GitHub says of no green run that it ends a failure, and nothing here remembers one, so a success is
ignored, with one exception: a later attempt of the same run that succeeds ends what an attempt before it
told. Whatever else a webhook may be subscribed to is ignored by its name.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.formats import Identity, Ignored, Member
from handlers.domain.values import Fields, links_of, present
from topology.alerts import Severity

_KINDS: Final = ("workflow_run", "workflow_job", "check_run", "check_suite")
_NAMELESS: Final = ("workflow_run", "check_suite")
"""Whose own name may be empty: the workflow's or the app's stands for it."""

_HEADER: Final = "x-github-event"
_COMPLETED: Final = "completed"
_SUCCESS: Final = "success"
_HARMLESS: Final = frozenset({_SUCCESS, "neutral", "skipped", "cancelled", "stale", "action_required"})
"""Of a run that ended: nothing failed, somebody stopped it, or it waits for somebody.
https://github.com/octokit/webhooks/tree/main/payload-schemas/api.github.com (`conclusion`)"""

_MAX_STEPS: Final = 10


class GitHubActionsFormat:
    """A webhook of GitHub: an alert for a run that failed."""

    name = "github_actions"
    last_resort = False
    members = None
    identity = Identity(
        event_id="the kind and the run's `id`; a job's run and name",
        episode="`run_started_at` or `started_at`",
        sent_at="none",
        resolution="`success` of a later attempt of the same run",
    )
    severity = "HIGH on the repository's default branch, else MEDIUM"

    def recognises(self, body: dict[str, Any], headers: Mapping[str, str]) -> bool:
        """Its header; a run; or the repository and the sender that every webhook of GitHub has."""
        return (
            _HEADER in headers
            or any(isinstance(body.get(kind), dict) for kind in _KINDS)
            or {"zen", "hook_id"} <= body.keys()
            or ({"repository", "sender"} <= body.keys() and isinstance(body["sender"], dict))
        )

    def parse(self, body: dict[str, Any], headers: Mapping[str, str]) -> list[Member]:
        """The run that failed, if one did."""
        said = headers.get(_HEADER)
        kind = next((kind for kind in _KINDS if isinstance(body.get(kind), dict) or kind == said), None)
        if kind is None:
            event = said or ("ping" if "zen" in body else "an event without a run")
            return [Ignored(f"{event} of GitHub tells of no run")]
        fields = Fields(body)
        run = fields.inner(kind)
        action, ended = fields.text("action"), run.text("status")
        for state in (ended, action):
            if state not in (None, _COMPLETED):
                return [Ignored(f"a {kind} that is {state}")]
        conclusion = run.text("conclusion", needed=True)
        again = (run.text("run_attempt") or "1") != "1"
        if conclusion in _HARMLESS and not (conclusion == _SUCCESS and again):
            return [Ignored(f"a {kind} that ended with {conclusion}")]
        return [_alert(fields, run, kind, conclusion or "failure")]


def _alert(fields: Fields, run: Fields, kind: str, conclusion: str) -> IncomingAlert:
    repository = fields.inner("repository")
    place = repository.text("full_name", needed=True) or repository.text("name")
    suite = run.inner("check_suite") if kind == "check_run" else run
    branch = suite.text("head_branch", needed=True)
    workflow = run.text("workflow_name") or fields.inner("workflow").text("name")
    default = repository.text("default_branch", needed=True)
    app = run.inner("app").text("name", needed=kind == "check_suite")
    stand_in = workflow or app or kind.replace("_", " ")
    name = run.text("name", needed=kind not in _NAMELESS) or stand_in
    number = run.id("run_id") if kind == "workflow_job" else run.id("id")
    began = run.time("run_started_at", "started_at", "created_at")
    ended = run.time("completed_at", "updated_at")
    labels = {
        "repository": place,
        "branch": branch,
        "workflow": workflow,
        "commit": run.text("head_sha"),
        "run": run.text("run_number", "run_id"),
        "attempt": run.text("run_attempt"),
        "trigger": run.text("event"),
    }
    return IncomingAlert(
        source="github",
        title=f"{name}: {conclusion}"
        + (f" on {branch}" if branch else "")
        + (f" of {place}" if place else ""),
        severity=Severity.HIGH if branch and branch == default else Severity.MEDIUM,
        part=msgspec.json.encode(fields.values).decode(),
        message="\n".join(_told(run)),
        component=place,
        host=run.text("runner_name"),
        links=links_of(source=run.text("html_url", "details_url")),
        started_at=began,
        episode=began,
        changed_at=ended if conclusion == _SUCCESS else began,
        event_id=(f"{kind}/{number}" + (f"/{name}" if kind == "workflow_job" else "")) if number else None,
        status=conclusion,
        labels=present(labels),
        mended=fields.mended,
    )


def _told(run: Fields) -> list[str]:
    """What the run says of itself: its commit or display title, its output, and the steps that failed."""
    output = run.inner("output")
    texts = (run.text("display_title"), output.text("title"), output.text("summary"))
    told = [text for text in texts if text]
    commit = run.inner("head_commit").text("message")
    if commit and commit not in told:
        told.append(commit)
    steps = [
        step.text("name") for step in run.inners("steps") if step.text("conclusion") not in (None, *_HARMLESS)
    ]
    return told + [f"failed step: {step}" for step in steps[:_MAX_STEPS] if step]


FORMAT: Final = GitHubActionsFormat()
