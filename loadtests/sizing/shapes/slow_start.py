"""Never starts: INIT takes longer than Lambda allows, and so does its repetition within the invocation."""

import time

time.sleep(60)


def handler(_event: object, _context: object) -> dict[str, bool]:
    """Answer, if it comes to that."""
    return {"ok": True}
