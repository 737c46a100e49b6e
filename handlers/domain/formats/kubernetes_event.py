"""Kubernetes events, one or a list, as the API server gives them or as an exporter sends them.

https://docs.rs/k8s-pb/0.6.0/source/src/api/events/v1/mod.rs (`events.k8s.io/v1`, and what became of `v1`)
https://github.com/resmoio/kubernetes-event-exporter/blob/master/pkg/kube/event.go

A warning is an alert, anything Normal is not. An event that happens again is the same object with a higher
count, so it is a repeat; another text is another object, and another alert: a pod's second volume is not
its first.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import severity_of, unknown_word
from handlers.domain.formats import Identity, Ignored, Member, looked_at, no_object
from handlers.domain.values import Fields, present

_LISTS: Final = ("List", "EventList")
_OBJECTS: Final = ("involvedObject", "regarding")
_WRAPPED: Final = ("object", "event")
"""Where a watch has the event, and where Heptio's event router does."""

_APP_LABELS: Final = ("app.kubernetes.io/name", "app_kubernetes_io/name", "k8s-app", "app")
_NORMAL: Final = "Normal"
_INFO: Final = "info"
"""What Flux has in `severity` for it: https://fluxoperator.dev/docs/crd/event"""

_TYPES: Final = (_NORMAL, "Warning")


class KubernetesEventFormat:
    """Kubernetes events: an alert for each warning."""

    name = "kubernetes_event"
    last_resort = False
    members = "items"
    identity = Identity(
        event_id="`metadata.uid`, else the object, the reason and the text",
        episode="`firstTimestamp`, else `eventTime`",
        sent_at="`lastTimestamp`, `series.lastObservedTime`",
        resolution="never",
    )
    severity = (
        "MEDIUM for `type: Warning`, HIGH for Flux's `severity: error`; `Normal` and `info` are ignored"
    )

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """An event, or a list."""
        is_list = isinstance(body.get("items"), list) and "apiVersion" in body
        return is_list or any(body.get("kind") == kind for kind in _LISTS) or _is_event(_opened(body))

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The event, or each of the list."""
        if _is_event(_opened(body)):
            return [_member(_opened(body))]
        items = body.get("items")
        if not isinstance(items, list) or not items:
            return [Ignored("a list without an event")]
        items, surplus = looked_at(items)
        return [
            _member(_opened(item)) if isinstance(item, dict) else no_object(item, f"items[{index}]")
            for index, item in enumerate(items)
        ] + surplus


def _opened(body: dict[str, Any]) -> dict[str, Any]:
    """The event itself, where something is around it."""
    for name in _WRAPPED:
        inside = body.get(name)
        if isinstance(inside, dict) and _is_event(inside):
            return inside
    return body


def _is_event(body: Mapping[str, Any]) -> bool:
    """By its kind, by the object that it is about, or by what an event has besides."""
    names = body.keys()
    about = any(isinstance(body.get(name), dict) for name in _OBJECTS)
    return (
        (body.get("kind") == "Event" and bool({"metadata", "reason", *_OBJECTS} & names))
        or (about and bool({"reason", "type", "message", "note", "metadata"} & names))
        or ({"metadata", "reason"} <= names and body.get("type") in _TYPES)
    )


def _member(body: dict[str, Any]) -> Member:
    fields = Fields(body)
    if (thing := fields.text("kind")) not in (None, "Event"):
        return Ignored(f"a {thing} is no event")
    kind = fields.text("type") or fields.text("severity") or fields.text("type", needed=True)
    if kind in (_NORMAL, _INFO):
        return Ignored(f"a Normal event: {fields.text('reason') or 'without a reason'}")
    about = fields.inner("regarding" if "regarding" in body else "involvedObject")
    metadata = fields.inner("metadata")
    namespace = about.text("namespace") or metadata.text("namespace")
    thing, name = about.text("kind", needed=True) or "object", about.text("name", needed=True)
    place = f"{thing} {namespace}/{name}" if namespace else f"{thing} {name}"
    reason = fields.title("reason", stand_in=kind or "event")
    source = fields.inner("source" if "source" in body else "deprecatedSource")
    began = fields.time("firstTimestamp", "deprecatedFirstTimestamp", "eventTime") or metadata.time(
        "creationTimestamp"
    )
    own_labels = about.inner("labels")
    app = next((text for label in _APP_LABELS if (text := own_labels.text(label))), None)
    uid = metadata.id("uid", "name")
    labels = {
        "cluster": fields.text("clusterName"),
        "namespace": namespace,
        "kind": thing,
        "name": name,
        "reason": fields.text("reason"),
        "container": _container(about.text("fieldPath")),
        "component": source.text("component") or fields.text("reportingComponent", "reportingController"),
        "count": fields.text("count", "deprecatedCount"),
    }
    if uid is None:
        labels.pop("count")
    return IncomingAlert(
        source="kubernetes",
        title=f"{reason}: {place}" if name else reason,
        severity=severity_of(kind),
        severity_word=unknown_word(kind),
        part=msgspec.json.encode(body).decode(),
        message=fields.text("message", "note", needed=True) or "",
        component=app or name,
        host=source.text("host"),
        started_at=began,
        episode=began,
        changed_at=began,
        event_id=uid,
        labels=present(labels),
        mended=fields.mended,
    )


def _container(path: str | None) -> str | None:
    """The container in a path such as `spec.containers{app}`."""
    return (path or "").partition("{")[2].removesuffix("}") or None


FORMAT: Final = KubernetesEventFormat()
