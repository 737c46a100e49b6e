"""The forms of values within a word, as patterns. None sees more than 256 characters at a time, but `NUMBER`.

The large ones are compiled when a message needs them first: a handler that starts does not wait for it.
"""

import re
from functools import cache
from typing import Final

PLACEHOLDER: Final = "<*>"
ASIDE_TEXT: Final = f"({PLACEHOLDER})"
PUNCTUATION: Final = "()[]{}<>,.;:\"'!?`"

_POD: Final = "[bcdfghjklmnpqrstvwxz2456789]"
"""What Kubernetes makes random suffixes of: no vowels, so that they spell nothing.
https://github.com/kubernetes/apimachinery/blob/master/pkg/util/rand/rand.go"""

_WHOLE: Final = r"(?![\w.-]*\w)"
_MAIL: Final = r"[\w.+-]++@[\w-]+(?:\.[\w-]+)+"
_MAC: Final = r"[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5,31}\b"
_IPV6: Final = r"(?<![\w:])(?=[0-9a-fA-F]*:[0-9a-fA-F]*:)[0-9a-fA-F:]{3,39}(?:\.\d+){0,3}(?:%\w+)?(?![\w:])"
_RELATIVE_PATH: Final = (
    r"(?=[\w.-]++/)(?:[\w.-]*[.\d][\w.-]*(?:/[\w.+@-]+)+|[\w.-]+(?:/[\w.+@-]+)*/[\w.+@-]*\.[\w.+@-]+)"
)
_HEX: Final = r"(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{6,}\b|(?<=@)[0-9a-f]{4,}\b"
_LABEL: Final = r"(?:[a-z0-9_][\w-]*|[A-Z0-9_-]+)"
_DOTTED: Final = rf"{_LABEL}(?:\.{_LABEL}){{2,}}(?::\d+)?{_WHOLE}"
_HOST: Final = (
    rf"[\w-]+\.(?:com|net|org|edu|gov|io|dev|app|cloud|local|internal|lan|de|uk|eu)(?::\d+)?{_WHOLE}"
)
_PODS: Final = rf"(?<=[a-z0-9]-)(?:{_POD}{{6,10}}-{_POD}{{5}}|(?={_POD}*\d){_POD}{{5}})(?![a-zA-Z0-9-])"

VALUES: Final = rf"""
(?<!\w)(?:
 (?=\d)(?:
  (?P<class>[1-5](?:xx|XX)\b|([245])\d\d[\x01-]\2\.\d{{1,3}}\.\d{{1,3}}\b)
  |{_MAIL}
  |\d{{4}}[-/.]\d\d[-/.]\d\d(?:[T_.-]\d\d[:.]\d\d(?:[:.]\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?\b
  |\d\d?:\d\d(?::\d\d)?(?:[.,]\d+)?\b
  |{_MAC}|{_IPV6}
  |(?<!\.)\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?:[:/]\d+)?(?![\w.]*\w)
  |(?P<hresult>0x(?:80|C0)0[0-9A-Fa-f]{{5}}\b)|0[xX][0-9a-fA-F]+\b
  |(?<![.@$/-])(?:{_RELATIVE_PATH}|(?=[\w-]++\.)(?:{_DOTTED}|{_HOST}))
  |{_PODS}|{_HEX}
  |(?:(?<!\.)|(?<=\w:))\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?(?:%|[a-zA-Zµ]{{1,3}}\b)?(?!\w)
  |\d[\w-]*)
 |(?=[^\W\d])(?:
  (?P<message>[A-Z]{{2,5}}-(?:\d{{5}}\b|0\d{{2,5}}\b|\d{{3,6}}\b(?=:))|[A-Z]{{1,6}}\d{{4,5}}[A-Z]?(?=:)|E\d{{4,5}}\b
   |ORA-\d{{1,5}}\b|[A-Z]{{3,6}}\d{{4}}[A-Z]\b|[A-Z]{{2,8}}-[0-7]-\d{{6}}(?=:)|error:[0-9A-F]{{8}}(?=:)
   |CVE-\d{{4}}-\d+
   |(?i:sqlstate|errno|code|status|error|err|signal|http|rc|hresult)(?:[:\[(\#/-]\[?-?\d{{1,5}}|\[\w{{5}}\])(?![\w.]))
  |(?:arn:|[a-zA-Z][a-zA-Z0-9+-]*+://)[^\s"'<>,;)\]}}]+
  |{_MAIL}|{_MAC}|{_IPV6}
  |[A-Za-z]:\\[^\s"'<>|,;)\]]*
  |(?<![.@$/-])(?:{_RELATIVE_PATH}|(?=[\w-]++\.)(?:{_DOTTED}|{_HOST}))
  |{_PODS}|{_HEX}
  |NaN\b|Inf\b)
 |\\\\[\w.$-]+\\[^\s"'<>|,;)\]]*
 |(?<![)\]>.])(?:~|\.\.?)?/[^\s"'<>|,;:=(){{}}\[\]?]*(?:\?[^\s"'<>]*)?
 |(?<![^\s=(\[{{,:@])(?:"[^\s"]*"|'[^\s']*')(?!:)
 |(?<![.])[<>~]?[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?(?:%|[a-zA-Zµ]{{1,3}}\b)?(?!\w)
 |[-+]Inf\b|::\w*)
|<\*>
|(?:\d|(?<=_)-(?=\d))(?<=[^\W\d].)(?<![A-Z]_[1-5](?=XX))[\w-]*
"""
"""What of a word is a value, or a code where that is a group; by its first character, since Python tries one
alternative after the other at each. What has to end in a character is looked for without going back."""

MAYBE: Final = re.compile(r"[=\d/@\"'\\.<-]|NaN|Inf")
"""What has none of these has no value."""

NUMBER: Final = re.compile(
    r"([(\[]?)(/?[-+]?(?![1-5](?:xx|XX)|[245]\d\d-[245]\.|0x(?:80|[cC]0)0)\d[\w-]*(?:[.:/,]\d[\w-]*)*%?)"
    r"([)\].,;:]*)$"
)
NUMBERED: Final = re.compile(
    r"([(\[]?(?=[a-f]*[g-z])[a-z]+[._-]?)(?![1-5]xx)(\d[\w-]*(?:[:,]\d[\w-]*)*)([)\].,;:]*)$"
)
PAIRED_NUMBER: Final = re.compile(r"([(\[{]?[\w.]+=)(-?\d[\w.:-]*)([,;)\]}]*)$")
"""What most values are, alone and after a name or a key, which need no more looking at."""

PROTOCOL: Final = re.compile(r"([\"'(]*HTTP/)(\d(?:\.\d)?)([\"'),]*)$")

PAIR: Final = r"""
(?<![?&\w.\-\])])(?P<key>[\w.\-\])]+)=(?!=)(?P<value>"[^"]*"|[^,;(){}\[\]"'=]+(?:\{[^{}]*\})?)
|"(?P<name>[\w.-]+)":(?P<said>"[^"]*"|[^\s",{}\[\]]+)"""
PIECES: Final = r"[^,;&|{}\u3001\u3002\uff0c\uff1a\uff1b]*[,;&|{}\u3001\u3002\uff0c\uff1a\uff1b]?"
CHAIN: Final = r"""<\*>(?:[^\s<>()\[\]{}="',;]*<\*>|[,;|]<\*>)+"""


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of this module, compiled once."""
    return re.compile(pattern, re.VERBOSE)
