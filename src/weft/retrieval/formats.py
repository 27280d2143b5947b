"""The text in a file of each kind that can be searched. Runs in the reader's process only.

Every function takes the open file and yields its text in pieces. Whoever takes them stops
at a limit, so that a small file that unpacks without end is given up, not unpacked. `prepare`
goes first: nothing else can be opened while a file is read.
"""

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from html import unescape
from lzma import LZMAError
from typing import IO, BinaryIO
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812  # it is a class

from weft.retrieval.passages import PLAIN

PIECE_BYTES = 1 << 16
MOST_XML_BYTES = 100_000_000  # of one document, unpacked
MOST_HTML_CHARS = 50_000_000
MOST_PDF_PAGES = 10_000


# Python loads a decoder when it is first asked for: text, and the names in a ZIP archive.
_DECODERS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp437")


class Invalid(Exception):
    """The file is not what its name says, or not readable; the message is for its owner."""


def prepare(ending: str) -> None:
    """Load what reading files of this ending takes beyond what this module imports."""
    for name in _DECODERS:
        codecs.lookup(name)
    if ending == "pdf":
        import pypdfium2  # type: ignore[import-untyped]  # noqa: F401  # it has no types


def plain(file: BinaryIO) -> Iterator[str]:
    """Read UTF-8 (ASCII too), or UTF-16 with a byte order mark."""
    start = file.read(4)
    file.seek(0)
    is_utf_16 = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if is_utf_16 else "utf-8-sig"
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while piece := file.read(PIECE_BYTES):
            text = decoder.decode(piece)
            if "\0" in text:
                raise Invalid("The file holds NUL bytes: it is no text.")
            yield text
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as fault:
        raise Invalid(
            "The file is not UTF-8, nor UTF-16 with a byte order mark. Save it as UTF-8."
        ) from fault


# --- HTML -------------------------------------------------------------------------------------

_BLOCK_NAMES = (
    "address article aside blockquote br caption dd div dl dt figcaption figure footer form h1 "
    "h2 h3 h4 h5 h6 header hr li main nav ol option p pre section table td th title tr ul"
)
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_HIDDEN = {
    name: re.compile(f"</{name}\\b", re.IGNORECASE)
    for name in ("script", "style", "template", "noscript")
}
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)|<[!?]")
_IN_TAG = re.compile(r"[>\"']")


def html(file: BinaryIO) -> Iterator[str]:
    """Read what a page shows, a line for each block."""
    pieces, left = [], MOST_HTML_CHARS
    for piece in plain(file):
        pieces.append(piece)
        left -= len(piece)
        if left < 0:
            raise Invalid(f"The page has more than {MOST_HTML_CHARS:,} characters. Split it.")
    source = "".join(pieces)
    lines = "".join(_shown(source)).split("\n")
    yield "\n".join(shown for line in lines if (shown := " ".join(line.split())))


def _shown(source: str) -> Iterator[str]:
    """Yield the text between the tags. Every character is looked at a few times at most."""
    at, is_pre = 0, False
    while (begin := source.find("<", at)) >= 0:
        yield _unescaped(source[at:begin], is_pre)
        tag = _TAG.match(source, begin)
        if tag is None:
            yield "<"
            at = begin + 1
            continue
        at = _end_of_tag(source, begin, tag.end())
        if at < 0:
            return
        name = (tag[1] or "").lower()
        if name in _BLOCKS:
            yield "\n"
        if name == "pre":
            is_pre = source[begin + 1] != "/"
        if name in _HIDDEN and source[begin + 1] != "/":
            end = _HIDDEN[name].search(source, at)
            if end is None:
                return
            at = end.start()
    yield _unescaped(source[at:], is_pre)


def _unescaped(text: str, is_pre: bool) -> str:
    """Return text as it is shown; line ends in the source mean something only in <pre>."""
    return unescape(text if is_pre else re.sub(r"\s+", " ", text))


def _end_of_tag(source: str, begin: int, at: int) -> int:
    """Return where a tag or comment ends, or -1; `at` is behind its name."""
    if source.startswith("<!--", begin):
        end = source.find("-->", begin + 4)
        return end if end < 0 else end + 3
    while (found := _IN_TAG.search(source, at)) is not None:
        if found[0] == ">":
            return found.end()
        # In quotes a > is text. Quotes that are never closed are none.
        closing = source.find(found[0], found.end())
        at = found.end() if closing < 0 else closing + 1
    return -1


# --- Office documents -------------------------------------------------------------------------

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SLIDE = "http://schemas.openxmlformats.org/drawingml/2006/main"
_STRICT = {
    "http://purl.oclc.org/ooxml/wordprocessingml/main": _WORD,
    "http://purl.oclc.org/ooxml/drawingml/main": _SLIDE,
}


def docx(file: BinaryIO) -> Iterator[str]:
    """Read the paragraphs of a document, then its notes."""
    with _package(file, "word/document.xml") as package:
        names = ["word/document.xml", "word/footnotes.xml", "word/endnotes.xml"]
        yield from _texts(package, [name for name in names if name in package.namelist()], _WORD)


def pptx(file: BinaryIO) -> Iterator[str]:
    """Read the slides in the order of their numbers, each with its notes."""
    with _package(file, "ppt/presentation.xml") as package:
        slides = _numbered(package, "ppt/slides/slide")
        notes = _numbered(package, "ppt/notesSlides/notesSlide")
        for number in sorted(slides):
            names = [slides[number], *([notes[number]] if number in notes else [])]
            yield from _texts(package, names, _SLIDE)


def _package(file: BinaryIO, main: str) -> ZipFile:
    try:
        package = ZipFile(file)
    except (BadZipFile, OSError, ValueError, NotImplementedError) as fault:
        raise Invalid(
            f"The file is no {_kind(main)} document: it is damaged, or encrypted."
        ) from fault
    if main not in package.namelist():
        package.close()
        raise Invalid(f"The file is no {_kind(main)} document: {main} is missing in it.")
    return package


def _kind(main: str) -> str:
    return "Word (.docx)" if main.startswith("word") else "PowerPoint (.pptx)"


def _numbered(package: ZipFile, start: str) -> dict[int, str]:
    found = {}
    for name in package.namelist():
        if match := re.fullmatch(re.escape(start) + r"(\d{1,9})\.xml", name):
            found[int(match[1])] = name
    return found


# What damaged archives raise; RuntimeError: it is encrypted.
_UNPACKING = (BadZipFile, OSError, EOFError, ValueError, RuntimeError, ZlibError, LZMAError)


def _texts(package: ZipFile, names: list[str], space: str) -> Iterator[str]:
    left = MOST_XML_BYTES
    for name in names:
        try:
            with package.open(name) as part:
                for size, text in _paragraphs(part, space):
                    left -= size
                    if left < 0:
                        raise Invalid("The document unpacks to more than 100 MB.")
                    yield text
        except expat.ExpatError as fault:
            raise Invalid(f"The document is damaged: {name} is no XML ({fault}).") from fault
        except _UNPACKING as fault:
            raise Invalid(f"The document is damaged or encrypted: {name}: {fault}.") from fault
        yield "\n"


def _paragraphs(part: IO[bytes], space: str) -> Iterator[tuple[int, str]]:
    """Yield the text of an XML part piece by piece, with the bytes that were read for it."""
    found: list[str] = []
    is_text = False

    def start(name: str, _: Mapping[str, str]) -> None:
        nonlocal is_text
        is_text = is_named(name, "t")
        if is_named(name, "tab"):
            found.append("\t")
        elif is_named(name, "br") or is_named(name, "cr"):
            found.append("\n")

    def end(name: str) -> None:
        nonlocal is_text
        is_text = False
        if is_named(name, "p"):
            found.append("\n")

    def is_named(name: str, local: str) -> bool:
        owner, _, last = name.rpartition(" ")
        return last == local and _STRICT.get(owner, owner) == space

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda data: found.append(data) if is_text else None
    parser.StartDoctypeDeclHandler = _no_doctype
    while piece := part.read(PIECE_BYTES):
        parser.Parse(piece)
        yield len(piece), "".join(found)
        found.clear()
    parser.Parse(b"", True)
    yield 0, "".join(found)


def _no_doctype(*_: object) -> None:
    """Refuse what entities are declared in: no office program writes it."""
    raise Invalid("The document declares a document type, which no office program writes.")


# --- PDF --------------------------------------------------------------------------------------


def pdf(file: BinaryIO) -> Iterator[str]:
    """Read the text of a PDF page by page. Pictures of text hold none."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as fault:
        if "password" in str(fault).lower() or "security" in str(fault).lower():
            raise Invalid("The PDF is encrypted. Save it without a password.") from fault
        raise Invalid("The file is no PDF, or it is damaged.") from fault
    if len(document) > MOST_PDF_PAGES:
        raise Invalid(f"The PDF has more than {MOST_PDF_PAGES:,} pages. Split it.")
    for number in range(len(document)):
        try:
            page = document[number]
            text = page.get_textpage()
            yield text.get_text_bounded().replace("\r\n", "\n").replace("\0", "") + "\n"
            text.close()
            page.close()
        except pypdfium2.PdfiumError as fault:
            raise Invalid(f"The PDF is damaged: page {number + 1} cannot be read.") from fault


# --- all --------------------------------------------------------------------------------------

Reader = Callable[[BinaryIO], Iterator[str]]

READERS: dict[str, Reader] = {
    **dict.fromkeys(PLAIN, plain),
    "html": html,
    "docx": docx,
    "pptx": pptx,
    "pdf": pdf,
}
