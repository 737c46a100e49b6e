"""Restore testing of AWS Backup, as far as a program that declares it needs: plans and selections are kept.

ministack has no restore testing. No test ever runs here: schedules of plans are not carried out.
https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing.html
"""

# ruff: noqa: SLF001 - it corrects ministack, whose functions are private

import time
from collections.abc import Mapping
from typing import Any, Final

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import backup

from emulator.aws.answers import Answer, RefusalError
from emulator.aws.backup.calls import Request, Routes, page

ARN_PART: Final = ":restore-testing-plan:"

_plans = AccountRegionScopedDict()
_selections = AccountRegionScopedDict()


def install_tags() -> None:
    """Have the calls that tag a resource of AWS Backup take restore testing plans too."""
    resolve = backup._resolve_resource

    def resolved(arn: str) -> Any:
        _, is_plan, name = arn.partition(ARN_PART)
        return _plans.get(name, {}).get("Tags") if is_plan else resolve(arn)

    backup._resolve_resource = resolved


def _create_plan(request: Request) -> dict[str, Any]:
    plan = request.body["RestoreTestingPlan"]
    name = plan["RestoreTestingPlanName"]
    if name in _plans:
        raise RefusalError("AlreadyExistsException", f"Restore testing plan {name} exists")
    arn = f"arn:aws:backup:{get_region()}:{get_account_id()}{ARN_PART}{name}"
    tags = dict(request.body.get("Tags") or {})
    _plans[name] = {**plan, "RestoreTestingPlanArn": arn, "CreationTime": time.time(), "Tags": tags}
    return _named(_plans[name])


def _update_plan(request: Request) -> dict[str, Any]:
    plan = _plan(request.path[0])
    plan |= request.body["RestoreTestingPlan"] | {"UpdateTime": time.time()}
    return _named(plan)


def _delete_plan(request: Request) -> dict[str, Any]:
    name = str(_plan(request.path[0])["RestoreTestingPlanName"])
    if any(plan == name for plan, _ in _selections.keys()):  # noqa: SIM118 - its iterator gives no pairs
        raise RefusalError("InvalidRequestException", f"Restore testing plan {name} has selections")
    _plans.pop(name)
    return {}


def _create_selection(request: Request) -> dict[str, Any]:
    plan, selection = _plan(request.path[0]), request.body["RestoreTestingSelection"]
    key = (request.path[0], selection["RestoreTestingSelectionName"])
    if key in _selections:
        raise RefusalError("AlreadyExistsException", f"Restore testing selection {key[1]} exists")
    named = {"RestoreTestingPlanName": key[0], "CreationTime": time.time()}
    _selections[key] = {**selection, **named}
    return {**_named(plan), "RestoreTestingSelectionName": key[1], "CreationTime": named["CreationTime"]}


def _update_selection(request: Request) -> dict[str, Any]:
    selection = _selection(request)
    selection |= request.body["RestoreTestingSelection"]
    named = {"RestoreTestingSelectionName": request.path[1], "UpdateTime": time.time()}
    return {**_named(_plan(request.path[0])), **named}


def _delete_selection(request: Request) -> dict[str, Any]:
    _selection(request)
    _selections.pop((request.path[0], request.path[1]))
    return {}


def _list_selections(request: Request) -> Answer:
    _plan(request.path[0])
    selections = [s for (plan, _), s in _selections.items() if plan == request.path[0]]
    return page(selections, request.query, "RestoreTestingSelections")


def _plan(name: str) -> dict[str, Any]:
    plan: dict[str, Any] | None = _plans.get(name)
    if plan is None:
        raise RefusalError("ResourceNotFoundException", f"Restore testing plan {name} not found")
    return plan


def _selection(request: Request) -> dict[str, Any]:
    selection: dict[str, Any] | None = _selections.get((request.path[0], request.path[1]))
    if selection is None:
        raise RefusalError(
            "ResourceNotFoundException", f"Restore testing selection {request.path[1]} not found"
        )
    return selection


def _named(plan: Mapping[str, Any]) -> dict[str, Any]:
    names = ("RestoreTestingPlanArn", "RestoreTestingPlanName", "CreationTime", "UpdateTime")
    return {name: plan[name] for name in names if name in plan}


_PLANS: Final = "/restore-testing/plans"
_PLAN: Final = _PLANS + "/([^/]+)"
_SELECTION: Final = _PLAN + "/selections/([^/]+)"

ROUTES: Final[Routes] = {
    ("PUT", _PLANS): _create_plan,
    ("GET", _PLANS): lambda call: page(_plans.values(), call.query, "RestoreTestingPlans"),
    ("GET", _PLAN): lambda call: {"RestoreTestingPlan": _plan(call.path[0])},
    ("PUT", _PLAN): _update_plan,
    ("DELETE", _PLAN): _delete_plan,
    ("PUT", _PLAN + "/selections"): _create_selection,
    ("GET", _PLAN + "/selections"): _list_selections,
    ("GET", _SELECTION): lambda call: {"RestoreTestingSelection": _selection(call)},
    ("PUT", _SELECTION): _update_selection,
    ("DELETE", _SELECTION): _delete_selection,
}
