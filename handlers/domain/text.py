"""Text of strangers made harmless for people's eyes: nothing in it hides, reorders or steers what is shown.

By category, not by a list of bad characters: control characters become spaces, since they stand between
words; format characters, which are drawn as nothing, are taken out. The two joiners stay where a script
spells with them or an emoji is made of them, and nowhere else.
https://www.unicode.org/reports/tr31/#Layout_and_Format_Control_Characters (A1, A2, B)
https://www.unicode.org/reports/tr39/#Confusable_Detection
https://www.unicode.org/reports/tr51/#Emoji_ZWJ_Sequences
"""

import re
import unicodedata
from typing import Final

_SPACES: Final = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})
"""Control characters, lone surrogates, private ones: what they would look like is anybody's guess. And the
separators of lines and paragraphs, which end a line for some programs only."""

_FORMAT: Final = "Cf"

_DRAWN_AS_NOTHING: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u2065\u3164\uffa0\ufff0-\ufff8\U000e0100-\U000e01ef]"
)
"""Letters and marks that are ignorable all the same, by which text can carry what nobody sees.
https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt (Default_Ignorable_Code_Point)"""

_SHOWN: Final = frozenset(range(0x0600, 0x0606)) | {0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD}
"""Format characters that are drawn: signs before numbers and the like (Prepended_Concatenation_Mark)."""

_FLAG: Final = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f")
"""A flag of a country's part: a black flag and up to six tags, which hide text anywhere else.
https://www.unicode.org/reports/tr51/#def_std_emoji_tag_sequence_set"""

_ZWNJ: Final = "\u200c"
_ZWJ: Final = "\u200d"
_VIRAMA: Final = 9
"""The canonical combining class of the signs that join two consonants."""

_CURSIVE: Final = (
    "ARABIC LETTER",
    "SYRIAC LETTER",
    "MANDAIC LETTER",
    "NKO LETTER",
    "MONGOLIAN LETTER",
    "ADLAM ",
)
_EMOJI_PARTS: Final = frozenset({"\ufe0f", *(chr(code) for code in range(0x1F3FB, 0x1F400))})
"""What an emoji may end with before it is joined: the emoji presentation, and the five skin tones."""


def inert(text: str, *, one_line: bool = False) -> str:
    """`text` without characters that hide or reorder others; line ends become spaces when `one_line`."""
    kept = text if text.isascii() and text.isprintable() else _kept(text)
    return " ".join(kept.split()) if one_line else kept.strip()


def ascii_of(text: str) -> str:
    """What is left of `text` on one line of ASCII: letters without their accents, the rest left out."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return " ".join(plain.split())


def _kept(text: str) -> str:
    flags = {index for flag in _FLAG.finditer(text) for index in range(*flag.span())}
    return "".join(char if index in flags else _shown(text, index, char) for index, char in enumerate(text))


def _shown(text: str, index: int, char: str) -> str:
    if char in "\n\t" or (char.isascii() and char.isprintable()):
        return char
    category = unicodedata.category(char)
    if category in _SPACES:
        return " "
    if category == _FORMAT:
        if char in (_ZWNJ, _ZWJ) and _joins(text, index):
            return char
        return char if ord(char) in _SHOWN else ""
    return "" if _DRAWN_AS_NOTHING.match(char) else char


def _joins(text: str, index: int) -> bool:
    """Whether the joiner at `index` is one that its neighbours need."""
    before, after = _neighbour(text, index, -1), _neighbour(text, index, +1)
    if index and unicodedata.combining(text[index - 1]) == _VIRAMA:
        final = text[index] == _ZWJ and not unicodedata.category(
            text[index + 1 : index + 2] or " "
        ).startswith("M")
        return final or unicodedata.category(after).startswith("L")
    if text[index] == _ZWJ and unicodedata.combining(text[index + 1 : index + 2] or " ") == _VIRAMA:
        return unicodedata.category(before).startswith("L")
    if text[index] == _ZWNJ:
        return _is_cursive(before) and _is_cursive(after)
    if _is_cursive(before) or _is_cursive(after):
        return _is_cursive(before) and _is_cursive(after)
    joined = text[index + 1 : index + 2]
    ends = text[index - 1] if index else ""
    return (_is_emoji(ends) or ends in _EMOJI_PARTS) and _is_emoji(joined)


def _neighbour(text: str, index: int, step: int) -> str:
    """The next letter that way, past the marks that sit on it; a space where there is none."""
    index += step
    while 0 <= index < len(text) and unicodedata.category(text[index]) == "Mn":
        index += step
    return text[index] if 0 <= index < len(text) else " "


def _is_cursive(char: str) -> bool:
    return unicodedata.name(char, "").startswith(_CURSIVE)


def _is_emoji(char: str) -> bool:
    """Symbols, which every emoji but the keycaps is one of."""
    return bool(char) and unicodedata.category(char) in ("So", "Sm")
