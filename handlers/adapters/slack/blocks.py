"""Messages as Slack's blocks.

Text goes into plain-text elements, where Slack interprets no mentions, links or formatting; the fallback
text, which it does interpret, is escaped. The first block's id says what the message is about, so that what
Slack shows can be compared with the ledger: `alert:<alert_id>`, `digest:<digest_id>:<count>` or
`follow-up:<alert_id>`. Where Slack refuses the layout, the same goes out as text alone, with this mark in its
last line.
"""

import re
from typing import Any, Final

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ContextBlock,
    HeaderBlock,
    PlainTextObject,
    SectionBlock,
)

from handlers.domain.delivery.messages import TEXT_CHARS, Digest, FollowUpNotice, Message, Notification
from handlers.domain.limits import cut
from handlers.domain.ports import NotifierRefusedError

_LINKED: Final = re.compile(r"[a-z][a-z0-9+.\-]{0,20}+://|mailto:|www\.", re.IGNORECASE)


def payload_of(message: Message) -> dict[str, Any]:
    """`text` and `blocks` of the message that is posted.

    Raises:
        NotifierRefusedError: it breaks Slack's limits, so Slack would refuse it.
    """
    match message:
        case Notification():
            blocks = _notification(message)
        case Digest():
            blocks = _digest(message)
        case FollowUpNotice():
            blocks = _follow_up(message)
    return _payload(message.header, blocks)


def plain_payload_of(message: Message) -> dict[str, Any]:
    """`text` alone, with all that the blocks would show: for a Slack that refuses their layout."""
    match message:
        case Notification():
            fields = [f"{name}: {text}" for name, text in message.fields]
            parts = [message.header, *fields, message.message, message.analysis, message.footer]
            return _plain_text(parts, f"alert:{message.alert_id}")
        case Digest():
            counts = "\n".join(f"{count} × {label}" for label, count in message.counts)  # noqa: RUF001 - as below
            parts = [message.header, counts, *message.examples, message.footer]
            return _plain_text(parts, f"digest:{message.digest_id}:{message.alert_count}")
        case FollowUpNotice():
            return _plain_text(
                [message.header, message.analysis, message.footer], f"follow-up:{message.alert_id}"
            )


def edited_payload_of(notice: FollowUpNotice) -> dict[str, Any]:
    """`text` and `blocks` of the alert's own message with its analysis, marked as both; raises as above."""
    return _payload(
        notice.whole.header,
        _notification(notice.whole, analysis_block_id=f"follow-up:{notice.alert_id}"),
    )


def _plain_text(parts: list[str], mark: str) -> dict[str, Any]:
    text = _unlinked(_escaped("\n".join(part for part in parts if part)))
    return {"text": f"{cut(text, TEXT_CHARS)}\n{mark}", "mrkdwn": False}


def _payload(header: str, blocks: list[Block]) -> dict[str, Any]:
    try:
        return {"text": _escaped(header), "blocks": [block.to_dict() for block in blocks]}
    except SlackObjectFormationError as error:
        raise NotifierRefusedError(f"the message breaks Slack's limits: {error}") from error


def _notification(message: Notification, *, analysis_block_id: str | None = None) -> list[Block]:
    blocks: list[Block] = [
        HeaderBlock(text=_plain(message.header), block_id=f"alert:{message.alert_id}"),
        SectionBlock(fields=[_plain(f"{name}\n{text}") for name, text in message.fields]),
    ]
    if message.message:
        blocks.append(SectionBlock(text=_plain(message.message)))
    if message.analysis:
        blocks.append(SectionBlock(text=_plain(message.analysis), block_id=analysis_block_id))
    if message.links:
        buttons = [ButtonElement(text=label, url=url) for label, url in message.links]
        blocks.append(ActionsBlock(elements=buttons))
    return [*blocks, _footer(message.footer)]


def _digest(message: Digest) -> list[Block]:
    return [
        HeaderBlock(
            text=_plain(message.header), block_id=f"digest:{message.digest_id}:{message.alert_count}"
        ),
        SectionBlock(text=_plain("\n".join(f"{count} × {label}" for label, count in message.counts))),  # noqa: RUF001 - the sign for "times"
        SectionBlock(text=_plain("\n".join(message.examples))),
        _footer(message.footer),
    ]


def _follow_up(message: FollowUpNotice) -> list[Block]:
    return [
        HeaderBlock(text=_plain(message.header), block_id=f"follow-up:{message.alert_id}"),
        SectionBlock(text=_plain(message.analysis)),
        _footer(message.footer),
    ]


def _footer(text: str) -> Block:
    return ContextBlock(elements=[_plain(text)])


def _plain(text: str) -> PlainTextObject:
    return PlainTextObject(text=text, emoji=False)


def _unlinked(text: str) -> str:
    """Addresses as nothing makes links of them; a webhook takes no `parse` to say so."""
    return _LINKED.sub(lambda begin: begin[0].replace(":", "[:]").replace(".", "[.]"), text)


def _escaped(text: str) -> str:
    """Escape what Slack interprets: https://docs.slack.dev/messaging/formatting-message-text/#escaping."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
