"""What a log may hold of a refused body: all of it but its secrets, and not much of it."""

import json
from urllib.parse import quote

import pytest
from detect_secrets.core.scan import scan_line
from detect_secrets.settings import default_settings
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handlers.domain.limits import MAX_SAMPLE_BYTES, MAX_SEARCHED_BYTES
from handlers.domain.redaction import redacted, sample_of
from tests.unit.handlers.secrets_corpus import Case, cases, pieces_of

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
    assert "[redacted: " in sample


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
        '{"a":"1","password":"[redacted: password]","b":"[redacted: e-mail] is ill","c":2}'
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
    assert redacted(text, emails=False) == "password=[redacted: password] of jane.doe@mail.example.com"


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.kind}, {case.context}")
def test_no_secret_of_the_corpus_is_left_in_a_text(case: Case) -> None:
    """Whatever kind it is of and wherever it stands."""
    assert case.secret in case.text or case.secret.splitlines()[1] in case.text
    kept = redacted(case.text)
    assert not [piece for piece in pieces_of(case.secret) if piece in kept]
    assert "[redacted: " in kept


def test_as_many_secrets_are_found_as_by_detect_secrets() -> None:
    """Its plugins, which others keep up, are the oracle: what they find in the corpus we find, and more."""
    with default_settings():
        found = [case for case in cases() if _is_found_by_detect_secrets(case)]
    assert len(found) > 300, "the oracle finds most of the corpus, or it is none"
    assert [
        case for case in found if any(piece in redacted(case.text) for piece in pieces_of(case.secret))
    ] == []


def _is_found_by_detect_secrets(case: Case) -> bool:
    values = {secret.secret_value or "" for line in case.text.splitlines() for secret in scan_line(line)}
    return any(
        piece in value or (value in piece and len(value) >= 8) or "PRIVATE KEY" in value
        for piece in pieces_of(case.secret)
        for value in values
    )


@pytest.mark.parametrize(
    "text",
    [
        "deploy of 3f29d55 (3f29d55aa1b2c3d4e5f60718293a4b5c6d7e8f90) to prod failed",
        "image registry.example.com/shop/api:1.4.2@sha256:" + "0123456789abcdef" * 4 + " not found",
        "sha256-" + "A1b2C3d4E5f6" * 3 + "= does not match the integrity of app.js",
        "request id 9f2c1d3e-1a2b-4c3d-8e4f-0123456789ab, x-amz-id-2: " + "Gg9kLm2PqR7s" * 6 + "=",
        "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
        "pod payments-api-7d4b9c6f5d-x2x7z on ip-10-0-3-7.ec2.internal is CrashLoopBackOff, exit code 137",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:mcp-responder/slack-webhook-AbCdEf is missing",
        "secret: arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf was rotated",
        "arn:aws:sts::123456789012:assumed-role/Admin/i-0abcd1234efgh5678 may not call kms:Decrypt",
        'MountVolume.SetUp failed for volume "tls" : secret "db-credentials-7f8d9" not found',
        "secretName: db-credentials; imagePullSecrets missing; serviceAccountName: api",
        "Failed password for invalid user admin from 203.0.113.7 port 51234 ssh2",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh rhost=203.0.113.7",
        "password: authentication failed for user app; Password is expired; password must be changed",
        "token: expired; Unexpected token '<' at position 0; invalid token, signature: mismatch",
        "max_tokens=4096 input_tokens: 1200 token_count=7 tokens used: 95% nextToken=abc",
        "passwordPolicy=strict",
        "Bearer token expired; Basic authentication is off; basic health check failed",
        "authorization: failed for role reader; auth=true password=null secret=<unset> api_key=${API_KEY}",
        "Duplicate entry '42' for key 'PRIMARY'; cache key: user:42:profile; partition key = order-17",
        "disk 4294967296000 of 8589934592000 bytes, epoch 1764482178123, at 1764482178123456789 ns",
        "order 4111111111111112 (no card: its check digit is wrong), amount 1234.5678901234567",
        "https://grafana.example.com:3000/d/abc/dash?orgId=1&var-host=web-1&from=now-1h&to=now",
        "https://one.newrelic.com/redirect/entity/MTYwNjg2MnxBUE18QVBQTElDQVRJT058NDMxOTIyMTA",
        "git@github.com:shop/api.git is unreachable; unit getty@tty1.service and user@1000.slice failed",
        "lodash@4.17.21 and @scope/pkg@1.2.3 are outdated; root@ip-10-0-0-1.ec2.internal rebooted",
        "Zookeeper sessionid: 0x14ede63a5a70002 timed out; signal sig=SIGKILL sig=9",
        "env dump: OLDPWD=/root PWD=/srv/app/releases/20261130 HOME=/root; pwd: /home/app",
        "password is 30 days old; la contraseña es incorrecta; clave duplicada; clave primaria: id",
        "token: java.lang.IllegalStateException; authorization: digest is off; docker login -u ci failed",
        "author: jane; authors: 3; secretary; compass: N; bypass=1; tokenizer: bpe",
        "keyboard: us; passed 5 of 6",
        "IllegalStateException: org.apache.hadoop.hdfs.server.datanode.DataNode2Impl$Xceiver1 is closed",
        "/home/build2/BGL-demo/SPaSM_mpi core dumped; C:\\Program Files\\App2\\bin\\x64 missing",
        "node_id: MDExOldvcmtmbG93UnVuMjg5NzgyNDUx, fingerprint 5f4dcc3b5aa765d61d8327deb882cf99",
        "ECS task 0123456789abcdef0123456789abcdef stopped; log stream 2026/11/30/[$LATEST]" + "0a1b2c3d" * 4,
        "ssh-rsa fingerprint SHA256:" + "nThbg6kXUpJWGl7E" + "1IGOCspRomTxdCARLviKw6E5SY8" + " changed",
    ],
)
def test_what_on_call_people_need_stays(text: str) -> None:
    """Hashes, digests, ids, names of pods, ARNs, addresses, numbers, and prose of secrets."""
    assert redacted(text) == text


def test_a_mark_says_the_kind_and_nothing_of_the_value() -> None:
    """So texts that differ in their secrets alone become one text, and have one signature."""
    texts = {
        redacted(f"login by password={value} failed") for value in ("hunter2", "a-much-longer-one!", "x")
    }
    assert texts == {"login by password=[redacted: password] failed"}


def test_only_the_password_of_an_address_goes() -> None:
    """Who could not reach which database is what the alert is about."""
    assert redacted("postgres://orders:hunter2@db-1:5432/orders?sslmode=require is down") == (
        "postgres://orders:[redacted: password]@db-1:5432/orders?sslmode=require is down"
    )


@example("https://a:b@c/cart-7c9d8f5b6d-x2m9qghp_" + "aB3" * 12)
@example("ghp_" + "aB3" * 12 + ":cart-7c9d8f5b6d-x2m9q failed")
@given(
    st.lists(
        st.sampled_from(
            [*(case.text for case in cases()), "\\u003d", "%3D", "@", ":", '"', "password=", "\n", " é "]
        )
        | st.text(max_size=20),
        max_size=8,
    ).map("".join)
)
@settings(deadline=None)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    """Marks are no secrets, so that text may pass several doors."""
    once = redacted(text)
    assert redacted(once) == once
