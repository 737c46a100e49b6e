"""The words that say what another word is: units, months, what a code follows. All are general."""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PLAIN, UNIT, ZONE, ASIDE, ANSWER, FAILED, OUTCOME, SECOND, VALUE, DAY, MONTH, CODE, NAMED, KEY, PURPOSE = (
    range(15)
)
"""The kinds of words. Up to `ASIDE`, a value or nothing in brackets, they say nothing of the word that
follows. Up to `SECOND` they do of a value only: an HTTP status, a negative errno, a quoted word that is a
code, what two words announce. After them come what is all value, parts of dates, and what a code, a name or a
value follows; last the word `for`."""

TRUTHS: Final = _words("true false True False TRUE FALSE")
"""States rather than values: what is true of one occurrence and false of another is another fault."""

TEXT_KEYS: Final = _words(
    "msg message err error desc description detail details text summary title exception cause reason"
)
"""Keys whose quoted values are read as text."""

CODE_WORDS: Final = _words(
    "code codes errno err error rc ret status sqlstate signal sig http exit exited exitcode hresult "
    "oops retcode returncode rcode smtp ftp bugcheck eventid eventcode"
)
CODE_ENDINGS: Final = tuple(
    _words("error errno errorcode errcode exitcode statuscode _code -code _status -status")
)
"""A code follows these words, and those with these endings."""

WORD_KEYS: Final = _words("result reason state level type cause exception severity phase dsn")
"""Keys whose values are names, beside those that a code follows."""

OUTCOMES: Final = _words("result reason")

CODE_PAIRS: Final = frozenset(("event id", "sql state", "tls alert", "ssl alert"))
"""A code follows the second of these words."""

UNITS: Final = _words(
    "ns us µs ms msec msecs millisecond milliseconds microseconds s sec secs second seconds m min mins "
    "minute minutes h hr hrs hour hours d day days week weeks b byte bytes kb kib mb mib gb gib tb tib "
    "k kbps mbps gbps bits bps % percent hz mhz ghz"
)

TO_CODE: Final = _words("with is was of = : -> by a code status signal")
"""What may stand between the word that a code follows and the code."""

AFTER_NAME: Final = _words(
    "from by on at in to with for via is was has had and or not does did cannot could logged"
)
NO_NAMES: Final = _words(
    "a account agent an and at authentication authorization by can cannot could data denied did "
    "disabled does error exists expired failed for from has id in info input invalid is limit locked "
    "login may missing mode must name no not of on or password permission permissions request session "
    "should space the to unable unknown was with without"
)
"""What follows a name, and what is none after the word `user`."""

_DAYS: Final = "Mon Tue Wed Thu Fri Sat Sun Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
_MONTHS: Final = (
    "Jan Feb Mar Apr May Jun Jul Aug Sep Sept Oct Nov Dec January February March April June July August "
    "September October November December"
)
_ZONES: Final = "UTC GMT EST EDT CST CDT MST MDT PST PDT CET CEST BST IST JST AM PM"
_ANSWERS: Final = "response returned returns responded answered answers replied got received with"

KINDS: Final = {
    **dict.fromkeys(_words(_DAYS), DAY),
    **dict.fromkeys(_words(_MONTHS), MONTH),
    **dict.fromkeys(_words(_ZONES), ZONE),
    **dict.fromkeys(_words(_ANSWERS), ANSWER),
    **dict.fromkeys(("failed", "Failed", "failure", "Failure"), FAILED),
    **dict.fromkeys(("user", "User", "username", "account", "login"), NAMED),
    **dict.fromkeys(("id", "ID", "Id", "state", "alert"), SECOND),
    "for": PURPOSE,
    "()": ASIDE,
}
"""Kinds of words that are known as a whole."""
