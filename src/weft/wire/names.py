"""How the names of the wire are written in Python."""

import keyword
import re


def snake(name: str) -> str:
    """Return a name as Python writes functions: `getHTTPRoute` is `get_http_route`."""
    words = re.sub(r"[^0-9A-Za-z]+", "_", name)
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", words)
    words = words.strip("_").lower() or "call"
    if words[0].isdigit():
        return f"_{words}"
    return f"{words}_" if keyword.iskeyword(words) else words
