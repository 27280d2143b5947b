"""The OpenAPI document, made from the table of operations."""

from typing import Any


def document(version: str) -> dict[str, Any]:
    """Return the document."""
    return {"openapi": version}
