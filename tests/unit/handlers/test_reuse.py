"""An answer about one alert, shown on another: it speaks of that one, and says nothing of the first."""

import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers.domain.alert import Alert, Analysis
from handlers.domain.delivery.prompt import prompt_of
from handlers.domain.delivery.reuse.quotes import FUNCTION_WORDS
from handlers.domain.delivery.reuse.templates import fitted, template_of_answer
from handlers.domain.signature import signature_of
from tests.fakes.quoting_analyst import QuotingAnalyst, texts_shown
from tests.fakes.services import ANALYSIS
from tests.unit.handlers.builders import row

NONE_FITS = "(nothing)"


def about(text: str, first: Alert, other: Alert) -> str:
    """What `other`, which has the signature of `first`, is shown of an answer about that one."""
    assert signature_of(first) == signature_of(other)
    said = Analysis(summary=text, probable_cause="", actions=(), confidence="low", model="m")
    analysis = fitted(template_of_answer(said, first), other)
    return NONE_FITS if analysis is None else analysis.summary


def pod(number: int, **fields: Any) -> Alert:
    """One of alike alerts: its pod, host, address and seconds tell it apart."""
    name = ["cart-7c9d8f5b6d-x2m9q", "cart-84b7c9fd55-hbtwz"][number]
    host = ["db-7.eu.internal", "cache-12.us.internal"][number]
    given = {
        "component": "cart",
        "title": f'Pod "{name}" is crash looping',
        "message": f"{[25643, 17][number]} s in back-off at 10.0.0.{number + 1}, try {number + 5}",
        "host": host,
        "labels": {"pod": name, "namespace": ["shop", "depot"][number], "job": "kubelet"},
    }
    return row(**(given | fields))


FIRST, OTHER = pod(0), pod(1)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Pod cart-7c9d8f5b6d-x2m9q loops.", "Pod cart-84b7c9fd55-hbtwz loops."),
        ("POD CART-7C9D8F5B6D-X2M9Q loops.", "POD cart-84b7c9fd55-hbtwz loops."),
        ("“cart-7c9d8f5b6d-x2m9q” loops.", "“cart-84b7c9fd55-hbtwz” loops."),
        ("It runs on `db-7.eu.internal`.", "It runs on `cache-12.us.internal`."),
        ("It runs on db-7, far away.", "It runs on cache-12, far away."),
        ("The pod x2m9q loops.", "The pod hbtwz loops."),
        ("10.0.0.1 was asked for 25643 s.", "10.0.0.2 was asked for 17 s."),
        ("It is at try 5.", "It is at try 6."),
        ("Look into namespace shop.", "Look into namespace depot."),
        ("Look into the shop namespace.", "Look into the depot namespace."),
        ("A HIGH alert.", "A HIGH alert."),
        ("The app cart of job kubelet fails.", "The app cart of job kubelet fails."),
    ],
)
def test_names_and_values_are_those_of_the_alert_at_hand(said: str, shown: str) -> None:
    """Whatever case, quotation marks or part of a name the model wrote."""
    assert about(said, FIRST, OTHER) == shown


@pytest.mark.parametrize(
    "said",
    [
        "The pod waited 25,643 s.",
        "The pod waited 7.1 hours.",
        "It waited for 25643000 ms.",
        "It waited some 25,600 s.",
        "It waited about 26000 s.",
        "Open /pods?name=any%2Fx2m9q now.",
        "The pod \uff58\uff12\uff4d\uff19\uff51 loops.",
        "It is at try \u2464.",
        "Look at db7.",
        "Look at db 7.",
        "Look at db_7_eu.",
        "Wait 5 minutes.",
        "The shop is down.",
        "The hash begins with 7c9d8f.",
        "It is cart7c9d8f5b6dx2m9q.",
    ],
)
def test_what_is_the_first_alerts_in_another_form_is_left_out(said: str) -> None:
    """No slot is known for it, so the sentence goes, and the others stay."""
    assert about(said, FIRST, OTHER) == NONE_FITS
    assert about(f"The app fails. {said} Restart it.", FIRST, OTHER) == "The app fails. Restart it."
    assert about(said, FIRST, FIRST) == said


def test_sentence_stays_where_the_other_alert_has_the_same_words() -> None:
    """What both have is no secret of the first one."""
    assert about("The shop is down.", FIRST, pod(1, labels={"team": "shop"})) == "The shop is down."


def test_slot_that_the_other_alert_lacks_leaves_its_sentence_out() -> None:
    """A label that is missing, a host that has no such parts."""
    other = pod(1, labels={}, host="mail")
    said = "It loops on db-7.eu.internal. See namespace shop. It is on db-7. It loops."
    assert about(said, FIRST, other) == "It loops on mail. It loops."


def test_value_in_two_slots_is_shown_only_where_these_agree() -> None:
    """It cannot be said which of the two was meant; a longer quote says it."""
    first = row(message="from 10.0.0.1 to 10.0.0.1 refused")
    other, alike = (row(message=f"from 10.0.0.2 to 10.0.0.{last} refused") for last in (3, 2))
    assert about("10.0.0.1 is down.", first, other) == NONE_FITS
    assert about("10.0.0.1 is down.", first, alike) == "10.0.0.2 is down."
    assert about("It says “to 10.0.0.1 refused”.", first, other) == "It says “to 10.0.0.3 refused”."


def test_longest_value_is_meant() -> None:
    """A name that begins with another one is not taken apart."""
    first, other = (
        row(host=host, labels={"zone": zone}) for host, zone in (("db-7-b", "db-7"), ("x-1-c", "z-2"))
    )
    assert about("db-7-b in db-7.", first, other) == "x-1-c in z-2."


def test_braces_of_an_answer_are_only_braces() -> None:
    """Neither the model nor an alert's text can name a slot."""
    said = "Use {=host}, {?x}, {{host}}, {=, }} and ${HOST} in {~y}."
    assert about(said, FIRST, OTHER) == said
    hostile = row(host="{=label:secret}", labels={"{=host}": "}{", "secret": "s3cr3t"})
    assert about("It is {=label:secret} here.", hostile, row(host="a-1")) == "It is {=a-1} here."


@pytest.mark.parametrize(
    ("said", "first", "other", "shown"),
    [
        ("Look at node 7.", {"host": "node7.eu.internal"}, {"host": "mail.eu.internal"}, NONE_FITS),
        ("Look at webfront.", {"host": "web-front"}, {"host": "mail-back"}, NONE_FITS),
        ("It took 25643.18 s.", {"message": "took 25643.1789 s"}, {"message": "took 17.9911 s"}, NONE_FITS),
        ("It is on db-7.", {"host": "db-7.eu"}, {"host": "db.eu.internal"}, NONE_FITS),
        ("It is in “shop”.", {"host": "shop"}, {"host": "depot"}, "It is in “depot”."),
        ("See pod, i.e. AA.", {"labels": {"pod": "i", "n": "aa"}}, {"labels": {"pod": "x"}}, "See pod, x.e."),
        ("See the app.", {"labels": {"why": "lost the peer"}}, {"labels": {"why": "reset"}}, "See the app."),
        (
            "It was 10:15:22.",
            {"message": "at 10:15\u200b:22"},
            {"message": "at 11:16:23"},
            "It was 11:16:23.",
        ),
    ],
    ids=["cut", "joined", "rounded", "shape", "quoted", "abbreviation", "English", "unseen signs"],
)
def test_forms_of_a_value(said: str, first: dict[str, Any], other: dict[str, Any], shown: str) -> None:
    """Each is left out or filled by a rule of its own."""
    assert about(said, row(**first), row(**other)) == shown


def test_severity_is_the_other_alerts_own() -> None:
    """It plays no part in the signature. In small letters it is a word like any other."""
    first, other = row(severity="CRITICAL"), row(severity="LOW")
    assert about("A CRITICAL alert on a critical path.", first, other) == "A LOW alert on a critical path."


def test_action_is_kept_whole_or_not_at_all() -> None:
    """Half of one may do harm."""
    said = Analysis(
        summary="It fails.",
        probable_cause="Disk of db7. It fills.",
        actions=("Drain db7. Then delete its disk.", "Look at db-7.", "Restart it."),
        confidence="low",
        model="m",
    )
    analysis = fitted(template_of_answer(said, FIRST), OTHER)
    assert analysis is not None
    assert (analysis.probable_cause, analysis.actions) == ("It fills.", ("Look at cache-12.", "Restart it."))
    assert (analysis.cached, analysis.left_out) == (True, 2)


def test_secret_of_the_other_alert_fills_no_slot() -> None:
    """Out of its place nobody could tell that it is one. A mark is no value, and is no name of a slot."""
    first, other = (
        row(message=f'login of user=bob123 password="{word}" failed on 10.0.0.{number}', host=f"db-{number}")
        for number, word in ((1, "not4you2see"), (2, "hidden5too"))
    )
    token = "ghp_" + "aB3" * 12
    assert (
        about("Ask u-4711. Wait.", row(labels={"caller": "u-4711"}), row(labels={"caller": token})) == "Wait."
    )
    template = template_of_answer(replace(ANALYSIS, summary="Word [redacted: password] on db-1."), first)
    assert "message.1" not in template.summary
    analysis = fitted(template, other)
    assert analysis is not None
    assert analysis.summary == "Word [redacted: password] on db-2."


def test_e_mail_address_of_the_first_alert_is_shown_on_no_other() -> None:
    """Also where the stack has the model see addresses."""
    first, other = (row(message=f"quota of {name}@example.com is full") for name in ("ann.q", "bob.z"))
    assert "ann" in prompt_of(first, emails=False)
    assert about("Ask ann.q@example.com or ann.", first, other) == NONE_FITS
    assert about("Ask ann.q@example.com.", first, other) == "Ask bob.z@example.com."


def test_answer_that_quotes_nothing_is_its_own_template() -> None:
    """And is shown whole, with nothing said to be left out."""
    assert template_of_answer(ANALYSIS, FIRST) == ANALYSIS
    analysis = fitted(ANALYSIS, OTHER)
    assert analysis is not None
    assert not analysis.left_out
    assert analysis.actions == ANALYSIS.actions


@pytest.mark.parametrize(
    "template", ["{", "{=host", "{=nobody}", "{=host/9-9/w}", "{=host/0-1}", "{!x}", "}", "{=}"]
)
def test_template_that_is_none_is_left_out(template: str) -> None:
    """Whoever wrote it into the cache."""
    broken = Analysis(summary=template, probable_cause="", actions=(), confidence="low", model="m")
    assert fitted(broken, OTHER) is None


@pytest.mark.parametrize(
    "filling", ["a ", "1 ", "1,000,", "1.", "a1-", "a1b. ", "{=host}", "'", "\n", "İ", "k{x}"]
)
def test_template_of_hostile_text_is_bounded(filling: str) -> None:
    """Ten texts fit into an item; a text with more marks than that is left out whole."""
    alert = row(
        message=filling * 8_000, title=filling * 100, labels={f"k{n}": filling * 30 for n in range(64)}
    )
    said = Analysis(
        summary=filling * 2_000, probable_cause="", actions=(filling * 2_000,), confidence="low", model="m"
    )
    template = template_of_answer(said, alert)
    assert max(map(len, (template.summary, *template.actions))) <= 8_000
    analysis = fitted(template, alert)
    assert analysis is None or len(analysis.summary) <= 2_000


VALUES = st.one_of(
    st.integers(0, 10**12).map(str),
    st.floats(0, 10**6).map(lambda number: f"{number:.2f}"),
    st.ip_addresses(v=4).map(str),
    st.uuids().map(str),
    st.integers(2**32, 2**48).map(lambda number: f"{number:x}7"),
    st.text("abcxyz019-_ .", min_size=1, max_size=12).map(lambda text: f'"{text}"'),
    st.text("abcxyz019", min_size=1, max_size=8).map(lambda name: f"/var/log/{name}.log"),
)
NAMES = st.from_regex(r"[a-z]{1,6}(-[a-z0-9]{1,5}){0,3}(\.[a-z]{2,4}){0,2}", fullmatch=True)


@st.composite
def alike(draw: st.DrawFn) -> tuple[Alert, Alert]:
    """Two alerts of one signature."""
    words = draw(
        st.lists(
            st.sampled_from(["pod", "timed", "out", "after", "error", "on", "peer", "disk"]),
            min_size=1,
            max_size=8,
        )
    )
    labels = draw(st.lists(st.sampled_from(["pod", "node", "job", "zone"]), unique=True))
    kinds = [draw(st.booleans()) for _ in words]

    def one() -> Alert:
        filled = [f"{word} {draw(VALUES)}" if has else word for word, has in zip(words, kinds, strict=True)]
        return row(
            title=" ".join(filled[:3]),
            message=" ".join(filled),
            host=draw(NAMES),
            severity=draw(st.sampled_from(["CRITICAL", "HIGH", "LOW"])),
            labels={name: draw(NAMES) for name in labels},
        )

    first, other = one(), one()
    assume(signature_of(first) == signature_of(other))
    return first, other


def tokens(text: str) -> set[str]:
    """Its words in small letters, but for those of plain English."""
    return set(re.findall(r"[^\W_]+", text.casefold())) - FUNCTION_WORDS


@settings(max_examples=400, deadline=None)
@given(pair=alike(), seed=st.integers(0, 10**6))
def test_no_word_that_is_the_first_alerts_alone_is_shown_on_the_other(
    pair: tuple[Alert, Alert], seed: int
) -> None:
    """However the model quotes it."""
    first, other = pair
    answer = QuotingAnalyst(seed).analyse(first, timeout_s=1).analysis
    analysis = fitted(template_of_answer(answer, first), other)
    if analysis is None:
        return
    own, others = (tokens("\n".join(texts_shown(alert))) for alert in (first, other))
    shown = tokens("\n".join([analysis.summary, analysis.probable_cause, *analysis.actions]))
    assert shown & (own - others - {str(first.severity).casefold()}) == set()


@settings(max_examples=100, deadline=None)
@given(pair=alike(), seed=st.integers(0, 10**6))
def test_alert_itself_is_shown_the_whole_answer(pair: tuple[Alert, Alert], seed: int) -> None:
    """Its own words all fit, so its repeat gets what it got."""
    first, _ = pair
    answer = QuotingAnalyst(seed).analyse(first, timeout_s=1).analysis
    analysis = fitted(template_of_answer(answer, first), first)
    assert analysis is not None
    assert not analysis.left_out
    assert tokens(analysis.summary) == tokens(answer.summary)
