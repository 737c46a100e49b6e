"""Where an alert's message is in Slack: by its link where a bot posted it, else by channel and time."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode, urlsplit

import msgspec
import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from clients.ledger import Row
from emulator.protocol import SlackMessage
from handlers.settings import DistributionSettings, SettingsError
from runbook.why.stack_rules import REGION_VARIABLE
from topology.functions import DISTRIBUTION
from topology.routes import DEFAULT_ROUTE

_TIMEOUT_S: Final = 5.0
_ANSWER_MAX_BYTES: Final = 65_536
_NO_LINK: Final = (
    BotoCoreError,
    ClientError,
    SettingsError,
    urllib3.exceptions.HTTPError,
    msgspec.DecodeError,
)


class _Answer(msgspec.Struct):
    ok: bool
    error: str = ""
    permalink: str = ""


def where_in_slack(deployment: Deployment, row: Row) -> str:
    """Where the message of a real stack's alert is, or why there is none, or no link.

    The bot's token is read from its secret, sent to Slack's own address, and kept by nobody.
    """
    if not row.get("notified_at_ms"):
        return "none: Slack has not taken it"
    reference = str(row.get("slack_ref") or "")
    channel = f"the channel of route {row.get('route') or DEFAULT_ROUTE}"
    if not reference:
        together = f", in digest {row['digest_id']}" if row.get("digest_id") else ""
        return f"in {channel}{together}; an incoming webhook, or a message told with others, has no link"
    try:
        return permalink(deployment, str(row["region"]), reference)
    except _NO_LINK as error:
        return f"in {channel}, as {reference}; its link is unknown: {' '.join(str(error).split())}"


def permalink(deployment: Deployment, region: str, reference: str) -> str:
    """The link that Slack has for a message, or its word for why not. `reference`: `<channel id>/<ts>`.

    https://docs.slack.dev/reference/methods/chat.getPermalink

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: AWS does not say where Slack is, or the token.
        SettingsError: the function's environment is not this version's.
        urllib3.exceptions.HTTPError: Slack does not answer.
        msgspec.DecodeError: what answers is not Slack.
    """
    environment = deployment.environment(DISTRIBUTION, region) | {REGION_VARIABLE: region}
    settings = DistributionSettings.from_environment(environment)
    secrets = deployment.clients.client("secretsmanager", region)
    found = secrets.get_secret_value(SecretId=settings.slack_bot_token_secret).get("SecretString", "")
    token = found.strip()  # as the functions read it
    if not (token.isascii() and token.isprintable()):
        return f"as {reference}; its link is unknown: the bot's token is none"  # an error would quote it
    channel, _, ts = reference.partition("/")
    response = urllib3.PoolManager(retries=False, timeout=_TIMEOUT_S).request(
        "GET",
        f"{settings.slack_api_url}chat.getPermalink?{urlencode({'channel': channel, 'message_ts': ts})}",
        headers={"authorization": f"Bearer {token}"},
        redirect=False,
        preload_content=False,
    )
    answer = msgspec.json.decode(response.read(_ANSWER_MAX_BYTES), type=_Answer)
    if not answer.ok or urlsplit(answer.permalink).scheme != "https":
        return f"as {reference}; Slack has no link for it ({answer.error[:100]})"
    return answer.permalink


def where_in_stand_in(messages: Sequence[SlackMessage], row: Row, url: str) -> str:
    """Where the message of a local stack's alert is: the stand-in for Slack shows all on one page."""
    channel_ts = str(row.get("slack_ref") or "").partition("/")[2]
    for message in reversed(messages):
        told = row["alert_id"] in message.alert_ids
        told |= row.get("digest_id") in [digest_id for digest_id, _ in message.digests]
        if told or (channel_ts and message.ts == channel_ts):
            return f"{url} #{message.channel}, ts {message.ts}"
    return "none: the stand-in for Slack has no message of it"
