"""Files in a bucket of an S3-compatible store: everything as it is in a folder."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.api.making import a_file, an_upload, ids, open_socket, send_file
from tests.api.test_files import DATA
from tests.api.test_large_files import MB, downloaded, hash_of, peak_bytes, send
from tests.harness import Api, Server, api_of, weft
from tests.store.bucket_server import Buckets


class Held(NamedTuple):
    """A server whose files are in a bucket."""

    api: Api
    buckets: Buckets
    url: str
    env: dict[str, str]

    def wait_until_left(self, count: int) -> None:
        """Return once so many objects are left in the bucket."""
        give_up_at = time.monotonic() + 20
        while len(self.buckets.listed(self.url)) != count:
            assert time.monotonic() < give_up_at, self.buckets.listed(self.url)
            time.sleep(0.02)


@pytest.fixture
def held(buckets: Buckets, tmp_path: Path) -> Iterator[Held]:
    """A server of one's own, and an empty place in a bucket."""
    url = buckets.new_url()
    env = {**buckets.environment, "WEFT_FILES_URL": url}
    with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
        yield Held(api, buckets, url, env)
        assert not (server.data_dir / "files").exists()


def test_what_is_uploaded_comes_back_in_any_range(held: Held) -> None:
    data = os.urandom(11_000_000)  # more than two parts
    path = f"/files/{a_file(held.api, data)}/content"
    assert held.api.call("GET", path).content == data
    answer = held.api.call("GET", path, headers={"Range": "bytes=4194300-8388700"})
    assert (answer.status_code, answer.content) == (206, data[4194300:8388701])
    assert held.api.call("GET", f"/files/{a_file(held.api, b'')}/content").content == b""


def test_bytes_are_removed_with_the_last_file_that_has_them(held: Held) -> None:
    one, same = a_file(held.api, DATA), a_file(held.api, DATA)
    held.wait_until_left(1)
    held.api.ok("DELETE", f"/files/{one}")
    assert held.api.call("GET", f"/files/{same}/content").content == DATA
    held.api.ok("DELETE", f"/files/{same}")
    held.wait_until_left(0)


def test_a_form_that_is_refused_leaves_nothing(held: Held) -> None:
    assert send_file(held.api, os.urandom(6_000_000), purpose="nothing").status_code == 400
    held.wait_until_left(0)


def test_parts_become_a_file(held: Held) -> None:
    upload_id = an_upload(held.api, 9)
    path = f"/uploads/{upload_id}/parts"
    parts = [send_file(held.api, data, path=path, field="data") for data in (b"12345", b"6789")]
    body = {"part_ids": [part.json()["id"] for part in parts]}
    done = held.api.ok("POST", f"/uploads/{upload_id}/complete", body)
    content = held.api.call("GET", f"/files/{done['file']['id']}/content").content
    assert content == b"123456789"
    held.wait_until_left(1)


def test_a_backup_is_of_the_database_alone(held: Held, tmp_path: Path) -> None:
    """What is in a bucket stays there; a server on the copy finds it."""
    file_id = a_file(held.api, DATA)
    (tmp_path / "again").mkdir()
    toml = tmp_path / "weft.toml"
    toml.write_text(f'files_url = "{held.url}"\n')
    weft("backup", "again/weft.db", "--data-dir", str(tmp_path / "data"), cwd=tmp_path)
    toml.unlink()
    with Server(tmp_path / "again", env=held.env) as server, api_of(server) as api:
        assert ids(api.ok("GET", "/files")["data"]) == [file_id]
        assert api.call("GET", f"/files/{file_id}/content").content == DATA


def test_a_bucket_that_cannot_be_reached_is_told_as_unavailable(
    buckets: Buckets, tmp_path: Path
) -> None:
    env = {**buckets.environment, "WEFT_FILES_URL": "s3://no-such-bucket/x"}
    with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
        answer = send_file(api, b"x", purpose="batch")
        assert answer.status_code == 503
        assert "cannot reach the bytes of files" in answer.json()["error"]["message"]
        assert api.ok("GET", "/files")["data"] == []


@pytest.mark.parametrize("url", ["", "http://bucket", "s3://", "bucket/prefix"])
def test_an_address_that_is_no_buckets_stops_the_start(tmp_path: Path, url: str) -> None:
    (tmp_path / "weft.toml").write_text(f'files_url = "{url}"\n')
    done = weft("serve", "--port", "0", cwd=tmp_path, status=1)
    assert "files_url" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.full
def test_a_large_file_takes_less_than_20_mb_of_memory(buckets: Buckets, tmp_path: Path) -> None:
    env = {**buckets.environment, "WEFT_FILES_URL": buckets.new_url()}
    with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
        with open_socket(server.address) as connection:
            send(connection, 12)
        before = peak_bytes(server)
        with open_socket(server.address) as connection:
            connection.settimeout(120)
            assert send(connection, 128).startswith(b"HTTP/1.1 200")
        file_id = api.ok("GET", "/files", params={"limit": 1})["data"][0]["id"]
        assert downloaded(api, f"/files/{file_id}/content") == hash_of(128)
        assert peak_bytes(server) - before < 20 * MB
