"""Messages as Slack's blocks.

Text goes into plain-text elements, where Slack interprets no mentions, links or formatting; the fallback
text, which it does interpret, is escaped. The first block's id says what the message is about, so that what
Slack shows can be compared with the ledger: `alert:<alert_id>`, `digest:<digest_id>:<count>` or
`follow-up:<alert_id>`. Where Slack refuses the layout, the same goes out as text alone, with this mark in its
last line.
"""

import re
from collections.abc import Iterable
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

from handlers.domain.delivery.messages import (
    Digest,
    FollowUpNotice,
    Message,
    Notification,
    Section,
    ThreadReply,
)
from handlers.domain.delivery.wording import TEXT_CHARS
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
            blocks = _notification(message, mark=f"alert:{message.alert_id}")
        case Digest():
            blocks = _digest(message)
        case FollowUpNotice():
            blocks = _follow_up(message)
        case ThreadReply():
            blocks = _sections(message.sections)
    return _payload(message.header, blocks)


def plain_payload_of(message: Message) -> dict[str, Any]:
    """`text` alone, with all that the blocks would show: for a Slack that refuses their layout."""
    match message:
        case Notification():
            return _plain_text(_parts(message), f"alert:{message.alert_id}")
        case Digest():
            parts = [message.header, *(_parts(message.whole)[1:] if message.whole else [message.summary])]
            parts += [part for section in message.sections for part in (section.header, section.text)]
            parts.append(message.footer)
            return _plain_text(parts, f"digest:{message.digest_id}:{message.alert_count}")
        case FollowUpNotice():
            parts = [message.header, message.incident, message.analysis.text, message.footer]
            return _plain_text(parts, f"follow-up:{message.alert_id}")
        case ThreadReply():
            return _plain_text([message.header, *(section.text for section in message.sections)], "")


def edited_payload_of(message: Digest | FollowUpNotice) -> dict[str, Any]:
    """`text` and `blocks` that take the place of the message that it refers to; raises as above.

    They are marked as what is told now, not as the alert, which was told before.
    """
    if isinstance(message, Digest):
        return payload_of(message)
    return _payload(message.whole.header, _notification(message.whole, mark=f"follow-up:{message.alert_id}"))


def _parts(message: Notification) -> list[str]:
    fields = [f"{name}: {text}" for name, text in message.fields]
    return [message.header, message.incident, *fields, message.message, message.analysis.text, message.footer]


def _plain_text(parts: list[str], mark: str) -> dict[str, Any]:
    text = _unlinked(_escaped("\n".join(part for part in parts if part)))
    return {"text": f"{cut(text, TEXT_CHARS)}\n{mark}", "mrkdwn": False}


def _payload(header: str, blocks: list[Block]) -> dict[str, Any]:
    try:
        return {"text": _escaped(header), "blocks": [block.to_dict() for block in blocks]}
    except SlackObjectFormationError as error:
        raise NotifierRefusedError(f"the message breaks Slack's limits: {error}") from error


def _notification(message: Notification, *, mark: str, header: str = "") -> list[Block]:
    blocks: list[Block] = [HeaderBlock(text=_plain(header or message.header), block_id=mark)]
    if message.incident:
        blocks.append(SectionBlock(text=_plain(message.incident)))
    blocks.append(SectionBlock(fields=[_plain(f"{name}\n{text}") for name, text in message.fields]))
    if message.message:
        blocks.append(SectionBlock(text=_plain(message.message)))
    blocks.append(_section(message.analysis))
    if message.links:
        buttons = [ButtonElement(text=label, url=url) for label, url in message.links]
        blocks.append(ActionsBlock(elements=buttons))
    return [*blocks, _footer(message.footer)]


def _digest(message: Digest) -> list[Block]:
    mark = f"digest:{message.digest_id}:{message.alert_count}"
    sections = _sections(message.sections)
    if message.whole is not None:
        *blocks, footer = _notification(message.whole, mark=mark, header=message.header)
        return [*blocks, *sections, footer]
    return [
        HeaderBlock(text=_plain(message.header), block_id=mark),
        SectionBlock(text=_plain(message.summary)),
        *sections,
        _footer(message.footer),
    ]


def _follow_up(message: FollowUpNotice) -> list[Block]:
    header = HeaderBlock(text=_plain(message.header), block_id=f"follow-up:{message.alert_id}")
    incident = [SectionBlock(text=_plain(message.incident))] if message.incident else []
    return [header, *incident, _section(message.analysis), _footer(message.footer)]


def _sections(sections: Iterable[Section]) -> list[Block]:
    blocks: list[Block] = []
    for section in sections:
        if section.header:
            blocks.append(HeaderBlock(text=_plain(section.header)))
        blocks.append(_section(section))
    return blocks


def _section(section: Section) -> Block:
    """With the id of the alert whose analysis it shows, so that this can be counted."""
    mark = None if section.analysis_of is None else f"analysis:{section.analysis_of}"
    return SectionBlock(text=_plain(section.text), block_id=mark)


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
