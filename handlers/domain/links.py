"""Whether a link from an alert may be shown as one."""

from urllib.parse import urlsplit


def is_web_link(text: str | None, *, max_chars: int) -> bool:
    """Whether `text` is a complete http or https address of printable ASCII that a person may click on."""
    if not text or len(text) > max_chars or not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:  # an address such as http://[:: that cannot be split
        return False
