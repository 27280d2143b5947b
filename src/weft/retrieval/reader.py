"""The process that reads one file: `python -m weft.retrieval.reader ENDING MAX OVERLAP < FILE`.

It puts limits on itself before it reads a byte: memory and time, and that it can open no
file, no connection and no process from then on. It writes frames to standard output: the
length (four bytes, big-endian) and a MessagePack array of passages as they are found, at
last an empty array, or the reason why there is nothing more.
"""

import os
import resource
import signal
import sys
import warnings
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from weft.retrieval.chunking import chunks
from weft.retrieval.formats import READERS, Invalid, prepare
from weft.retrieval.passages import Failure, Frame, Passage
from weft.retrieval.words import by_impact

MEMORY_BYTES = 1 << 30
CPU_S = 120
NICE = 10
BATCH = 32  # passages in a frame

MOST_CHARS = 20_000_000  # some 5 million tokens


class _TooMuch(Exception):
    pass


def main(ending: str, max_tokens: int, overlap_tokens: int) -> None:
    """Read the file on standard input and write its passages."""
    confine(ending)
    warnings.simplefilter("ignore")
    out = sys.stdout.buffer
    try:
        text = _whole(READERS[ending](sys.stdin.buffer))
        batch: list[Passage] = []
        for chunk in chunks(text, max_tokens, overlap_tokens):
            batch.append(Passage(chunk.text, chunk.start, chunk.end, by_impact(chunk.text)))
            if len(batch) == BATCH:
                _write(out, batch)
                batch = []
        if batch:
            _write(out, batch)
        _write(out, [])
    except Invalid as fault:
        _write(out, Failure("invalid_file", str(fault)))
    except _TooMuch:
        text = f"The file holds more than {MOST_CHARS:,} characters of text. Split it."
        _write(out, Failure("invalid_file", text))
    except (MemoryError, RecursionError):
        _write(out, Failure("invalid_file", "The file needs too much memory to be read."))


def confine(ending: str) -> None:
    """Put this process's limits on it; what files of the ending need is loaded before."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.nice(NICE)
    prepare(ending)
    # A file that takes the process over finds standard input and output, and nothing else.
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    # Whoever started it may be gone: then writing ends it, in silence.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def _whole(pieces: Iterator[str]) -> str:
    found = []
    left = MOST_CHARS
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise _TooMuch
        found.append(piece)
    return "".join(found)


def _write(out: BinaryIO, frame: Frame) -> None:
    packed = msgspec.msgpack.encode(frame)
    out.write(len(packed).to_bytes(4, "big") + packed)
    out.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
