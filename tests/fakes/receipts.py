"""Receipts of bodies, as a sender writes them."""

from clients.receipts import BodyReceipt, Member, Receipt


def body_of(*alerts: Receipt, sent: int | None = None, refused: tuple[int, ...] = ()) -> BodyReceipt:
    """The receipt of a body with these alerts in order, from the first's region and times.

    The alerts skip the places of `refused` members; `sent` is by default the number of both.
    """
    count = len(alerts) + len(refused)
    places = [index for index in range(count) if index not in refused]
    answered = [
        Member(
            index=index,
            alert_id=alert.alert_id,
            status=alert.status,
            fault_key=alert.fault_key,
            state=alert.state,
            tells=alert.tells,
        )
        for index, alert in zip(places, alerts, strict=True)
    ]
    first = alerts[0]
    return BodyReceipt(
        body_hash="b" * 64,
        region=first.region,
        first_sent_at_ms=first.sent_at_ms if first.first_sent_at_ms is None else first.first_sent_at_ms,
        sent_at_ms=first.sent_at_ms,
        accepted_at_ms=first.accepted_at_ms,
        sent=count if sent is None else sent,
        members=(*answered, *(Member(index=index, refused="missing_field") for index in refused)),
    )
