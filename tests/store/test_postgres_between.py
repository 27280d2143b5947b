"""What may stand between Weft and PostgreSQL: a pooler, and encryption."""

import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests import postgres
from tests.api.making import a_thread
from tests.api.running import USER, a_demo, a_run, at_rest, names, runs_of
from tests.harness import Server, api_of, weft
from tests.programs import program
from tests.store.test_postgres import opened
from weft.store.database import Unusable
from weft.store.postgres.schema import migrate

CERTIFICATE = Path(__file__).parents[1] / "llm" / "localhost.pem"
START_S = 20.0
SHARED = (
    "Between Weft and PostgreSQL stands a pooler in transaction mode (or statement mode): several "
    "connections share one session there, which loses LISTEN, SET, prepared statements and "
    "advisory locks. Set pool_mode = session for Weft's database in PgBouncer, or connect without "
    "it; a Weft server needs a handful of connections."
)


def streamed(assistant: str) -> dict[str, object]:
    """Return the body of a run that is answered by its stream."""
    return {"assistant_id": assistant, "stream": True}


@pytest.fixture
def cluster() -> Iterator[postgres.Cluster]:
    """A PostgreSQL of one's own, migrated."""
    with postgres.cluster() as server:
        migrate(server.url)
        yield server


@contextmanager
def pooled(cluster: postgres.Cluster, mode: str) -> Iterator[str]:
    """Run PgBouncer ahead of a cluster and yield the URL to connect to."""
    pgbouncer = program("pgbouncer", "pgbouncer")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    users = cluster.folder / "users.txt"
    users.write_text('"weft" ""\n')
    config = cluster.folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n* = host=127.0.0.1 port={cluster.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {users}\npool_mode = {mode}\n"
    )
    with (cluster.folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([*pgbouncer, config], stdout=log, stderr=log, **cluster.owner)
    url = urlunsplit(urlsplit(cluster.url)._replace(netloc=f"weft@127.0.0.1:{port}"))
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_S)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            select.select([], [], [], 0.02)
        else:
            return


@pytest.mark.full
def test_a_pooler_in_session_mode_is_not_felt(cluster: postgres.Cluster, tmp_path: Path) -> None:
    """Streams of a run arrive from the node that was asked and from another."""
    with pooled(cluster, "session") as url, ExitStack() as stack:
        weft("doctor", "--database-url", url, cwd=tmp_path)
        env = {"WEFT_DATABASE_URL": url}
        servers = [stack.enter_context(Server(tmp_path / f"n{n}", env=env)) for n in range(2)]
        one, other = [stack.enter_context(api_of(server)) for server in servers]
        assistant = a_demo(one)
        for _ in range(5):
            thread = a_thread(one, messages=[USER])
            events = one.events("POST", runs_of(thread), streamed(assistant))
            assert names(events)[-2:] == ["thread.run.step.completed", "thread.run.completed"]
            run = a_run(one, thread, assistant)
            assert at_rest(other, run)["status"] == "completed"


@pytest.mark.full
@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_a_pooler_that_shares_sessions_is_refused_with_what_to_change(
    cluster: postgres.Cluster, tmp_path: Path, mode: str
) -> None:
    with pooled(cluster, mode) as url:
        for _ in range(3):
            with pytest.raises(Unusable, match="Set pool_mode = session"):
                async with opened(url):
                    pass
        for command in (("serve", "--port", "0"), ("worker",)):
            done = weft(*command, "--database-url", url, cwd=tmp_path, status=1)
            assert done.stderr == f"weft: {SHARED}\n"


@contextmanager
def encrypted() -> Iterator[postgres.Cluster]:
    """Run a migrated PostgreSQL with the certificate of localhost, on two addresses."""
    settings = {
        "listen_addresses": "127.0.0.1,127.0.0.2",
        "ssl": "on",
        "ssl_cert_file": "server.pem",
        "ssl_key_file": "server.pem",
    }
    with postgres.cluster(settings, files={"data/server.pem": CERTIFICATE}) as cluster:
        migrate(cluster.url)
        yield cluster


def trusting(cluster: postgres.Cluster, authority: Path, host: str = "localhost") -> str:
    """Return a URL that holds the server's certificate against an authority's."""
    url = cluster.url.replace("127.0.0.1", host)
    return f"{url}?sslmode=verify-full&sslrootcert={authority}"


def test_a_server_and_its_workers_reach_postgresql_by_verified_connections_only(
    tmp_path: Path,
) -> None:
    with encrypted() as cluster:
        env = {"WEFT_DATABASE_URL": trusting(cluster, CERTIFICATE)}
        with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
            thread = a_thread(api, messages=[USER])
            events = api.events("POST", runs_of(thread), streamed(a_demo(api)))
            assert events[-1].name == "thread.run.completed"
            with psycopg.connect(cluster.url) as connection:
                found = connection.execute(
                    "SELECT ssl, count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1"
                ).fetchall()
        ((is_encrypted, count),) = found
        assert is_encrypted
        assert count >= 6, "the queue's connections are the server's too"


def test_a_certificate_that_cannot_be_trusted_stops_the_start_with_one_line_that_says_so(
    tmp_path: Path,
) -> None:
    stranger = tmp_path / "stranger.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    key = str(tmp_path / "key.pem")
    made = ("-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", str(stranger))
    request = [*program("openssl", "openssl"), "req", "-x509", *subject, *made]
    subprocess.run(request, check=True, capture_output=True)
    with encrypted() as cluster:
        for url, why in (
            (trusting(cluster, stranger), "certificate verify failed"),
            (trusting(cluster, CERTIFICATE, "127.0.0.2"), "does not match host name"),
        ):
            done = weft("serve", "--port", "0", "--database-url", url, cwd=tmp_path, status=1)
            beginning = r"weft: postgresql at \S+, database postgres cannot be used: "
            assert re.fullmatch(f"{beginning}.*{why}.*\n", done.stderr)


def test_a_server_that_cannot_encrypt_is_refused_where_encryption_is_demanded(
    postgres_url: str, tmp_path: Path
) -> None:
    url = f"{postgres_url}?sslmode=require"
    done = weft("serve", "--port", "0", "--database-url", url, cwd=tmp_path, status=1)
    assert "server does not support SSL, but SSL was required" in done.stderr
    assert done.stderr.count("\n") == 1
