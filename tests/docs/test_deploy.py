"""docs/deploy.md: its commands are followed, and its three-node layout is played."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx2
import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from tests import postgres
from tests.api.making import a_file, a_thread, an_assistant, everything
from tests.api.running import (
    USER,
    a_demo,
    a_run,
    at_rest,
    following,
    gated,
    path_of,
    runs_of,
    text_of,
)
from tests.contract.checker import Event
from tests.docs import pages
from tests.docs.machine import PAGE, Machine, shown
from tests.harness import Api, Server, weft, within
from tests.llm.upstream import Upstream, serving
from tests.programs import program

CERTIFICATE = pages.ROOT / "tests" / "llm" / "localhost.pem"
START_S = 20.0
PATIENCE_S = 60.0
FILE_BYTES = 512 * 1024 * 1024
PIECE_BYTES = 1024 * 1024
# The beginning of each block of commands that a test here follows.
COMMANDS = (
    "useradd",
    "#!/bin/sh",
    "weft keys create",
    "createuser",
    "weft migrate",
    "weft copy",
    "pg_dump",
    "install -d -m 0700 /srv",
    "systemctl stop",
)


@contextmanager
def administered() -> Iterator[dict[str, str]]:
    """Run a PostgreSQL that knows no role of the page; yield what stands for it."""
    with postgres.cluster() as cluster:
        with psycopg.connect(cluster.url, autocommit=True) as connection:
            connection.execute("CREATE ROLE administrator SUPERUSER LOGIN")
        url = cluster.url.replace("weft@", "administrator@")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER ROLE weft RENAME TO bootstrap")
        place = f"127.0.0.1:{cluster.port}"
        yield {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(cluster.port),
            "PGUSER": "administrator",
            "db.example.com": place,
            "?sslmode=verify-full&sslrootcert=/etc/weft/ca.pem": "",
        }


def installed(folder: Path, stack: ExitStack) -> tuple[Machine, str]:
    """Follow the page to a server with a key, on SQLite; return the machine and the key."""
    exchange = stack.enter_context(administered())
    upstream = stack.enter_context(serving())
    machine = Machine(folder, {**exchange, "https://models.example.com/v1": upstream.url})
    machine.follow("useradd")
    machine.write("/etc/weft/weft.env", shown("ini", "# /etc/weft/weft.env"), 0o600)
    machine.write("/etc/systemd/system/weft.service", shown("ini", "[Unit]"))
    machine.write("/usr/local/bin/weft", shown("console", "#!/bin/sh"), 0o755)
    stack.callback(machine.stop)
    printed = machine.follow("weft keys create")
    assert "MEND" not in printed
    return machine, printed.split()[0]


@pytest.mark.full
def test_the_page_leads_from_one_machine_over_postgresql_and_a_backup_to_an_upgrade(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        machine, key = installed(tmp_path, stack)
        api = Api(machine.address, key=key)
        stack.callback(api.close)
        thread, assistant = a_thread(api, messages=[USER], metadata={"a": "\\😀"}), a_demo(api)
        file = a_file(api, b"The warp is held.")
        before = api.ok("GET", "/threads")
        machine.stop()

        machine.follow("createuser")
        machine.follow("weft migrate")
        machine.follow("weft copy")
        settings = shown("ini", "# /etc/weft/weft.env") + shown("ini", "WEFT_DATABASE_URL")
        machine.write("/etc/weft/weft.env", settings, 0o600)
        machine.start()
        assert within(START_S, lambda: is_ready(machine.address))
        assert api.ok("GET", "/threads") == before
        run = a_run(api, thread, assistant)
        assert at_rest(api, run)["status"] == "completed"
        url = machine.text("postgresql://weft_node:secret@db.example.com/weft")
        with psycopg.connect(url) as connection, pytest.raises(InsufficientPrivilege):
            connection.execute("CREATE TABLE mine ()")

        machine.follow("pg_dump")
        machine.follow("install -d -m 0700 /srv")
        after = api.ok("GET", f"/threads/{thread}/messages")
        machine.follow("systemctl stop")
        assert api.ok("GET", f"/threads/{thread}/messages") == after
        machine.stop()

        again = settings.replace("db.example.com/weft?", "db.example.com/weft_again?")
        machine.write("/etc/weft/weft.env", again, 0o600)
        shutil.rmtree(machine.below("/var/lib/weft/files"))
        machine.below("/srv/backup/files").rename(machine.below("/var/lib/weft/files"))
        machine.start()
        assert within(START_S, lambda: is_ready(machine.address))
        assert api.ok("GET", f"/threads/{thread}/messages") == after
        assert api.call("GET", f"/files/{file}/content").content == b"The warp is held."


def is_ready(address: str) -> bool:
    """Say whether a server can serve."""
    try:
        return httpx2.get(f"{address}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def test_every_block_of_commands_is_followed_by_a_test_and_every_file_is_tried() -> None:
    blocks = [(one.language, one.text) for one in pages.blocks(PAGE)]
    commands = [text for language, text in blocks if language == "console"]
    assert all(text.startswith(COMMANDS) for text in commands)
    assert len(commands) == len(COMMANDS)
    assert {language for language, _ in blocks} == {"console", "ini", "nginx", "text"}


# --- in a container -----------------------------------------------------------------------------


@pytest.mark.full
def test_each_step_of_the_container_file_does_its_work(tmp_path: Path) -> None:
    """In a fresh environment in place of an image; only what the ignore file lets in is there."""
    steps = (pages.ROOT / "Containerfile").read_text()
    source, home, venv = tmp_path / "source", tmp_path / "home", tmp_path / "venv"
    source.mkdir()
    home.mkdir()
    for name in re.findall(r"^!(\S+)$", (pages.ROOT / ".containerignore").read_text(), re.M):
        path = pages.ROOT / name
        (shutil.copytree if path.is_dir() else shutil.copy)(path, source / name)
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    (install,) = re.findall(r"^RUN (pip .*)$", steps, re.MULTILINE)
    command = install.replace("/usr/src/weft", str(source)).replace("pip", f"{venv}/bin/pip", 1)
    subprocess.run(["sh", "-euc", command], check=True, stdout=subprocess.DEVNULL)
    (add,) = re.findall(r"^RUN useradd (.*)$", steps, re.MULTILINE)
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group"):
        (tmp_path / "etc" / name).touch()
    useradd = [*program("useradd", "passwd"), "--prefix", str(tmp_path)]
    subprocess.run([*useradd, *add.split()], check=True, capture_output=True)
    assert (tmp_path / "etc" / "passwd").read_text().startswith("weft:")

    (variables,) = re.findall(r"^ENV (.*)$", steps, re.MULTILINE)
    env = dict(one.split("=") for one in variables.replace("/var/lib/weft", str(home)).split())
    env["PATH"] = f"{venv}/bin:/usr/bin:/bin"
    (start,) = re.findall(r"^CMD (.*)$", steps, re.MULTILINE)
    serve = [*json.loads(start), "--port", "0"]
    refused = subprocess.run(serve, env=env, cwd=home, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "weft keys create" in refused.stderr
    create = ["weft", "keys", "create", "--name", "first"]
    subprocess.run(create, env=env, cwd=home, check=True, capture_output=True)
    with subprocess.Popen(serve, env=env, cwd=home, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        first = re.search(r"at http://0\.0\.0\.0:(\d+)/v1", server.stdout.readline())
        assert first
        assert is_ready(f"http://127.0.0.1:{first[1]}")
        server.send_signal(signal.SIGTERM)
        assert server.wait(START_S) == 0


# --- three nodes --------------------------------------------------------------------------------


@contextmanager
def balanced(folder: Path, nodes: list[str]) -> Iterator[str]:
    """Run nginx as the page has it, ahead of these nodes; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    own = iter(nodes)
    text = re.sub(r"10\.0\.0\.1\d:8000", lambda _: next(own), shown("nginx", "upstream weft"))
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    text = text.replace("/etc/weft/weft.pem", str(CERTIFICATE))
    config = folder / "nginx.conf"
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""  # the test's folder is closed to others
    config.write_text(
        f"{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{paths}{text}}}\n"
    )
    nginx = [*program("nginx", "nginx"), "-e", f"{folder}/error.log", "-p", str(folder)]
    process = subprocess.Popen([*nginx, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_S
        while True:
            assert process.poll() is None, (folder / "error.log").read_text()
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
        yield f"https://localhost:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_S)


class Layout:
    """Three nodes on one PostgreSQL behind nginx, and a client that knows nginx only."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        url = stack.enter_context(postgres.database())
        self.upstream: Upstream = stack.enter_context(serving())
        self._folder = folder
        self._env = {
            "WEFT_DATABASE_URL": url,
            "WEFT_MODEL_URL": self.upstream.url,
        }
        self._key = weft("keys", "create", "--database-url", url, cwd=folder).stdout.strip()
        self.headers = {"Authorization": f"Bearer {self._key}"}
        self.nodes = [self._node(number, 0) for number in range(3)]
        stack.callback(lambda: [node.stop() for node in self.nodes])
        places = [node.address.removeprefix("http://") for node in self.nodes]
        self._address = stack.enter_context(balanced(folder, places))
        self.api = self._client()
        stack.callback(self.api.close)

    def _node(self, number: int, port: int) -> Server:
        shared = ("--data-dir", str(self._folder / "shared"))
        return Server(self._folder / f"n{number}", "--port", str(port), *shared, env=self._env)

    def restart_all(self) -> None:
        """Stop each node as systemd does, and start it again where it was, before the next."""
        for number, node in enumerate(self.nodes):
            assert node.stop() == 0
            self.nodes[number] = self._node(number, int(node.address.rpartition(":")[2]))
            assert within(START_S, partial(is_ready, node.address))

    def _client(self) -> Api:
        """Return a client that holds nginx's certificate against its authority."""
        api = Api(self._address, key=self._key)
        api.close()
        api.http = httpx2.Client(
            base_url=self._address,
            headers=self.headers,
            timeout=PATIENCE_S,
            verify=ssl.create_default_context(cafile=str(CERTIFICATE)),
        )
        return api


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    """The page's three nodes."""
    with ExitStack() as stack:
        yield Layout(tmp_path, stack)


def followed(api: Api, run: object, behind: int = 0) -> tuple[list[Event], bool]:
    """Follow a run behind an event; return what came and whether that was all."""
    headers = {"Last-Event-ID": str(behind)} if behind else {}
    with following(api, "GET", path_of(run), params={"stream": "true"}, headers=headers) as stream:
        events = stream.rest(is_cut=True)
        return events, stream.received.endswith(b"data: [DONE]\n\n")


@pytest.mark.full
def test_nginx_passes_a_stream_on_event_by_event(layout: Layout) -> None:
    """Each word is heard before the model says the next."""
    words = [f"word{number} " for number in range(8)]
    answer, gate = gated(*words)
    layout.upstream.play(answer)
    thread = a_thread(layout.api, messages=[USER])
    body = {"assistant_id": an_assistant(layout.api), "stream": True}
    with following(layout.api, "POST", runs_of(thread), body) as stream:
        for word in words:
            gate.let()
            assert text_of(stream.until("thread.message.delta")) == word
        gate.open()
        assert stream.rest()[-1].name == "thread.run.completed"


@pytest.mark.full
def test_a_stream_goes_on_through_nginx_while_two_of_three_nodes_die(layout: Layout) -> None:
    """The next request goes to a node that lives, and no event is missing or comes twice."""
    api = layout.api
    assistant = a_demo(api)
    for node in layout.nodes[:2]:
        runs = [a_run(api, a_thread(api, messages=[USER]), assistant) for _ in range(5)]
        node.process.kill()
        for run in runs:
            events, is_whole = followed(api, run)
            while not is_whole:
                more, is_whole = followed(api, run, len(events))
                events += more
            assert [event.number for event in events] == list(range(1, len(events) + 1))
            assert events[-1].name == "thread.run.completed"
        for _ in range(10):  # what was sent to a dying node is repeated by clients, done once
            assert api.ok("GET", "/threads")["object"] == "list"


@pytest.mark.full
def test_a_file_of_512_mb_comes_in_by_one_node_and_goes_out_by_another(
    layout: Layout, tmp_path: Path
) -> None:
    path, expected = tmp_path / "large.bin", hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(FILE_BYTES // PIECE_BYTES):
            piece = os.urandom(PIECE_BYTES)
            expected.update(piece)
            file.write(piece)
    with path.open("rb") as sent:
        answer = layout.api.http.post(
            "/v1/files", data={"purpose": "user_data"}, files={"file": sent}
        )
    assert answer.status_code == 200, answer.text
    assert answer.json()["bytes"] == FILE_BYTES
    content = f"/v1/files/{answer.json()['id']}/content"
    for node in layout.nodes:
        digest = hashlib.sha256()
        with httpx2.stream("GET", node.address + content, headers=layout.headers) as download:
            for piece in download.iter_raw():
                digest.update(piece)
        assert digest.digest() == expected.digest()


def steadily(layout: Layout, count: int, body: object) -> str:
    """Create a thread as SDKs do: what broke is repeated under its key."""
    headers = {"Idempotency-Key": f"thread-{count}"}

    def attempt() -> str | None:
        try:
            answer = layout.api.http.post("/v1/threads", json=body, headers=headers)
        except httpx2.TransportError:
            return None
        if answer.status_code in (502, 503, 504):
            return None
        assert answer.status_code == 200, answer.text
        made: str = answer.json()["id"]
        return made

    give_up_at = time.monotonic() + PATIENCE_S
    while (made := attempt()) is None:
        assert time.monotonic() < give_up_at
    return made


@pytest.mark.full
def test_nodes_are_restarted_one_after_another_under_clients_that_go_on(layout: Layout) -> None:
    """Each thread that was acknowledged is there once, and each restarted node takes part again."""
    made: list[str] = []
    with ThreadPoolExecutor(1) as rolling:
        restarts = rolling.submit(layout.restart_all)
        while not restarts.done():
            made.append(steadily(layout, len(made), {"messages": [USER]}))
        restarts.result()
    assert all(is_ready(node.address) for node in layout.nodes)
    listed = [one["id"] for one in everything(layout.api, "/threads", limit=100)]
    assert sorted(listed) == sorted(made)
    assert len(set(made)) == len(made)
