"""What may stand between Weft and PostgreSQL: a pooler, and encryption."""

import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests import postgres
from tests.api.making import a_thread
from tests.api.running import USER, a_demo, a_run, at_rest
from tests.harness import Server, api_of, weft
from tests.store.test_postgres import opened
from weft.store.database import Unusable
from weft.store.postgres.schema import migrate

CERTIFICATE = Path(__file__).parents[1] / "llm" / "localhost.pem"
START_S = 20.0


@pytest.fixture
def cluster() -> Iterator[postgres.Cluster]:
    """A PostgreSQL of one's own, migrated."""
    with postgres.cluster() as server:
        migrate(server.url)
        yield server


@contextmanager
def pooled(cluster: postgres.Cluster, mode: str) -> Iterator[str]:
    """Run PgBouncer ahead of a cluster and yield the URL to connect to."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "PgBouncer is needed: apt-get install pgbouncer"
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
        process = subprocess.Popen([program, config], stdout=log, stderr=log, **cluster.owner)
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
    with pooled(cluster, "session") as url:
        env = {"WEFT_DATABASE_URL": url}
        with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
            runs = [
                a_run(api, a_thread(api, messages=[USER]), a_demo(api), stream=False)
                for _ in range(5)
            ]
            assert {at_rest(api, run)["status"] for run in runs} == {"completed"}


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
        done = weft("serve", "--port", "0", "--database-url", url, cwd=tmp_path, status=1)
        assert "pooler in transaction mode" in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.anyio
async def test_an_encrypted_connection_is_a_matter_of_the_url(tmp_path: Path) -> None:
    """sslmode=verify-full holds the server's name against its certificate."""
    listening = {"listen_addresses": "127.0.0.1,127.0.0.2"}
    settings = {
        **listening,
        "ssl": "on",
        "ssl_cert_file": "server.pem",
        "ssl_key_file": "server.pem",
    }
    with postgres.cluster(settings, files={"data/server.pem": CERTIFICATE}) as cluster:
        migrate(cluster.url)
        local = cluster.url.replace("127.0.0.1", "localhost")
        trusted = f"sslmode=verify-full&sslrootcert={CERTIFICATE}"
        async with opened(f"{local}?{trusted}") as database:
            await database.check()
            with psycopg.connect(cluster.url) as connection:
                encrypted = connection.execute(
                    "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                    "WHERE application_name = 'weft' AND ssl"
                ).fetchone()
            assert encrypted == (4,)
        elsewhere = cluster.url.replace("127.0.0.1", "127.0.0.2")
        with pytest.raises(Unusable, match="certificate"):
            async with opened(f"{elsewhere}?{trusted}"):
                pass
