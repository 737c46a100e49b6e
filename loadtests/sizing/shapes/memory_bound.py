"""Fills 600 MB, so that it is killed where it has less."""

_MB = 1_048_576


def handler(_event: object, _context: object) -> dict[str, bool]:
    """Write to each page of 600 MB."""
    filled = bytearray(600 * _MB)
    filled[::4_096] = b"x" * len(filled[::4_096])
    return {"ok": True}
