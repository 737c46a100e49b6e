"""What a log may hold of a refused body: all of it but its secrets, and not much of it."""

import json
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.domain.limits import MAX_SAMPLE_BYTES, MAX_SEARCHED_BYTES
from handlers.domain.redaction import REDACTED, redacted, sample_of

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7v\nq83J0Xyz==\n-----END RSA PRIVATE KEY-----"
# In two parts, so that no scanner of repositories takes them for real ones.
SLACK, SLACK_HOOK = "xoxb" + "-1234567890-abcdefGHIJKL", "T0" + "AAAA/B0BBBB/cccDDDeeeFFF"
GITHUB, AWS, STRIPE = (
    "ghp_" + "16C7e42F292c6912E7710c838347",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "sk_" + "live_4eC39Hq",
)
ANTHROPIC = "sk-" + "ant-api03-abcdef0123456789"

SECRETS = [
    (json.dumps({"password": "hunter2 and more"}), "hunter2 and more"),
    (json.dumps({"Db_Passwd": 'with "quotes" and \\ inside'}), "inside"),
    (json.dumps({"text": json.dumps({"api_key": 'nes"ted value'})}), "ted value"),
    (json.dumps(json.dumps(json.dumps({"secret": 'thrice "en"coded'}))), "coded"),
    (json.dumps({"X-Api-Key": "k-1234567890"}), "k-1234567890"),
    (json.dumps({"client_secret_id": 123456789}), "123456789"),
    (json.dumps({"tokens": ["first-one", "second-one"]}), "second-one"),
    (json.dumps({"credentials": {"user": "joe", "value": "sesame-open"}}), "sesame-open"),
    (json.dumps({"name": "DB_PASSWORD", "value": "from-the-environment"}), "from-the-environment"),
    (json.dumps({"headers": {"Cookie": "sid=1a2b3c; theme=dark"}}), "1a2b3c"),
    (json.dumps({"headers": "Authorization: Digest username=joe, response=6629fae4"}), "6629fae4"),
    (json.dumps({"routing_key": "R0UT1NGKEY"}), "R0UT1NGKEY"),
    ("{'password': b'a python one'}", "a python one"),
    ("{:password=>'a-ruby-one'}", "a-ruby-one"),
    ("<Password>an xml one</Password>", "an xml one"),
    ("&quot;password&quot;:&quot;hunter22&quot;", "hunter22"),
    (json.dumps({"Tags": [{"Key": "api-token", "Value": "k-12345"}]}), "k-12345"),
    ("password: correct horse battery", "battery"),
    ("host=db password=hunter22 user=joe", "hunter22"),
    ("user=joe&passwd=hunter22&x=1", "hunter22"),
    ("payload=" + quote('{"password":"hunter 22"}'), "hunter"),
    (quote(quote("password=hunter22")), "hunter22"),
    (r'{"message": "password\u003dhunter22"}', "hunter22"),
    (r'{"p\u0061ssword": "hunter22"}', "hunter22"),
    ("mysqldump --user joe --db-password hunter22 orders", "hunter22"),
    ("curl -H 'X-Vault-Token: s.1234567890'", "s.1234567890"),
    ("https://joe:hunter22@db.example.com/orders", "hunter22"),
    (r"https:\/\/joe:hunter22@db.example.com\/orders", "hunter22"),
    (quote("https://joe:hunter22@db.example.com/orders", safe=""), "hunter22"),
    ("postgres://joe:p@ss/w0rd@db:5432/orders", "w0rd"),
    ("root:hunter22@tcp(db:3306)/orders", "hunter22"),
    (f"xox: {SLACK}", SLACK),
    (f"https://hooks.slack.com/services/{SLACK_HOOK}", SLACK_HOOK),
    (f"at {AWS} now", AWS),
    (f"clone with {GITHUB}", GITHUB),
    (rf'{{"m": "two\n{ANTHROPIC}"}}', ANTHROPIC),
    (f"pay by {STRIPE}", STRIPE),
    (f"Bearer {JWT}", JWT),
    (f"jwt {JWT}", JWT),
    ("basic  dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy"),
    (json.dumps({"pem": PRIVATE_KEY}), "q83J0Xyz"),
    ("written by jane.doe+ops@mail.example.com yesterday", "jane.doe"),
    (quote("jane.doe@mail.example.com"), "jane.doe"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_secret_is_taken_out(text: str, secret: str) -> None:
    """Whatever it is named, written and escaped like; a mark stands in its place."""
    assert secret in text or "%" in text
    sample = sample_of(text.encode())
    assert secret not in sample
    assert REDACTED in sample


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_secret_in_another_encoding_is_taken_out(encoding: str) -> None:
    """Which makes a body one that is refused, and its sample readable all the same."""
    sample = sample_of('{"title": "disk", "password": "hunter2"}'.encode(encoding))
    assert "hunter2" not in sample
    assert '"title": "disk"' in sample


@pytest.mark.parametrize("bound", [MAX_SAMPLE_BYTES, MAX_SEARCHED_BYTES])
@pytest.mark.parametrize("shrinks", [False, True], ids=["after plain text", "after other secrets"])
@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_secret_that_a_bound_cuts_does_not_leak(text: str, secret: str, *, shrinks: bool, bound: int) -> None:
    """Wherever it is cut: no half of it is shown, since it is looked for before anything is cut."""
    room = bound - len(text.encode())
    filler = f"ghp_{'x' * 200} " * 99 if shrinks else "Disk full. " * 999
    for more in range(0, len(text), 3):
        before = filler[: room + more - 1]
        assert secret[:5] not in sample_of(f"{before} {text} {filler}".encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"status": "firing", "labels": {"alertname": "DiskFull", "device": "sda1", "severity": "page"}}',
        '{"title": "disk-full-on-every-node", "link": "https://grafana.example.com:3000/d/1?from=a&to=b"}',
        '{"title": "Passed 5 of 6", "message": "the secretary of authors; MSG.0123456789 at 12:30:05"}',
        "Störung: Platte voll 🔥",
        '{"password": ""}',
        "",
    ],
)
def test_what_is_no_secret_is_shown_as_it_came(text: str) -> None:
    """A sample that shows nothing helps nobody."""
    assert sample_of(text.encode()) == text


def test_rest_of_the_body_is_shown_around_a_secret() -> None:
    """Only the value goes; its name, and the fields beside it, help to find the sender."""
    assert sample_of(b'{"a":"1","password":"x, y","b":"joe@example.com is ill","c":2}') == (
        '{"a":"1","password":"[redacted]","b":"[redacted] is ill","c":2}'
    )


@given(st.binary(max_size=3 * MAX_SEARCHED_BYTES))
@example(b"\\" * 5_000)
@example(b'password:"' * 600)
@example(b"\xf0\x9f\x94\xa5" * 3_000)
@example(b":" * 5_000 + b"@")
def test_sample_is_bounded_whatever_is_refused(refused: bytes) -> None:
    """Any bytes have one, of so many characters at most; whoever sees a mark at its end knows of the rest."""
    sample = sample_of(refused)
    assert len(sample) <= MAX_SAMPLE_BYTES
    assert (len(refused) <= MAX_SAMPLE_BYTES) or sample.endswith("… [cut]")


def test_e_mails_are_shown_where_the_stack_says_so() -> None:
    """An address is personal data; some teams page by it. A password is none of that."""
    text = "password=hunter2 of jane.doe@mail.example.com"
    assert "jane.doe" not in redacted(text)
    assert redacted(text, emails=False) == f"password={REDACTED} of jane.doe@mail.example.com"
