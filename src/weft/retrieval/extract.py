"""Reads a file in a process of its own, so that a hostile one cannot harm the server."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Coroutine
from pathlib import Path

import msgspec

from weft.retrieval.passages import (
    ENDINGS,
    Failure,
    Frame,
    Passage,
    UnreadableCode,
    ending_of,
)

SILENCE_S = 180.0  # longer than the processor time that the process allows itself
MOST_FRAME_BYTES = 64 << 20

# What a process needs to find this program; settings and keys stay here.
_PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "VIRTUAL_ENV")

_FRAME = msgspec.msgpack.Decoder(Frame)


class Unreadable(Exception):
    """A file has no text that can be searched; `code` and `message` are those of last_error."""

    def __init__(self, code: UnreadableCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def is_supported(filename: str) -> bool:
    """Tell whether files of this name's ending can be searched."""
    return ending_of(filename) in ENDINGS


async def passages_of(
    path: Path, filename: str, max_tokens: int, overlap_tokens: int
) -> AsyncGenerator[list[Passage], None]:
    """Yield the passages of the file at `path`, which was uploaded as `filename`, in order.

    The name's ending says what the file is. It is read, cut (`chunking.chunks`) and made into
    terms by a process with bounded memory and time, which waits while nobody takes what it found
    and ends with the generator. At least one passage is yielded.

    Raises: Unreadable.
    """
    ending = ending_of(filename)
    if ending not in ENDINGS:
        shown = f"'.{ending}'" if ending else "without an ending"
        raise Unreadable(
            "unsupported_file",
            f"Files {shown} cannot be searched. These can: {', '.join(sorted(ENDINGS))}.",
        )
    process = await _started_whole(_started(path, ending, max_tokens, overlap_tokens))
    is_empty = True
    try:
        while batch := await _next(process):
            is_empty = False
            yield batch
    finally:
        await _end(process)
    if is_empty:
        is_pdf = " A scanned PDF is pictures only." if ending == "pdf" else ""
        raise Unreadable("invalid_file", f"The file holds no text.{is_pdf}")


async def _started_whole(starting: Coroutine[None, None, Process]) -> Process:
    """Start a process, or end it if the caller is cancelled while it is starting.

    uvloop would forget about a process whose start is cancelled.
    """
    task = asyncio.create_task(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with contextlib.suppress(Unreadable):
            await _end(await asyncio.shield(task))
        raise


async def _started(path: Path, ending: str, max_tokens: int, overlap_tokens: int) -> Process:
    try:
        with path.open("rb") as file:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "weft.retrieval.reader"),
                *(ending, str(max_tokens), str(overlap_tokens)),
                stdin=file,
                stdout=PIPE,
                stderr=DEVNULL,
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            )
    except OSError as fault:
        raise Unreadable("server_error", f"The file cannot be read: {fault.strerror}.") from fault


async def _next(process: Process) -> list[Passage]:
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    try:
        async with asyncio.timeout(SILENCE_S):
            size = int.from_bytes(await process.stdout.readexactly(4), "big")
            if size > MOST_FRAME_BYTES:
                raise Unreadable("server_error", "The file could not be read.")
            frame: Frame = _FRAME.decode(await process.stdout.readexactly(size))
    except TimeoutError:
        raise Unreadable("invalid_file", "Reading the file took too long.") from None
    except asyncio.IncompleteReadError:
        raise _died(await process.wait()) from None
    if isinstance(frame, Failure):
        raise Unreadable(frame.code, frame.message)
    return frame


def _died(status: int) -> Unreadable:
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return Unreadable("invalid_file", "Reading the file took too long.")
    if status < 0:
        return Unreadable("invalid_file", "The file is damaged: no program can read it safely.")
    return Unreadable("server_error", "The file could not be read.")


async def _end(process: Process) -> None:
    """End the process, whatever it is doing, also for a caller that is being cancelled."""
    if process.returncode is None:
        process.kill()
    await asyncio.shield(asyncio.create_task(_drained(process)))


async def _drained(process: Process) -> None:
    """Take what is left in the pipe: uvloop lets go of it only when it has seen its end."""
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    while await process.stdout.read(1 << 16):
        pass
    await process.wait()
