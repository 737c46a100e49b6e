"""Waits for others: three calls of 40 ms, with a little work between them."""

import json
import time


def handler(_event: object, _context: object) -> dict[str, bool]:
    """Wait and parse, three times."""
    for _ in range(3):
        time.sleep(0.04)
        json.loads(json.dumps([{"number": number, "text": "x" * 40} for number in range(400)]))
    return {"ok": True}
