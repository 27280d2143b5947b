"""Reading a form while it arrives: fields are kept, the file goes straight to its place.

Of the file no more is held than `store.contents` needs; fields and the heads of the
parts have small limits, so that a form cannot fill the memory.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from weft.domain.errors import BadRequest, BodyTooLarge
from weft.store.contents import Arrival
from weft.wire.files import MAX_FILENAME
from weft.wire.form import MEDIA_TYPE, Form

MAX_FIELDS_BYTES = 64 * 1024  # all fields together
MAX_FRAME_BYTES = 64 * 1024  # boundaries and heads of parts
MAX_PARTS = 64
NAMELESS = "upload"  # a file that came without a name

Taken = Callable[[bytes], Awaitable[None]]


def boundary_of(headers: Mapping[bytes, bytes]) -> bytes:
    """Return what separates the parts of a form.

    Raises: BadRequest for a body that is no form.
    """
    given = headers.get(b"content-type", b"").decode("latin-1")
    kind, options = parse_options_header(given)
    if kind != MEDIA_TYPE.encode():
        raise BadRequest.content_type(given or "none", MEDIA_TYPE)
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise _unreadable("the header Content-Type names no boundary")
    return boundary


async def read_form(
    pieces: AsyncIterator[bytes], form: Form[Any], boundary: bytes, arrival: Arrival
) -> Any:
    """Read a form to its end: its file goes to `arrival`, the rest is returned, checked.

    Raises: BadRequest; BodyTooLarge; Unavailable when the file cannot be stored.
    """
    reader = _Reader(form, boundary)
    async for piece in pieces:
        for part in reader.read(piece):
            await arrival.write(part)
    return form.decode(*reader.finished())


class _Reader:
    """What has been read of a form so far."""

    def __init__(self, form: Form[Any], boundary: bytes) -> None:
        self._form = form
        self._fields: list[tuple[str, str]] = []
        self._filename: str | None = None
        self._parts = 0
        self._file_bytes = 0
        self._fields_bytes = 0
        self._is_complete = False
        self._head: dict[str, str] = {}
        self._name = self._value = b""
        self._field = ""
        self._in_file = False
        self._text = bytearray()
        self._found: list[memoryview] = []
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._take_name,
                    "on_header_value": self._take_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_head,
                    "on_part_data": self._take_data,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
                max_header_size=MAX_FRAME_BYTES,
            )
        except FormParserError as fault:
            raise _unreadable(str(fault)) from None

    def read(self, piece: bytes) -> list[memoryview]:
        """Read on; return what was found of the file."""
        self._found = []
        try:
            self._parser.write(piece)
        except FormParserError as fault:
            raise _unreadable(str(fault)) from None
        return self._found

    def finished(self) -> tuple[list[tuple[str, str]], str | None]:
        """Return the fields and the name of the file, None without one.

        Raises: BadRequest when the form has no end.
        """
        if not self._is_complete:
            raise _unreadable("it ends in the middle")
        return self._fields, self._filename

    # --- what the parser calls -------------------------------------------------------------

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise _unreadable(f"it has more than {MAX_PARTS} parts")
        self._head = {}
        self._text.clear()

    def _take_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._head[self._name.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._name = self._value = b""

    def _end_head(self) -> None:
        _, options = parse_options_header(self._head.get("content-disposition"))
        if b"name" not in options:
            raise _unreadable("a part has no name")
        self._field = _text(options[b"name"], "the name of a part")
        self._in_file = self._field == self._form.file
        if not self._in_file:
            return
        if self._filename is not None:
            raise _unreadable(f"it has more than one '{self._form.file}'")
        name = _text(options.get(b"filename", b""), "the name of the file")
        if len(name) > MAX_FILENAME:
            raise BadRequest.string_length("filename", "maximum", MAX_FILENAME, len(name))
        self._filename = name or NAMELESS

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._file_bytes += end - start
            if self._file_bytes > self._form.limit_bytes:
                raise BodyTooLarge(self._form.limit_bytes, self._form.file)
            self._found.append(memoryview(data)[start:end])
            return
        self._fields_bytes += end - start
        if self._fields_bytes > MAX_FIELDS_BYTES:
            raise BodyTooLarge(MAX_FIELDS_BYTES, "part of the form that is no file")
        self._text += data[start:end]

    def _end_part(self) -> None:
        if not self._in_file:
            value = _text(bytes(self._text), f"the field '{self._field}'")
            self._fields.append((self._field, value))

    def _end(self) -> None:
        self._is_complete = True


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise _unreadable(f"{what} is not UTF-8") from None


def _unreadable(why: str) -> BadRequest:
    return BadRequest(f"We could not read the form ({MEDIA_TYPE}) of your request: {why}.")
