"""Text of strangers keeps its words, and nothing in it hides or steers."""

import pytest

from handlers.domain.text import inert

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
HEART_ON_FIRE = "\u2764\ufe0f\u200d\U0001f525"
ASTRONAUT = "\U0001f469\U0001f3fd\u200d\U0001f680"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
PERSIAN = "\u0646\u0645\u06cc\u200c\u0634\u0648\u062f"
HINDI = "\u0915\u094d\u200d\u0937"
SINHALA = "\u0dc1\u0dca\u200d\u0dbb\u0dd3"
BENGALI = "\u09b0\u200d\u09cd\u09af\u09be\u09ae"
MALAYALAM = "\u0d05\u0d35\u0d28\u0d4d\u200d, \u0d28\u0d4d\u200d"


@pytest.mark.parametrize(
    "text",
    [FAMILY, HEART_ON_FIRE, ASTRONAUT, ENGLAND, PERSIAN, HINDI, SINHALA, BENGALI, MALAYALAM],
)
def test_joiner_stays_where_script_or_emoji_needs_it(text: str) -> None:
    """Without it they are other words, other syllables, and other people."""
    assert inert(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pay\u200bments", "payments"),
        ("a\u200cb\u200dc", "abc"),
        (f"{FAMILY}\u200d, x", f"{FAMILY}, x"),
        ("\u202eabc\u202c", "abc"),
        ("soft\u00adhyphen", "softhyphen"),
        ("\u0915\u094d\u200d\u093e", "\u0915\u094d\u093e"),
        ("x\U000e0068\U000e0069", "x"),
        ("a\u3164b\U000e0100c", "abc"),
        ("bell\x07rung", "bell rung"),
        ("private\ue000use", "private use"),
        ("lone\ud83dsurrogate", "lone surrogate"),
    ],
)
def test_what_hides_or_reorders_goes(text: str, shown: str) -> None:
    """What stood between words leaves a space; what was drawn as nothing leaves nothing."""
    assert inert(text) == shown


def test_joiner_alone_is_nothing() -> None:
    """At either end of a text there is no neighbour that needs it."""
    assert inert("\u200d") == inert("\u200c") == ""


def test_lines_stay_lines_unless_one_is_wanted() -> None:
    """A title cannot imitate the lines below it."""
    assert inert("a\n\tb") == "a\n\tb"
    assert inert("a\n\tb", one_line=True) == "a b"
