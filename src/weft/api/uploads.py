"""Uploads: large files that arrive in parts."""

from typing import NamedTuple

from weft.api.call import Answer, Call
from weft.domain.errors import BadRequest, NotFound, shown
from weft.store import files as file_store
from weft.store import uploads as store
from weft.store.contents import Arrival, Content, keep
from weft.store.database import Refused
from weft.store.uploads import Part
from weft.wire.files import new_file
from weft.wire.shapes import encode
from weft.wire.uploads import (
    AddUploadPartRequest,
    CompleteUploadRequest,
    CreateUploadRequest,
    Upload,
    UploadPart,
    ended,
    new_upload,
    stored,
)


async def create_upload(call: Call[CreateUploadRequest]) -> Answer:
    """Wire: POST /uploads"""
    request, now = call.body, call.rooms.now()
    upload = new_upload(request, upload_id=call.rooms.ids.new("upload_"), now=now)
    wire = encode(upload)
    insert = store.insert(
        call.project,
        upload.id,
        size_bytes=upload.bytes,
        expires_at=upload.expires_at,
        file_expires_after_s=request.expires_after.seconds if request.expires_after else None,
        now=now,
        wire=wire,
    )
    return await call.commit(Answer(wire), insert)


async def add_upload_part(call: Call[AddUploadPartRequest]) -> Answer:
    """Keep a part until the upload ends.

    Raises: NotFound; BadRequest when the upload takes no parts any more.
    Wire: POST /uploads/{upload_id}/parts
    """
    pending = await _pending(call)
    part = UploadPart(
        id=call.rooms.ids.new("part_"), created_at=call.rooms.now(), upload_id=pending.upload.id
    )
    insert = store.insert_part(call.project, pending.upload.id, part.id, call.arrived)
    try:
        return await call.commit(Answer(encode(part)), *keep(call.arrived), insert)
    except Refused as refused:
        if refused.guard != "upload_part_insert":
            raise
    raise await _no_longer_pending(call)


async def complete_upload(call: Call[CompleteUploadRequest]) -> Answer:
    """Make a file of the parts, in the order given; the parts go.

    Raises: NotFound; BadRequest for parts that are not there, of another size than announced,
    or with another MD5.
    Wire: POST /uploads/{upload_id}/complete
    """
    pending = await _pending(call)
    parts = await _parts(call, pending.upload)
    async with call.rooms.contents.arriving(with_md5=call.body.md5 is not None) as arrival:
        try:
            content = await _joined(call, parts, arrival)
        except FileNotFoundError:
            raise await _no_longer_pending(call) from None
        md5 = arrival.md5
        if call.body.md5 is not None and md5 != call.body.md5.lower():
            raise BadRequest(
                f"The MD5 of the uploaded bytes is {md5}, but md5 is "
                f"'{shown(call.body.md5)}'. The upload is still pending.",
                param="md5",
                code="invalid_value",
            )
        return await _complete(call, pending, content)


async def cancel_upload(call: Call[None]) -> Answer:
    """End an upload; its parts go.

    Raises: NotFound; BadRequest when it has ended.
    Wire: POST /uploads/{upload_id}/cancel
    """
    pending = await _pending(call)
    wire = encode(ended(pending.wire, "cancelled"))
    end = store.end(call.project, pending.upload.id, "cancelled", call.rooms.now(), wire)
    try:
        return await call.commit(Answer(wire), *end)
    except Refused as refused:
        if refused.guard != "upload_end":
            raise
    raise await _no_longer_pending(call)


# --- the parts become a file ----------------------------------------------------------------


async def _parts(call: Call[CompleteUploadRequest], upload: Upload) -> list[Part]:
    """Return the parts in the order given; their sizes must add up."""
    there = await store.parts(call.rooms.database, call.project, upload.id)
    named: dict[str, Part] = {}
    for index, part_id in enumerate(call.body.part_ids):
        if part_id not in there or part_id in named:
            problem = "stands there twice" if part_id in there else "is no part of this upload"
            raise BadRequest(
                f"Invalid 'part_ids[{index}]': '{shown(part_id)}' {problem}.",
                param=f"part_ids[{index}]",
                code="invalid_value",
            )
        named[part_id] = there[part_id]
    parts = list(named.values())
    size = sum(part.bytes for part in parts)
    if size != upload.bytes:
        raise BadRequest(
            f"The parts have {size} bytes together, but the upload was announced with "
            f"{upload.bytes}. The upload is still pending.",
            param="part_ids",
            code="invalid_value",
        )
    return parts


async def _joined(call: Call[object], parts: list[Part], arrival: Arrival) -> Content:
    for part in parts:
        async with call.rooms.contents.reading(part.location, 0, part.bytes) as pieces:
            async for piece in pieces:
                await arrival.write(piece)
    return await arrival.finish()


async def _complete(call: Call[object], pending: "Pending", content: Content) -> Answer:
    upload = ended(pending.wire, "completed")
    file = new_file(
        file_id=call.rooms.ids.new("file-"),
        purpose=upload.purpose,
        filename=upload.filename,
        size_bytes=content.bytes,
        created_at=upload.created_at,
        expires_after_s=pending.file_expires_after_s,
    )
    upload.file = file
    now, wire = call.rooms.now(), encode(upload)
    end = store.end(call.project, upload.id, "completed", now, wire)
    insert = file_store.insert(
        call.project,
        file.id,
        content,
        purpose=file.purpose,
        filename=file.filename,
        created_at=file.created_at,
        expires_at=file.expires_at,
        now=now,
        wire=encode(file),
    )
    try:
        return await call.commit(Answer(wire), *end, *keep(content), insert)
    except Refused as refused:
        if refused.guard != "upload_end":
            raise
    raise await _no_longer_pending(call)


# --- what stands there ----------------------------------------------------------------------


class Pending(NamedTuple):
    """An upload that takes parts."""

    upload: Upload
    wire: str
    file_expires_after_s: int | None


async def _pending(call: Call[object]) -> Pending:
    """Return the upload. Raises: NotFound; BadRequest when it is not pending."""
    upload_id = call.path["upload_id"]
    found = await store.get(call.rooms.database, call.project, upload_id)
    if found is None:
        raise NotFound.object("upload", upload_id)
    wire, file_expires_after_s = found
    upload = stored.decode(wire)
    status = upload.status
    if status == "pending" and upload.expires_at <= call.rooms.now():
        status = "expired"  # the chore that says so is about to come
    if status != "pending":
        raise BadRequest(f"Upload {upload_id} has status '{status}': only a pending one changes.")
    return Pending(upload, wire, file_expires_after_s)


async def _no_longer_pending(call: Call[object]) -> Exception:
    """Return what to raise when an upload ended between reading and writing."""
    try:
        pending = await _pending(call)
    except (BadRequest, NotFound) as error:
        return error
    return AssertionError(f"{pending.upload.id} is pending, but could not be changed")
