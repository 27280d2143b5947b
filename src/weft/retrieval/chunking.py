"""Cuts a text into passages of a size that a model can be given."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from weft.llm.tokens import WHOLE_CHARS, estimate

AUTO_MAX_TOKENS = 800
AUTO_OVERLAP_TOKENS = 400

# Where a passage may end, best first: paragraph, line or sentence, word.
_BORDERS = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n|[.!?…]['\")\]]*\s|[。！？]"),  # of East Asia
    re.compile(r"\s"),
)
LAST_PART = 0.35  # of a passage, in which a good border is looked for
MOST_CHARS_PER_TOKEN = 8  # a passage of blanks has an end too


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
    in its last part. None begins or ends with white space; all else is in one at least.
    """
    start = _after_blanks(text, 0)
    covered = 0
    while start < len(text):
        reach = _reach(text, start, max_tokens)
        end = reach if reach == len(text) else _border(text, start, reach)
        if end <= covered:
            start = _after_blanks(text, covered)  # nothing new: a word as long as the overlap
            continue
        shown = text[start:end].rstrip()
        yield Chunk(shown, start, start + len(shown))
        covered = _after_blanks(text, end)
        if covered >= len(text):
            return
        start = _step_back(text, start, end, overlap_tokens) if overlap_tokens else covered


def _after_blanks(text: str, at: int) -> int:
    """Return where the next character stands that is no white space."""
    found = _VISIBLE.search(text, at)
    return len(text) if found is None else found.start()


_VISIBLE = re.compile(r"\S")


def _reach(text: str, start: int, tokens: int) -> int:
    """Return the end of the longest passage from `start` that has at most so many tokens."""
    most = min(tokens * MOST_CHARS_PER_TOKEN, WHOLE_CHARS, len(text) - start)
    fits, breaks = 1, most + 1
    size = min(most, tokens * 4)
    while breaks - fits > 1:
        counted = estimate(text[start : start + size])
        if counted <= tokens:
            fits = size
            if counted >= tokens * 0.98:
                break
        else:
            breaks = size
        # In proportion, but always nearer from both sides.
        aim = int(size * tokens / max(counted, 1) * 0.995)
        near = max((breaks - fits) // 8, 1)
        size = min(max(aim, fits + near), breaks - near, most)
        if size <= fits:
            break
    return start + fits


def _border(text: str, start: int, reach: int) -> int:
    """Return the last good place to end before `reach`, or `reach` itself."""
    lowest = reach - max(int((reach - start) * LAST_PART), 1)
    for border in _BORDERS:
        ends = [found.end() for found in border.finditer(text, lowest, reach + 1)]
        if ends:
            return min(ends[-1], reach)
    return reach


def _step_back(text: str, start: int, end: int, overlap_tokens: int) -> int:
    """Return where the next passage begins: about so many tokens before the end of this."""
    size = end - start
    counted = max(estimate(text[start:end]), 1)
    begin = max(end - int(size * overlap_tokens / counted), start + 1)
    # Forward to a good place, as long as most of the overlap remains.
    highest = begin + int((end - begin) * LAST_PART)
    for border in _BORDERS:
        found = border.search(text, begin, highest)
        if found is not None:
            begin = found.end()
            break
    return _after_blanks(text, begin)
