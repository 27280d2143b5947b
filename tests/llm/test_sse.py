"""Payloads are found in a body whatever the pieces are that it arrives in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.llm.sse import LIMIT_BYTES, LIMIT_LINES, Document, Events, Framing, TooLarge

# Bodies that look like event streams often enough to be interesting.
TOKENS = [b"data:", b"data: ", b"data", b": ping", b"event: x", b"id: 1", b"retry: 5", b"error: "]
TOKENS += [
    b"\n",
    b"\n",
    b"\r\n",
    b"\r\n",
    b"\r",
    b'{"a": 1}',
    b"[DONE]",
    b" ",
    b"x",
    b"\xef\xbb\xbf",
]
bodies = st.lists(st.sampled_from(TOKENS) | st.binary(max_size=3), max_size=40).map(b"".join)


def read(framing: Framing, pieces: list[bytes]) -> tuple[list[bytes], bytes]:
    """Return all payloads of a body, and what was strange in it."""
    payloads = [payload for piece in pieces for payload in framing.feed(piece)]
    return payloads + framing.close(), framing.strange


@given(bodies, st.data())
def test_pieces_of_any_size_give_the_same_events(body: bytes, data: st.DataObject) -> None:
    whole = read(Events(), [body])
    assert read(Events(), [bytes([byte]) for byte in body]) == whole
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    pieces = [body[i:j] for i, j in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert read(Events(), pieces) == whole


@given(bodies)
def test_a_document_is_its_pieces_together(body: bytes) -> None:
    assert read(Document(), [bytes([byte]) for byte in body])[0] == [body]


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")), min_size=1),
    st.sampled_from(["\n", "\r\n"]),
)
def test_every_event_is_found(payloads: list[str], end: str) -> None:
    body = "".join(f"data: {payload}{end}{end}" for payload in payloads)
    assert read(Events(), [body.encode()])[0] == [payload.encode() for payload in payloads]


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data: a\r\ndata:b\r\n\r\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b"data:  a\n\n", [b" a"]),
        (b": ping\n\ndata: a\n\n", [b"a"]),
        (b": ping\ndata: a\n\n", [b"a"]),
        (b"event: x\nid: 7\nretry: 5\ndata: a\n\n", [b"a"]),
        (b"event: x\n\n", []),
        (b"\n\n\n\ndata: a\n\n\n\n", [b"a"]),
        (b"data: a", [b"a"]),
        (b"data: a\n", [b"a"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"error: a\n\n", [b"a"]),
        (b"", []),
    ],
)
def test_fields_and_comments_are_read_as_the_standard_says(
    body: bytes, events: list[bytes]
) -> None:
    assert read(Events(), [body]) == (events, b"")


def test_the_first_line_that_belongs_to_no_stream_is_remembered() -> None:
    assert read(Events(), [b"<html>\n<body>\n"]) == ([], b"<html>")


def test_what_never_ends_is_refused() -> None:
    piece = b"x" * (LIMIT_BYTES // 2 + 1)
    for framing in (Events(), Document()):
        framing.feed(piece)
        with pytest.raises(TooLarge):
            framing.feed(piece)
    events = Events()
    events.feed(b"data: x\n" * (LIMIT_LINES + 1))
    with pytest.raises(TooLarge):
        events.feed(b"data: x\n")
