"""An endpoint that answers a handler's calls as AWS, Slack and Claude would, at little cost.

`python -m` this module prints its port and serves until its standard input ends. There is a row under every
id that begins as those below: one that waits for analysis, of a fault that is known or new, or for
distribution. What a handler changes of a row stays for a while. The cache has an analysis for every signature
but a new fault's; nothing else is stored.
"""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of
from handlers.domain.alert import Alert, Analysis
from handlers.domain.signature import signature_of
from handlers.domain.states import analyzed, received
from topology.alerts import SCHEMA, FaultState, Severity, Status
from topology.tables import ALERTS, ANALYSIS_CACHE

KNOWN: Final = "known"
NEW: Final = "new"
ANALYZED: Final = "analyzed"
"""How the id of an alert begins that waits for analysis, its fault known or new, or for distribution."""

ROWS_KEPT: Final = 256
"""Changed ones: more than an invocation has alerts."""

SLACK_PATH: Final = "/services/T000/B000/bench"
CLAUDE_PATH: Final = "/v1/messages"
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_LATER_S: Final = 4_000_000_000
ANALYSIS: Final = Analysis(
    summary="The disk of a database fills up with logs that nobody rotates.",
    probable_cause="Log rotation has stopped on the host.",
    actions=("Free space by deleting old logs.", "Start log rotation again.", "Add an alarm at 80 %."),
    confidence="high",
    model="claude-canned",
)
_ALERT: Final = received(
    Alert(
        alert_id="a",
        status=Status.RECEIVED,
        severity=Severity.HIGH,
        timestamp=1_795_420_800,
        created_at="2026-11-23T08:00:00.000Z",
        accepted_at_ms=1_795_420_800_000,
        region="us-east-1",
        owner="us-east-1",
        format="generic",
        source="billing",
        title="Disk almost full",
        message="/var/lib/db is at 93 % on db-7",
        identity="i" * 64,
        raw="{}",
        schema=SCHEMA,
        host="db-7",
        component="db",
        fault_key="f" * 32,
        state=FaultState.FIRING,
        changed_at_ms=1_795_420_800_000,
        body_hash="b" * 64,
    ),
    due_at=_LATER_S,
)
ALERTS_OF: Final[Mapping[str, Alert]] = {
    KNOWN: _ALERT,
    NEW: replace(_ALERT, title="A fault that nobody has seen"),
    ANALYZED: analyzed(_ALERT, ANALYSIS, due_at=_LATER_S),
}
"""By how an id begins: the alert that has it."""

_ROWS: Final = {kind: item_of(attributes_of(alert)) for kind, alert in ALERTS_OF.items()}
_NEW_SIGNATURE: Final = {"S": signature_of(ALERTS_OF[NEW])}
_REPLY: Final = {
    "summary": ANALYSIS.summary,
    "probable_cause": ANALYSIS.probable_cause,
    "actions": ANALYSIS.actions,
    "confidence": ANALYSIS.confidence,
}
_MESSAGE: Final = {
    "id": "msg_canned",
    "type": "message",
    "role": "assistant",
    "model": ANALYSIS.model,
    "content": [{"type": "text", "text": msgspec.json.encode(_REPLY).decode()}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 600, "output_tokens": 250},
}
_CACHED: Final = item_of({"analysis": attributes_of(ANALYSIS), "expires_at": _LATER_S})


class _Tables:
    """The answers of DynamoDB; the rows that a handler changed."""

    def __init__(self) -> None:
        self._changed: dict[str, dict[str, Any]] = {}

    def answer(self, operation: str, request: Any) -> Mapping[str, Any]:
        """The answer to one call."""
        match operation:
            case "GetItem":
                return self._item(request["TableName"], request["Key"])
            case "UpdateItem" if "alert_id" in request["Key"]:
                self._change(request)
                return {}
            case "UpdateItem":
                return {"Attributes": {"values": {"M": {"count": {"N": "1"}}}}}
            case "BatchGetItem":
                ((table, wanted),) = request["RequestItems"].items()
                ids = [key["alert_id"]["S"] for key in wanted["Keys"] if "alert_id" in key]
                found = [row for alert_id in ids if (row := self._row(alert_id))]
                return {"Responses": {table: found}, "UnprocessedKeys": {}}
            case "Query":
                return {"Items": [], "Count": 0}
            case "PutItem" | "DeleteItem":
                return {}
        raise NotImplementedError(operation)

    def _item(self, table: str, key: Mapping[str, Any]) -> Mapping[str, Any]:
        if table.endswith(ALERTS.suffix):
            row = self._row(key["alert_id"]["S"])
            return {"Item": row} if row else {}
        known = table.endswith(ANALYSIS_CACHE.suffix) and key["error_signature"] != _NEW_SIGNATURE
        return {"Item": {**_CACHED, **key}} if known else {}

    def _row(self, alert_id: str) -> dict[str, Any]:
        """The row of an alert; nothing for one that was never heard of."""
        stored = _ROWS.get(alert_id.partition("-")[0])
        return self._changed.get(alert_id) or (stored | {"alert_id": {"S": alert_id}} if stored else {})

    def _change(self, request: Mapping[str, Any]) -> None:
        """Set and remove what the expression names: each attribute is `#name`, and its new value `:name`."""
        alert_id = request["Key"]["alert_id"]["S"]
        row = dict(self._row(alert_id))
        sets, _, removes = request["UpdateExpression"].partition("REMOVE")
        for name in request["ExpressionAttributeNames"].values():
            if f":{name}" in request["ExpressionAttributeValues"] and f"#{name} =" in sets:
                row[name] = request["ExpressionAttributeValues"][f":{name}"]
            elif f"#{name}" in removes.replace(",", "").split():
                row.pop(name, None)
        self._changed[alert_id] = row
        if len(self._changed) > ROWS_KEPT:
            del self._changed[next(iter(self._changed))]


def _answer(tables: _Tables, path: bytes, target: bytes, body: bytes, port: int) -> tuple[str, bytes]:
    """The service that is called, and its answer."""
    if path == SLACK_PATH.encode():
        return "slack", b"ok"
    request = msgspec.json.decode(body)
    if path == CLAUDE_PATH.encode():
        return "claude", msgspec.json.encode(_MESSAGE)
    service, _, operation = target.decode().rpartition(".")
    if service.startswith("DynamoDB"):
        return "dynamodb", msgspec.json.encode(tables.answer(operation, request))
    if operation == "SendMessageBatch":
        sent = [
            {"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "d"} for entry in request["Entries"]
        ]
        return "sqs", msgspec.json.encode({"Successful": sent, "Failed": []})
    if operation == "GetSecretValue":
        secret = {"SecretString": f"http://127.0.0.1:{port}{SLACK_PATH}"}
        return "secretsmanager", msgspec.json.encode(secret)
    raise NotImplementedError(target)


async def _serve(delays_s: Mapping[str, float]) -> None:
    tables = _Tables()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                first, *lines = head.split(b"\r\n")
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)
                }
                body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
                path, target = first.split()[1], headers.get(b"x-amz-target", b"")
                service, answer = _answer(tables, path, target, body, port)
                if delay_s := delays_s.get(service):
                    await asyncio.sleep(delay_s)
                writer.write(_HEAD % len(answer) + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(msgspec.json.decode(sys.argv[1], type=dict[str, float])))
