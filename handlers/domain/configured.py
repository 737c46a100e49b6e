"""Bodies of a source that the stack's configuration describes: a format made of a `SourceSpec`.

The paths are JMESPath, which is imported when a configured source is first asked: bodies of other formats pay
nothing for it. A path that finds nothing in a member of a group is looked up in the whole body, but for the
event's id, which two members must not share.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert, LinkKind
from handlers.domain.dialects import DEFAULT_SEVERITY, severity_of, unknown_word
from handlers.domain.formats import FORMATS, Identity, Ignored, Member, looked_at
from handlers.domain.limits import MAX_NAME_CHARS, MAX_TITLE_CHARS
from handlers.domain.refusal import RefusedError
from handlers.domain.text import inert
from handlers.domain.values import VALUES_AS_TEXT, id_of, text_of, texts_of
from topology.alerts import Severity

if TYPE_CHECKING:
    from handlers.domain.expressions import Evaluation
    from topology.sources import SourceSpec

_RESOLVED: Final = "resolved"
_TOO_MUCH: Final = "its configured paths take too many steps over this body; send fewer alerts at a time"


def configured_formats(sources: Sequence["SourceSpec"]) -> tuple["ConfiguredFormat", ...]:
    """The formats of the configured sources, in their order."""
    return tuple(ConfiguredFormat(source) for source in sources)


def source_problems(sources: Sequence["SourceSpec"]) -> list[str]:
    """What keeps reception from reading by these sources: paths that are none, and names that are taken."""
    from handlers.domain.expressions import problem_of  # noqa: PLC0415 - for sources only

    taken = {known.name for known in FORMATS}
    problems: list[str] = []
    for source in sources:
        place = f"sources.{source.name}"
        if source.name in taken:
            problems.append(
                f"{place}: the name is a built-in format's; allowed: another, as my-{source.name}"
            )
        problems += [
            f"{place}.links.{kind}: unknown kind of link; allowed: {', '.join(LinkKind)}"
            for kind in source.links.keys() - set(LinkKind)
        ]
        for path, expression in source.expressions.items():
            if problem := problem_of(expression):
                problems.append(f"{place}.{path}: {expression!r} is not allowed: {problem}")
    return problems


class ConfiguredFormat:
    """Bodies of one configured source."""

    last_resort = False

    def __init__(self, spec: "SourceSpec") -> None:
        """Nothing is compiled yet."""
        self._spec = spec
        self.name: str = spec.name
        self.members: str | None = spec.alerts or None
        self.identity = Identity(
            event_id=f"`{spec.event_id}`" if spec.event_id else "none",
            episode="none",
            sent_at="none",
            resolution=f"`{spec.status}`" if spec.status else "none",
        )
        self.severity: str = f"`{spec.severity}`" if spec.severity else f"always {DEFAULT_SEVERITY}"

    def recognises(self, body: dict[str, Any], headers: Mapping[str, str]) -> bool:
        """Whether its header and its `match` hold, of which it has one at least. Never raises."""
        spec = self._spec
        if not (spec.header or spec.match):
            return False
        if spec.header:
            name, colon, start = spec.header.partition(":")
            value = headers.get(name)
            if value is None or (colon and not value.strip().lower().startswith(start.lower())):
                return False
        return not spec.match or _holds(spec.match, body)

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> Sequence[Member]:
        """Its members.

        Raises:
            RefusedError: `alerts` finds none, or takes too many steps.
        """
        from handlers.domain.expressions import Evaluation  # noqa: PLC0415 - for sources only

        evaluation = Evaluation()
        parts, others = looked_at(self._parts(evaluation, body))
        members = [self._member(evaluation, part, body, index) for index, part in enumerate(parts)]
        return members + others

    def _parts(self, evaluation: "Evaluation", body: dict[str, Any]) -> list[Any]:
        path = self._spec.alerts
        if not path:
            return [body]
        found, problem = _evaluated(evaluation, path, body)
        if isinstance(found, Mapping):
            return [found]
        if isinstance(found, list):
            return found
        why = problem or "nothing is there that is a list or an object"
        raise RefusedError(
            422, "missing_field", field=path[:MAX_NAME_CHARS], hint=f"no alerts at `{path}`: {why}"
        )

    def _member(self, evaluation: "Evaluation", part: Any, body: dict[str, Any], index: int) -> Member:
        from handlers.domain.expressions import TooManyStepsError  # noqa: PLC0415 - for sources only

        try:
            return _alert(self._spec, _Reader(evaluation, part, body))
        except TooManyStepsError:
            return RefusedError(
                413, "too_complex", field=f"alerts[{index}]", hint=_TOO_MUCH, part=_json(part)
            )


class _Reader:
    """Reads the fields of one member, and notes what could not be read."""

    def __init__(self, evaluation: "Evaluation", part: Any, body: dict[str, Any]) -> None:
        self.part = part
        self.mended: list[str] = []
        self._evaluation = evaluation
        self._body = body

    def value(self, name: str, path: str, *, of_group: bool = True) -> Any:
        """What `path` finds in the member, else in the whole body; None for nothing."""
        if not path:
            return None
        value, problem = _evaluated(self._evaluation, path, self.part)
        if value is None and of_group and self.part is not self._body:
            value, problem = _evaluated(self._evaluation, path, self._body)
        if problem:
            self.mended.append(f"its {name} could not be read: {problem}")
        return value

    def text(self, name: str, path: str) -> str | None:
        """The same as text."""
        value = self.value(name, path)
        if isinstance(value, dict | list):
            self._note(VALUES_AS_TEXT)
        return text_of(value)

    def expected(self, name: str, path: str) -> str | None:
        """The same of a field whose lack is a gap."""
        text = self.text(name, path)
        if path and text is None:
            self._note(f"it has no {name} at `{path}`")
        return text

    def _note(self, gap: str) -> None:
        if gap not in self.mended:
            self.mended.append(gap)


def _alert(spec: "SourceSpec", read: _Reader) -> Member:
    if spec.ignore and read.value("`ignore`", spec.ignore) not in (None, False, "", [], {}):
        return Ignored(f"`{spec.ignore}` is true of it")
    message = read.text("message", spec.message) or ""
    title = read.expected("title", spec.title) or ""
    if not inert(title[:MAX_TITLE_CHARS]):
        title = inert(message[:MAX_TITLE_CHARS]).partition("\n")[0] or f"an alert of {spec.name}"
    word = read.expected("severity", spec.severity)
    severity = spec.severities.get(word.casefold()) if word else None
    status = read.expected("status", spec.status)
    event_id = id_of(read.value("event id", spec.event_id, of_group=False))
    if spec.event_id and event_id is None:
        read.mended.append(f"it has no event id at `{spec.event_id}`")
    links = {kind: read.text(f"link to its {kind}", path) for kind, path in spec.links.items()}
    return IncomingAlert(
        source=spec.name,
        title=title,
        severity=Severity(severity) if severity else severity_of(word),
        severity_word=None if severity else unknown_word(word),
        part=_json(read.part),
        message=message,
        component=read.text("component", spec.component),
        host=read.text("host", spec.host),
        links={kind: link for kind, link in links.items() if link},
        started_at=read.text("start", spec.started_at),
        event_id=event_id,
        status=_RESOLVED if status and status.casefold() in spec.resolved else status,
        labels=texts_of(read.value("labels", spec.labels)),
        mended=tuple(read.mended),
    )


def _evaluated(evaluation: "Evaluation", path: str, value: Any) -> tuple[Any, str | None]:
    """What a path finds, and why it found nothing where it could not be evaluated."""
    from handlers.domain.expressions import EVALUATION_ERRORS  # noqa: PLC0415 - for sources only

    try:
        found = evaluation.value(path, value)
        msgspec.json.encode(found)
    except EVALUATION_ERRORS as error:
        return None, f"`{path}` failed: {str(error).partition(chr(10))[0]}"[:MAX_NAME_CHARS]
    return found, None


def _holds(path: str, body: dict[str, Any]) -> bool:
    """Whether a path is true of the body, by JMESPath's rule of truth; one that fails is not."""
    from handlers.domain.expressions import (  # noqa: PLC0415 - for sources only
        EVALUATION_ERRORS,
        MAX_MATCH_STEPS,
        Evaluation,
        TooManyStepsError,
    )

    try:
        return Evaluation(MAX_MATCH_STEPS).value(path, body) not in (None, False, "", [], {})
    except (*EVALUATION_ERRORS, TooManyStepsError):
        return False


def _json(part: Any) -> str:
    return msgspec.json.encode(part).decode()
