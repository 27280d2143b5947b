"""Pages made of blocks, written for three readers: Markdown, a browser, a terminal.

Texts may hold `code`, **bold**, *emphasis* and [links](#anchor), and nothing else of Markdown.
"""

import re
import textwrap
from collections.abc import Iterable
from html import escape
from typing import NamedTuple, TypeAlias

WIDTH = 100  # characters of a line in a terminal

_EMPHASIS = re.compile(r"(?<![\w*])\*([^*\s][^*]*)\*(?!\w)")


class Heading(NamedTuple):
    """A heading; the first level is the page's own."""

    level: int
    text: str


class Words(NamedTuple):
    """A paragraph."""

    text: str


class Items(NamedTuple):
    """A list of points."""

    texts: tuple[str, ...]


class Table(NamedTuple):
    """Rows below headings; columns in which nothing stands are left out."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def without_empty(self) -> "Table":
        """Return the table without the columns in which nothing stands."""
        kept = [index for index in range(len(self.heads)) if any(row[index] for row in self.rows)]
        rows = tuple(tuple(row[index] for index in kept) for row in self.rows)
        return Table(tuple(self.heads[index] for index in kept), rows)


class Code(NamedTuple):
    """Text in which every character counts."""

    language: str
    text: str


Block: TypeAlias = Heading | Words | Items | Table | Code


def anchor(title: str) -> str:
    """Return the anchor that viewers of Markdown give to a heading."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def link(title: str, target: str | None = None) -> str:
    """Return a link to a heading, of the same page if no other target is given."""
    return f"[{title}]({target or '#' + anchor(title)})"


# --- Markdown -----------------------------------------------------------------------------------


def markdown(blocks: Iterable[Block]) -> str:
    """Return a page as Markdown."""
    return "\n\n".join(map(_markdown, blocks)).rstrip() + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {text}"
        case Words(text):
            return text
        case Items(texts):
            return "\n".join(f"- {text}" for text in texts)
        case Code(language, text):
            return f"```{language}\n{text}\n```"
    table = block.without_empty()
    lines = [table.heads, ("---",) * len(table.heads), *table.rows]
    return "\n".join(_row(cells) for cells in lines)


def _row(cells: Iterable[str]) -> str:
    written = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(written)} |"


# --- a browser ----------------------------------------------------------------------------------

_STYLE = """\
body{max-width:62rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif}
code,pre{font:.9em ui-monospace,monospace}pre{overflow:auto;padding:.8rem;background:#8881}
table{border-collapse:collapse}td,th{border:1px solid #8885;padding:.3rem .6rem;text-align:left;
vertical-align:top}h2{margin-top:3rem;border-bottom:1px solid #8885}:root{color-scheme:light dark}
"""


def html(blocks: Iterable[Block], title: str) -> str:
    """Return a page as HTML that needs nothing else: no script, no font, no picture."""
    body = "\n".join(map(_html, blocks))
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n"
        f"<style>\n{_STYLE}</style>\n{body}\n</html>\n"
    )


def _html(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f'<h{level} id="{escape(anchor(text))}">{_inline(text)}</h{level}>'
        case Words(text):
            return f"<p>{_inline(text)}</p>"
        case Items(texts):
            return "<ul>" + "".join(f"<li>{_inline(text)}</li>" for text in texts) + "</ul>"
        case Code(_, text):
            return f"<pre>{escape(text)}</pre>"
    table = block.without_empty()
    heads = "".join(f"<th>{_inline(head)}</th>" for head in table.heads)
    rows = (
        "<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>"
        for row in table.rows
    )
    return f"<table>\n<tr>{heads}</tr>\n" + "\n".join(rows) + "\n</table>"


def _inline(text: str) -> str:
    """Return a text with its code, links, bold and emphasis as HTML."""
    pieces = re.split(r"(`[^`]+`)", text)
    return "".join(
        f"<code>{escape(piece[1:-1])}</code>" if index % 2 else _spans(escape(piece))
        for index, piece in enumerate(pieces)
    )


def _spans(text: str) -> str:
    text = re.sub(r"\[([^\]]+)\]\((#[^)\s]*)\)", r'<a href="\2">\1</a>', text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    return _EMPHASIS.sub(r"<em>\1</em>", text)


# --- a terminal ---------------------------------------------------------------------------------


def plain(blocks: Iterable[Block]) -> str:
    """Return a page as text for a terminal: what is less important stands further to the right."""
    return "\n\n".join(map(_plain, blocks)).rstrip() + "\n"


def _plain(block: Block) -> str:
    match block:
        case Heading(level, text):
            is_loud = level <= 2 and not text.startswith("/")
            return _bare(text).upper() if is_loud else _bare(text)
        case Words(text):
            return _wrapped(text, 4)
        case Items(texts):
            return "\n".join(_wrapped(f"- {text}", 4) for text in texts)
        case Code(_, text):
            return textwrap.indent(text, "    ")
    return "\n".join(_entry(block.heads, row) for row in block.rows)


def _entry(heads: tuple[str, ...], cells: tuple[str, ...]) -> str:
    """Return a row as an entry: its first cells on a line, what is long below."""
    named = (
        head.lower() if cell == "yes" else cell for head, cell in zip(heads, cells, strict=True)
    )
    *first, last = named
    head = _wrapped("  ".join(cell for cell in first if cell), 4)
    return f"{head}\n{_wrapped(last, 8)}" if last else head


def _wrapped(text: str, margin: int) -> str:
    space = " " * margin
    return "\n".join(
        textwrap.fill(line, WIDTH, initial_indent=space, subsequent_indent=space)
        for line in _bare(text).splitlines()
    )


def _bare(text: str) -> str:
    """Return a text without the signs that only say how it looks."""
    text = re.sub(r"\[([^\]]+)\]\([^)\s]*\)", r"\1", text)
    text = re.sub(r"\*\*(.+?)\*\*", r"\1", text)
    return _EMPHASIS.sub(r"\1", text).replace("`", "")
