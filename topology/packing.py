"""How configuration that is no plain text goes through a function's environment: short, and whole."""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence


def packed(parts: Sequence[Mapping[str, object]]) -> str:
    """JSON, compressed, in Base64; what is empty of a part is left out. Empty for no `parts`."""
    if not parts:
        return ""
    given = [{name: value for name, value in one.items() if value} for one in parts]
    text = json.dumps(given, separators=(",", ":"), ensure_ascii=False, sort_keys=True, default=dict)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpacked(text: str) -> list[dict[str, object]]:
    """Read what `packed` wrote."""
    given: list[dict[str, object]] = json.loads(zlib.decompress(base64.b64decode(text))) if text else []
    return given
