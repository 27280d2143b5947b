"""Cuts a text into passages of a size that a model can be given."""

from collections.abc import Iterator
from typing import NamedTuple

AUTO_MAX_TOKENS = 800
AUTO_OVERLAP_TOKENS = 400


class Chunk(NamedTuple):
    """A passage: `text` is what stands from `start` to `end`, in characters of the whole."""

    text: str
    start: int
    end: int


def chunks(
    text: str, max_tokens: int = AUTO_MAX_TOKENS, overlap_tokens: int = AUTO_OVERLAP_TOKENS
) -> Iterator[Chunk]:
    """Yield the passages of a text in order; none for a text of white space.

    None has more than `max_tokens` (100 to 4,096) by the estimate of `llm.tokens`, and each
    begins about `overlap_tokens` (at most half of `max_tokens`) before the end of the one
    before it. A passage ends where a paragraph, a sentence or at least a word ends, if one does
    in its last part.
    """
    raise NotImplementedError
