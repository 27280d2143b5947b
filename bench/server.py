"""Weft with two shortcuts in the same process: `python -m bench.server --data-dir DIR`.

One event loop, one uvicorn. What begins with /floor goes through the same
door, decoding and checking, and then to functions that answer a constant of
the real answer's size; what begins with /bare is answered at once, without
looking at the request; /copy only copies a file. The rest is Weft itself.
"""

import argparse
import asyncio
import cProfile
import socket
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import uvloop

from bench.copying import COPY, Copying
from bench.fill import message, thread
from weft.api.app import App, Function, Receive, Scope, Send, functions
from weft.api.call import Answer, Call
from weft.api.door import Door
from weft.config import Settings
from weft.domain.ids import Ids
from weft.main import BACKLOG, answer_on, now, opened
from weft.wire.threads import as_read

TEXT = "How does AI work? Explain it in simple terms."

FLOOR = "/floor"
BARE = "/bare"


class Answers:
    """The constants, as large as the real answers."""

    def __init__(self, ids: Ids) -> None:
        thread_id = ids.new("thread_")
        self.created: str = str(thread(thread_id, at=now())[0].params["wire"])
        self.read = as_read(self.created)
        appended = message(thread_id, ids.new("msg_"), TEXT, at=now())
        self.appended = str(appended.params["wire"])

    def as_functions(self) -> dict[str, Function]:
        """Return a function for each operation; those that no case needs answer `{}`."""
        constants = {
            "createThread": self.created,
            "getThread": self.read,
            "createMessage": self.appended,
        }
        return {name: _always(constants.get(name, "{}")) for name in functions()}


def _always(body: str) -> Function:
    async def function(_: Call[Any]) -> Answer:
        return Answer(body)

    return function


class _Bare:
    """The least that an ASGI application can do."""

    def __init__(self, answers: Answers) -> None:
        self._created = answers.created.encode()
        self._read = answers.read.encode()
        self._appended = answers.appended.encode()

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        if scope["path"].endswith("/messages"):
            body = self._appended
        else:
            body = self._read if scope["method"] == "GET" else self._created
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _Crossing:
    """Sends a request to Weft, to its floor or to the bare answer, by its path."""

    def __init__(self, real: App, floor: App, bare: _Bare, copying: Copying) -> None:
        self._copying = copying
        self._real = real
        self._floor = floor
        self._bare = bare

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        path: str = scope["path"]
        if path.startswith(FLOOR):
            scope["path"] = path[len(FLOOR) :]
            return self._floor(scope, receive, send)
        if path.startswith(BARE):
            return self._bare(scope, receive, send)
        if path == COPY:
            return self._copying(scope, receive, send)
        return self._real(scope, receive, send)


async def serve(settings: Settings) -> None:
    """Serve on a free port until SIGTERM; say at which address."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listening.setblocking(False)
    async with opened(settings) as rooms:
        door = Door(rooms.database)
        answers = Answers(rooms.ids)
        most = settings.max_body_bytes
        crossing = _Crossing(
            App(rooms, door, max_body_bytes=most),
            App(rooms, door, max_body_bytes=most, acting=answers.as_functions()),
            _Bare(answers),
            Copying(settings.data_path / "copy"),
        )
        print(f"serving at http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        await answer_on(listening, crossing, on_stop=rooms.database.bells.close)


def main() -> None:
    """Run it, under cProfile if a file for its result is named."""
    parser = argparse.ArgumentParser("bench.server")
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--database-url")
    parser.add_argument("--cprofile", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    settings = Settings(
        data_dir=chosen.data_dir,
        database_url=chosen.database_url,
        auto_migrate=True,
    )
    profile = cProfile.Profile() if chosen.cprofile else None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if profile is None:
            runner.run(serve(settings))
        else:
            profile.runcall(runner.run, serve(settings))
            profile.dump_stats(chosen.cprofile)


if __name__ == "__main__":
    main()
