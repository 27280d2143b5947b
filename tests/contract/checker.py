"""Holds an answer against the OpenAPI document (filled in with the document)."""

from typing import Any


def check_answer(method: str, path: str, status: int, body: Any) -> None:
    """Raise AssertionError unless `body` is what the document promises for the operation."""
