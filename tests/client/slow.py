"""A server whose model says a word when it is let, and that can go down meanwhile."""

import socket
from pathlib import Path

from tests.api.running import gated
from tests.harness import Server
from tests.llm.upstream import Upstream
from weft import Client

MODEL = "slow-one"


class Slow:
    """The server, on one port for all its lives, and a client of it."""

    def __init__(self, folder: Path, upstream: Upstream) -> None:
        self.folder = folder
        self.upstream = upstream
        self.answer, self.gate = gated("warp ", "weft ", "loom")
        upstream.play(self.answer)
        with socket.create_server(("127.0.0.1", 0)) as held:
            self._port = str(held.getsockname()[1])
        self.url = f"http://127.0.0.1:{self._port}/v1"
        self._server = self._start()
        self.client = Client(self.url)

    def _start(self) -> Server:
        env = {"WEFT_MODEL_URL": self.upstream.url}
        return Server(self.folder / "data", "--port", self._port, env=env)

    def kill_and_start(self) -> None:
        """Let it fall down, and start it again."""
        self._server.kill()
        self._server = self._start()

    def stop_and_start(self) -> None:
        """Stop it as an operator does, and start it again."""
        self._server.stop()
        self._server = self._start()

    def close(self) -> None:
        """End it."""
        self.gate.open()
        self.client.close()
        self._server.stop()
