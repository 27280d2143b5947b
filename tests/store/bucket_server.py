"""An S3-compatible store in a process of its own: moto's server, over a socket.

python -m tests.store.bucket_server
"""

import itertools
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx2
import obstore
from obstore.store import S3Store

BUCKET = "weft-tests"
ROOT = Path(__file__).parents[2]


class Buckets:
    """The server. What it holds is in its memory."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.bucket_server"],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        lines = iter(self._process.stdout.readline, "")  # moto has a word to say, too
        self.address = next(line.strip() for line in lines if line.startswith("http"))
        httpx2.put(f"{self.address}/{BUCKET}", timeout=60).raise_for_status()

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program needs to know of it, as every S3 tool reads it."""
        return {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ALLOW_HTTP": "true",
        }

    def new_url(self) -> str:
        """Return where nothing lies yet."""
        return f"s3://{BUCKET}/{next(self._numbers)}"

    def listed(self, url: str) -> list[str]:
        """Return the names of what lies there."""
        pages = obstore.list(S3Store.from_url(url))
        return [str(found["path"]) for page in pages for found in page]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()


def main() -> None:
    """Serve on a free port until the process is ended."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
