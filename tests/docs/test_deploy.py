"""docs/deploy.md: its three-node layout, played with the files that the page shows."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from tests import postgres
from tests.api.making import a_thread
from tests.api.running import USER, a_demo, a_run, at_rest, path_of, runs_of
from tests.docs import pages
from tests.harness import Api, Server, weft

PAGE = pages.ROOT / "docs" / "deploy.md"
START_S = 20.0


def shown(language: str, beginning: str) -> str:
    """Return the block of the page that begins so."""
    (found,) = (
        block.text
        for block in pages.blocks(PAGE)
        if block.language == language and block.text.startswith(beginning)
    )
    return found


@contextmanager
def balanced(folder: Path, nodes: list[str]) -> Iterator[str]:
    """Run nginx as the page has it, ahead of these nodes; yield its address."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "nginx is needed: apt-get install nginx-light"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    own = iter(nodes)
    text = re.sub(r"10\.0\.0\.1\d:8000", lambda _: next(own), shown("nginx", "upstream weft"))
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
    config = folder / "nginx.conf"
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{paths}{text}}}\n"
    )
    process = subprocess.Popen([program, "-p", folder, "-c", config], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_S
        while True:
            assert process.poll() is None, (folder / "error.log").read_text()
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_S)


@pytest.mark.full
def test_three_nodes_behind_nginx_outlive_one_of_them(tmp_path: Path) -> None:
    with postgres.database() as url, ExitStack() as stack:
        key = weft("keys", "create", "--database-url", url, cwd=tmp_path).stdout.strip()
        env = {"WEFT_DATABASE_URL": url}
        nodes = [stack.enter_context(Server(tmp_path / f"node{n}", env=env)) for n in range(3)]
        places = [node.address.removeprefix("http://") for node in nodes]
        api = Api(stack.enter_context(balanced(tmp_path, places)), key=key)
        stack.callback(api.close)
        thread, assistant = a_thread(api, messages=[USER]), a_demo(api)
        body = {"assistant_id": assistant, "stream": True}
        events = api.events("POST", runs_of(thread), body)
        assert events[-1].name == "thread.run.completed"
        for node in nodes[:2]:
            node.process.kill()  # in the midst of it
            run = a_run(api, a_thread(api, messages=[USER]), assistant)
            assert at_rest(api, run)["status"] == "completed"
            events = api.events("GET", path_of(run), params={"stream": "true"})
            assert events[-1].name == "thread.run.completed"


@pytest.mark.full
def test_a_dump_is_restored_as_the_page_says(tmp_path: Path) -> None:
    with postgres.database() as url, postgres.database("template0") as again:
        with Server(tmp_path / "data", env={"WEFT_DATABASE_URL": url}) as server:
            api = Api(server.address)
            a_thread(api, messages=[USER], metadata={"a": "b\\ud83d\\ude00"})
            before = api.ok("GET", "/threads")
            api.close()
        commands = shown("console", "pg_dump").splitlines()
        dump = commands[0].replace('"$WEFT_DATABASE_URL"', url)
        restore = re.sub(r"--dbname=\S+", f"--dbname={again}", commands[2])
        for command in (dump, restore):
            subprocess.run(command.split(), cwd=tmp_path, check=True)
        with psycopg.connect(url) as one, psycopg.connect(again) as other:
            query = "SELECT count(*) FROM message"
            assert one.execute(query).fetchall() == other.execute(query).fetchall()
        with Server(tmp_path / "again", env={"WEFT_DATABASE_URL": again}) as server:
            api = Api(server.address)
            assert api.ok("GET", "/threads") == before
            api.close()


@pytest.mark.full
def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    assert program, "systemd-analyze is needed: apt-get install systemd"
    unit = tmp_path / "weft.service"
    text = shown("ini", "[Unit]").replace("/opt/weft/bin/weft", shutil.which("true") or "")
    unit.write_text(text)
    done = subprocess.run([program, "verify", unit], capture_output=True, text=True)
    assert "weft.service" not in done.stderr, done.stderr
