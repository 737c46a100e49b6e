"""Invented secrets in the text of alerts, made anew by each run of the tests from one seed.

Nothing here looks like a secret before it runs, so that no scanner of repositories takes it for one.
"""

import base64
import json
from collections.abc import Callable, Iterator
from random import Random
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits
from typing import Final, NamedTuple
from urllib.parse import quote

SEED: Final = 13

_ALNUM: Final = ascii_letters + digits
_URL_SAFE: Final = _ALNUM + "-_"
_HEX: Final = "0123456789abcdef"


class Case(NamedTuple):
    """`secret` stands in `text`."""

    kind: str
    context: str
    secret: str
    text: str


def _shape(*parts: str | tuple[str, int]) -> Callable[[Random], str]:
    """Of literal text, and of so many characters of an alphabet."""
    return lambda random: "".join(
        part if isinstance(part, str) else "".join(random.choices(part[0], k=part[1])) for part in parts
    )


def _json_web_token(random: Random) -> str:
    header = {"alg": "HS256", "typ": "JWT", "kid": _shape((_HEX, 8))(random)}
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in (header, {"sub": random.randrange(10**9)})
    ]
    return ".".join([*encoded, _shape((_URL_SAFE, 43))(random)])


def _private_key(kind: str) -> Callable[[Random], str]:
    def make(random: Random) -> str:
        lines = [_shape((_ALNUM + "+/", 64))(random) for _ in range(6)] + [
            _shape((_ALNUM, 30))(random) + "=="
        ]
        return "\n".join([f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY-----"])

    return make


def _card(start: str, length: int, *, by: str = "") -> Callable[[Random], str]:
    def make(random: Random) -> str:
        number = start + _shape((digits, length - len(start) - 1))(random)
        doubled = [sum(divmod(2 * int(digit), 10)) for digit in number[::-2]]
        number += str(-(sum(doubled) + sum(map(int, number[-2::-2]))) % 10)
        return by.join(number[at : at + 4] for at in range(0, length, 4)) if by else number

    return make


def _account_number(random: Random) -> str:
    digits_of = _shape((digits, 18))(random)
    check = 98 - int(f"{digits_of}131400") % 97
    return f"DE{check:02}{digits_of}"


_ANYWHERE: Final = {
    "AWS key id": _shape("AKIA", (ascii_uppercase + "234567", 16)),
    "AWS temporary key id": _shape("ASIA", (ascii_uppercase + "234567", 16)),
    "GitHub token": _shape("ghp_", (_ALNUM, 36)),
    "GitHub app token": _shape("ghs_", (_ALNUM, 36)),
    "GitHub fine-grained token": _shape("github_pat_", (_ALNUM, 22), "_", (_ALNUM, 59)),
    "GitLab token": _shape("glpat-", (_URL_SAFE, 20)),
    "GitLab runner token": _shape("glrt-", (_URL_SAFE, 20)),
    "Slack bot token": _shape("xoxb-", (digits, 12), "-", (digits, 12), "-", (_ALNUM, 24)),
    "Slack app token": _shape("xapp-1-A", (_ALNUM, 10), "-", (digits, 13), "-", (_HEX, 64)),
    "Slack webhook": _shape(
        "https://hooks.slack.com/services/T", (_ALNUM, 8), "/B", (_ALNUM, 8), "/", (_ALNUM, 24)
    ),
    "Stripe key": _shape("sk_live_", (_ALNUM, 24)),
    "Stripe restricted key": _shape("rk_live_", (_ALNUM, 24)),
    "Twilio account": _shape("AC", (_HEX, 32)),
    "Twilio key": _shape("SK", (_HEX, 32)),
    "SendGrid key": _shape("SG.", (_URL_SAFE, 22), ".", (_URL_SAFE, 43)),
    "Google key": _shape("AIza", (_URL_SAFE, 35)),
    "Google OAuth token": _shape("ya29.a0", (_URL_SAFE, 60)),
    "Google client secret": _shape("GOCSPX-", (_URL_SAFE, 28)),
    "Azure client secret": _shape((_ALNUM, 3), "8Q~", (_ALNUM, 34)),
    "npm token": _shape("npm_", (_ALNUM, 36)),
    "PyPI token": _shape("pypi-AgEIcHlwaS5vcmc", (_URL_SAFE, 70)),
    "RubyGems token": _shape("rubygems_", (_HEX, 48)),
    "OpenAI key": _shape("sk-proj-", (_ALNUM, 20), "T3Blbk" + "FJ", (_ALNUM, 20)),
    "OpenAI legacy key": _shape("sk-", (_ALNUM, 20), "T3Blbk" + "FJ", (_ALNUM, 20)),
    "Anthropic key": _shape("sk-ant-api03-", (_URL_SAFE, 93), "AA"),
    "Hugging Face token": _shape("hf_", (ascii_letters, 34)),
    "Grafana token": _shape("glsa_", (_ALNUM, 32), "_", (_HEX, 8)),
    "Vault token": _shape("hvs.", (_URL_SAFE, 92)),
    "Databricks token": _shape("dapi", (_HEX, 32)),
    "DigitalOcean token": _shape("dop_v1_", (_HEX, 64)),
    "Shopify token": _shape("shpat_", (_HEX, 32)),
    "Mailchimp key": _shape((_HEX, 32), "-us12"),
    "Telegram token": _shape((digits, 10), ":AA", (_URL_SAFE, 33)),
    "Discord token": _shape("M", (_ALNUM, 23), ".", (_ALNUM, 6), ".", (_ALNUM, 27)),
    "Square token": _shape("sq0atp-", (_URL_SAFE, 22)),
    "Artifactory key": _shape("AKCp", (_ALNUM, 69)),
    "Sentry token": _shape("sntryu_", (_HEX, 64)),
    "New Relic key": _shape("NRAK-", (ascii_uppercase + digits, 27)),
    "Docker token": _shape("dckr_pat_", (_URL_SAFE, 27)),
    "Pulumi token": _shape("pul-", (_HEX, 40)),
    "Atlassian token": _shape("ATATT3xFf", (_URL_SAFE, 60)),
    "JSON Web Token": _json_web_token,
    "Airtable token": _shape("pat", (_ALNUM, 14), ".", (_HEX, 64)),
    "Scaleway key": _shape("SCW", (ascii_uppercase + digits, 17)),
    "Amazon MWS token": _shape("amzn" + ".mws.", (_HEX, 8), "-", (_HEX, 4), "-", (_HEX, 12)),
    "password digest": _shape("{SHA}", (_ALNUM, 27), "="),
    "password hash": _shape("$2b$12$", (_ALNUM + "./", 53)),
    "Visa": _card("4", 16),
    "Visa by spaces": _card("4", 16, by=" "),
    "Mastercard by hyphens": _card("53", 16, by="-"),
    "American Express": _card("37", 15),
    "account number": _account_number,
}
"""Known by their looks, in any place."""

_NAMED: Final = {
    "AWS_SECRET_ACCESS_KEY": _shape((_ALNUM + "/+", 40)),
    "AccountKey": _shape((_ALNUM + "/+", 86), "=="),
    "DB_PASSWORD": _shape((ascii_lowercase, 5), (digits, 3), "!"),
    "spring.datasource.password": _shape((ascii_letters, 9)),
    "api_key": _shape((_HEX, 32)),
    "X-Api-Key": _shape((_ALNUM, 24)),
    "client_secret": _shape((_ALNUM, 32)),
    "DD_APP_KEY": _shape((_HEX, 40)),
    "SECRET_KEY_BASE": _shape((_HEX, 64)),
    "routing_key": _shape((_HEX, 32)),
    "encryptionKey": _shape((_ALNUM + "+/", 43), "="),
    "access_token": _shape((_URL_SAFE, 30)),
    "SNYK_TOKEN": _shape((_HEX, 8), "-", (_HEX, 4), "-4", (_HEX, 3), "-a", (_HEX, 3), "-", (_HEX, 12)),
    "sasl.jaas.passwd": _shape((ascii_lowercase, 4), "#", (digits, 4)),
    "private_key": _shape((_ALNUM, 50)),
    "credentials": _shape((_ALNUM, 20)),
    "MAPS_KEY": _shape((_HEX, 31), "7"),
    "kennwort": _shape((ascii_lowercase, 7), (digits, 1)),
}
"""Known by their names only."""

_KEYS: Final = {
    "RSA key": _private_key("RSA "),
    "EC key": _private_key("EC "),
    "key": _private_key(""),
    "OpenSSH key": _private_key("OPENSSH "),
    "encrypted key": _private_key("ENCRYPTED "),
}

_IN_PROSE: Final = (
    "payments-api crashed on start: cannot use {} for region eu-west-1",
    'Traceback:\n  File "/app/main.py", line 12, in <module>\n    connect("{}")\nConnectionError: refused',
    '{{"level":"error","msg":"upstream said 403","details":["{}"]}}',
    "GET /v1/items?trace=1 401 ({}) 12ms",
    "first line of the log\n{}\nlast line of the log",
)
_BY_NAME: Final = (
    "env dump: PATH=/usr/bin {name}={value} HOME=/root",
    'container spec: {{"name": "web", "{name}": "{value}", "replicas": 3}}',
    'event: {{\\"host\\":\\"web-1\\",\\"{name}\\":\\"{value}\\"}} end',
    "config:\n  {name}: {value}\n  retries: 3\n",
    "loaded {name} = '{value}' from file",
    "[{{'name': '{name}', 'value': '{value}'}}]",
)
_PASSWORD: Final = _shape((ascii_letters, 6), (digits, 4))
_BY_PLACE: Final = {
    "address": "failed: postgres://orders:{}@db-1.internal:5432/orders?sslmode=require",
    "amqp address": "amqps://worker:{}@mq.example.com/prod is down",
    "redis address without a user": "redis://:{}@cache-2:6379/0 timed out",
    "mongo address": "mongodb+srv://app:{}@cluster0.abcde.mongodb.net/?retryWrites=true",
    "Go connection string": "dial root:{}@tcp(10.0.3.7:3306)/orders: i/o timeout",
    "ADO connection string": "Server=tcp:sql1,1433;Database=orders;User ID=sa;Password={};Encrypt=True;",
    "JDBC address": "jdbc:mysql://db:3306/orders?user=app&password={}&useSSL=true",
    "signed address": "GET https://blob.example.net/c/f?sv=2024&sig={}&se=2026-12-01 403",
    "presigned address": "https://b.s3.amazonaws.com/k?X-Amz-Date=20261130T000000Z&X-Amz-Signature={}&x=1",
    "query": "webhook https://api.example.com/hook?access_token={}&team=ops failed",
    "bearer header": "curl -H 'Authorization: Bearer {}' https://api.example.com/v1 returned 500",
    "header dump": "> POST /v1 HTTP/1.1\n> Host: api\n> X-Auth-Token: {}\n> Accept: */*",
    "cookie": "request headers: Cookie: session={}; theme=dark",
    "option": "exec: mysqldump --user app --password {} orders: exit 2",
    "curl's option": "curl -u deploy:{} https://nexus.example.com/repo -> 401",
    "percent-escaped": quote('{"password":"') + "{}" + quote('"}'),
    "XML": "<connection><password>{}</password><host>db</host></connection>",
    "spoken": "the temporary password is {} until Monday",
    "SQL": "CREATE USER app IDENTIFIED BY '{}' failed",
    "mysql's option": "cron: mysql -h db-1 -u root -p{} orders exited with 1",
    "curl's quoted option": "curl --user 'deploy:{} and more' https://nexus.example.com/repo -> 401",
    "docker's option": "exec: docker login -u ci -p {} registry.example.com: exit 1",
    "mongo's option": "cron: mongosh --host db-1 -u root -p {} exited with 1",
    "sqlplus": "cron: sqlplus -S system/{}@orcl @job.sql exited with 1",
    "spoken with a verb": "Password was reset to {} by the help desk",
    "spoken in Spanish": "la contraseña es {} hasta el lunes",
    "clave": "no se pudo entrar, clave: {} de usuario ana",
    "senha": "conexao recusada: senha={} usuario=ana",
    "mot de passe": "mot de passe: {} refuse",
    "dotted token": "users:\n- name: ci\n  user:\n    token: abcdef.{}\n",
    "Digest": 'Authorization: Digest username="joe", realm="x", uri="/", response="{}"',
    "other scheme": "Authorization: GenieKey {} was refused",
    "netrc": "machine git.example.com login ci password {}",
    "Ruby hash": '{{:adapter=>"pg", :password=>"{}"}}',
}


def cases(seed: int = SEED) -> Iterator[Case]:
    """Every kind of secret in several places."""
    random = Random(seed)  # noqa: S311 - tests that can be repeated
    for kind, make in _ANYWHERE.items():
        for number, context in enumerate(_IN_PROSE):
            secret = make(random)
            yield Case(kind, f"prose {number}", secret, context.format(secret))
    for name, make in _NAMED.items():
        for number, context in enumerate(_BY_NAME):
            secret = make(random)
            yield Case(name, f"name {number}", secret, context.format(name=name, value=secret))
    for kind, make in _KEYS.items():
        secret = make(random)
        yield Case(kind, "lines", secret, f"cannot parse\n{secret}\nof tls.key")
        yield Case(kind, "escaped", secret, f"cannot parse {json.dumps({'tls.key': secret})} of pod web-1")
        yield Case(kind, "one line", secret, f"cannot parse {secret} of pod".replace("\n", " "))
    for place, context in _BY_PLACE.items():
        secret = _PASSWORD(random) if "signed" not in place else _shape((_HEX, 64))(random)
        yield Case("password", place, secret, context.format(secret))
    for number in range(3):
        pair = base64.b64encode(f"user{number}:{_PASSWORD(random)}".encode()).decode()
        yield Case("basic credentials", f"header {number}", pair, f"Authorization: Basic {pair}")


def pieces_of(secret: str) -> list[str]:
    """What of a secret may not be seen: each of its lines."""
    lines = [line for line in secret.splitlines() if not line.startswith("-----")]
    return lines or [secret]
