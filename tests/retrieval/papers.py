"""Files for tests, lawful and hostile, made from nothing."""

import io
import zipfile
from collections.abc import Iterable, Mapping

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"


def package(parts: Mapping[str, bytes | str], packed_by: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive with these parts, compressed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packed_by) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def paragraphs(said: Iterable[str]) -> str:
    """The body of a Word document."""
    return "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in said)


def docx(*said: str, before: str = "", packed_by: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A Word document with these paragraphs; `before` stands ahead of its root element."""
    body = f'{before}<w:document xmlns:w="{W}"><w:body>{paragraphs(said)}</w:body></w:document>'
    return package({"word/document.xml": body}, packed_by)


def pptx(*slides: str) -> bytes:
    """A presentation with these slides; the last one has notes."""
    parts = {"ppt/presentation.xml": "<p/>"}
    for number, said in enumerate(slides, 1):
        parts[f"ppt/slides/slide{number}.xml"] = _drawing(said)
    parts[f"ppt/notesSlides/notesSlide{len(slides)}.xml"] = _drawing("Spoken words")
    return package(parts)


def _drawing(said: str) -> str:
    return f'<s xmlns:a="{A}"><a:p><a:r><a:t>{said}</a:t></a:r></a:p></s>'


def pdf(*pages: str, trailer: str = "", kids: str | None = None) -> bytes:
    """A PDF with one line on each page; `kids` replaces the list of the pages."""
    first = 4
    numbers = [first + 2 * number for number in range(len(pages))]
    listed = " ".join(f"{number} 0 R" for number in numbers) if kids is None else kids
    objects = {
        1: "<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Kids [{listed}] /Count {len(pages)} >>",
        3: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    }
    for number, said in zip(numbers, pages, strict=True):
        drawn = f"BT /F1 12 Tf 72 720 Td ({said}) Tj ET"
        objects[number] = (
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {number + 1} 0 R >>"
        )
        objects[number + 1] = f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream"
    return assembled(objects, trailer)


def assembled(objects: Mapping[int, str | bytes], trailer: str = "") -> bytes:
    """A PDF of these objects, the first of which is its catalog."""
    out = bytearray(b"%PDF-1.7\n")
    places = {}
    for number, content in objects.items():
        places[number] = len(out)
        data = content.encode("latin-1") if isinstance(content, str) else content
        out += b"%d 0 obj\n%s\nendobj\n" % (number, data)
    table = f"xref\n0 {max(objects) + 1}\n0000000000 65535 f \n"
    table += "".join(f"{places[number]:010d} 00000 n \n" for number in sorted(places))
    end = f"trailer << /Size {max(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{len(out)}\n"
    return bytes(out) + table.encode() + end.encode() + b"%%EOF\n"


def encrypted_pdf() -> bytes:
    """A PDF that asks for a password that nobody knows."""
    locked = (
        f"/Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <{'11' * 32}> "
        f"/U <{'22' * 32}> >> /ID [<{'33' * 16}> <{'33' * 16}>]"
    )
    return pdf("secret", trailer=locked)
