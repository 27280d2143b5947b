"""Reading files: one range of the bytes, the headers alone, and nothing when they are known."""

import os

import pytest

from tests.api.making import a_file
from tests.harness import Api

DATA = os.urandom(100_000)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-9", 0, 10),
        ("bytes=10-19", 10, 20),
        ("bytes=10-", 10, len(DATA)),
        ("bytes=-7", len(DATA) - 7, len(DATA)),
        (f"bytes=-{len(DATA) + 1}", 0, len(DATA)),
        (f"bytes=5-{len(DATA) * 2}", 5, len(DATA)),
        (f"bytes={len(DATA) - 1}-", len(DATA) - 1, len(DATA)),
    ],
)
def test_a_range_is_that_part_of_the_bytes(api: Api, asked: str, start: int, stop: int) -> None:
    path = f"/files/{a_file(api, DATA)}/content"
    answer = api.call("GET", path, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, DATA[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert answer.headers["content-length"] == str(stop - start)


@pytest.mark.parametrize(
    "asked", ["bytes=", "bytes=-", "bytes=9-3", "bytes=0-1,4-5", "items=0-1", "bytes=a-b", "x"]
)
def test_what_is_no_single_range_brings_the_whole_file(api: Api, asked: str) -> None:
    answer = api.call("GET", f"/files/{a_file(api, DATA)}/content", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.parametrize("asked", [f"bytes={len(DATA)}-", f"bytes={len(DATA) * 3}-", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(api: Api, asked: str) -> None:
    answer = api.call("GET", f"/files/{a_file(api, DATA)}/content", headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"


def test_a_range_counts_only_for_the_content_that_it_was_meant_for(api: Api) -> None:
    path = f"/files/{a_file(api, DATA)}/content"
    etag = api.call("GET", path).headers["etag"]
    for given, status in ((etag, 206), ('"other"', 200)):
        headers = {"Range": "bytes=0-1", "If-Range": given}
        assert api.call("GET", path, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("{etag}", 304),
        ("*", 304),
        ("W/{etag}", 304),
        ('"other", {etag}', 304),
        ('"other"', 200),
        ('"other", W/"another"', 200),
        ("", 200),
    ],
)
def test_who_has_the_bytes_does_not_get_them_again(api: Api, given: str, status: int) -> None:
    """Whatever range of them is asked for."""
    path = f"/v1/files/{a_file(api, DATA)}/content"
    etag = api.http.get(path).headers["etag"]
    headers = {"If-None-Match": given.format(etag=etag)}
    for more in ({}, {"Range": "bytes=0-1"}):
        answer = api.http.get(path, headers={**headers, **more})
        assert answer.status_code == (206 if more and status == 200 else status)
        assert answer.headers["etag"] == etag
        if status == 304:
            assert answer.content == b""
            assert {"content-length", "content-type"} & set(answer.headers) == set()
    assert api.http.get(path).content == DATA  # the connection goes on


def test_the_headers_of_a_download_come_alone_too(api: Api) -> None:
    path = f"/v1/files/{a_file(api, DATA)}/content"
    whole = api.http.get(path)
    changing = ("date", "x-request-id", "openai-processing-ms")
    for headers in ({}, {"Range": "bytes=0-1"}):  # a range is defined for GET alone
        answer = api.http.head(path, headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
        for name in changing:
            answer.headers.pop(name)
        assert answer.headers == {n: v for n, v in whole.headers.items() if n not in changing}
    known = api.http.head(path, headers={"If-None-Match": whole.headers["etag"]})
    assert known.status_code == 304
    missing = api.http.head("/v1/files/file-none/content")
    assert (missing.status_code, missing.content) == (404, b"")
    assert int(missing.headers["content-length"]) > 0
    for _ in range(50):
        api.http.head(path)
    assert api.http.get(path).content == DATA


def test_other_paths_have_no_head(api: Api) -> None:
    answer = api.http.head(f"/v1/files/{a_file(api)}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET")
    posted = api.call("POST", "/files/file-none/content", {})
    assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD")
