"""Uploads: parts become one file, in the order given, or nothing is left of them."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.api.making import an_upload, as_wire, send_file
from tests.api.test_files import wait_until_left
from tests.harness import Api, Server, api_of

PARTS = [os.urandom(size) for size in (70_000, 1, 300_000)]
WHOLE = b"".join(PARTS)
MD5 = hashlib.md5(WHOLE, usedforsecurity=False).hexdigest()


def a_part(api: Api, upload_id: str, data: bytes) -> str:
    """Add a part and return its id."""
    answer = send_file(api, data, path=f"/uploads/{upload_id}/parts", field="data")
    assert answer.status_code == 200, answer.text
    made: str = answer.json()["id"]
    return made


def complete(api: Api, upload_id: str, part_ids: list[str], **more: Any) -> Any:
    """Complete an upload."""
    return api.ok("POST", f"/uploads/{upload_id}/complete", {"part_ids": part_ids, **more})


def refused(api: Api, upload_id: str, part_ids: list[str], **more: Any) -> tuple[str, str | None]:
    """Complete an upload that cannot be; return the message and the parameter."""
    body = {"part_ids": part_ids, **more}
    status, error = api.error("POST", f"/uploads/{upload_id}/complete", body)
    assert status == 400
    return error["message"], error["param"]


def test_an_upload_is_described_as_it_was_announced(api: Api) -> None:
    announced = {"filename": "größe.bin", "purpose": "batch", "bytes": 5, "mime_type": "x/y"}
    answer = api.call("POST", "/uploads", announced)
    made = answer.json()
    assert made["id"].startswith("upload_")
    assert answer.content == as_wire(
        {
            "id": made["id"],
            "object": "upload",
            "bytes": 5,
            "created_at": made["created_at"],
            "filename": "größe.bin",
            "purpose": "batch",
            "status": "pending",
            "expires_at": made["created_at"] + 3600,
        }
    )


def test_parts_become_a_file_in_the_order_given(api: Api) -> None:
    upload_id = an_upload(api, len(WHOLE), expires_after={"anchor": "created_at", "seconds": 3600})
    part_ids = [a_part(api, upload_id, data) for data in reversed(PARTS)][::-1]
    done = complete(api, upload_id, part_ids, md5=MD5.upper())
    assert (done["id"], done["status"]) == (upload_id, "completed")
    file = done["file"]
    assert file["created_at"] == done["created_at"]
    assert file["expires_at"] == done["created_at"] + 3600
    assert (file["filename"], file["bytes"], file["purpose"]) == (
        "parts.txt",
        len(WHOLE),
        "assistants",
    )
    assert api.ok("GET", f"/files/{file['id']}") == file
    assert api.call("GET", f"/files/{file['id']}/content").content == WHOLE


def test_a_part_is_described(api: Api) -> None:
    upload_id = an_upload(api)
    made = send_file(api, b"1234", path=f"/uploads/{upload_id}/parts", field="data").json()
    assert made["id"].startswith("part_")
    assert (made["object"], made["upload_id"]) == ("upload.part", upload_id)


def test_parts_may_come_all_at_once_and_not_all_of_them_need_be_used(api: Api) -> None:
    upload_id = an_upload(api, 8 * 1000)
    pieces = [bytes([number]) * 1000 for number in range(10)]
    with ThreadPoolExecutor(10) as threads:
        part_ids = list(threads.map(lambda data: a_part(api, upload_id, data), pieces))
    done = complete(api, upload_id, part_ids[:8])
    content = api.call("GET", f"/files/{done['file']['id']}/content").content
    assert content == b"".join(pieces[:8])


def test_a_file_of_no_parts_is_empty(api: Api) -> None:
    done = complete(api, an_upload(api, 0), [])
    assert api.call("GET", f"/files/{done['file']['id']}/content").content == b""


def test_what_does_not_fit_is_refused_and_the_upload_stays_pending(api: Api) -> None:
    upload_id = an_upload(api, 8)
    one, two = a_part(api, upload_id, b"1234"), a_part(api, upload_id, b"5678")
    foreign = a_part(api, an_upload(api), b"5678")
    message, param = refused(api, upload_id, [one])
    assert "have 4 bytes together, but the upload was announced with 8" in message
    assert param == "part_ids"
    for part_ids, param in (
        ([one, foreign], "part_ids[1]"),
        ([one, one], "part_ids[1]"),
        (["part_none"], "part_ids[0]"),
    ):
        assert refused(api, upload_id, part_ids)[1] == param
    message, param = refused(api, upload_id, [two, one], md5=MD5)
    assert f"md5 is '{MD5}'" in message
    assert param == "md5"
    done = complete(api, upload_id, [two, one])
    assert api.call("GET", f"/files/{done['file']['id']}/content").content == b"56781234"


@pytest.mark.parametrize("end", ["complete", "cancel"])
def test_an_upload_that_has_ended_does_not_change(api: Api, end: str) -> None:
    upload_id = an_upload(api, 4)
    part = a_part(api, upload_id, b"1234")
    body = {"part_ids": [part]} if end == "complete" else None
    status = api.ok("POST", f"/uploads/{upload_id}/{end}", body)["status"]
    for path, again in (("cancel", None), ("complete", {"part_ids": [part]})):
        _, error = api.error("POST", f"/uploads/{upload_id}/{path}", again)
        message = f"Upload {upload_id} has status '{status}': only a pending one changes."
        assert error["message"] == message
    answer = send_file(api, b"x", path=f"/uploads/{upload_id}/parts", field="data")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == message


@pytest.mark.parametrize("path", ["complete", "cancel", "parts"])
def test_an_upload_that_is_not_there_is_not_found(api: Api, path: str) -> None:
    for upload_id, status in (("upload_none", 404), ("file-none", 400)):
        place = f"/uploads/{upload_id}/{path}"
        if path == "parts":
            answer = send_file(api, b"x", path=place, field="data")
        else:
            answer = api.call("POST", place, {"part_ids": []} if path == "complete" else None)
        assert answer.status_code == status
        if status == 404:
            assert answer.json()["error"]["message"] == "No upload found with id 'upload_none'."


def test_of_many_that_complete_at_once_one_succeeds(api: Api) -> None:
    upload_id = an_upload(api, len(WHOLE))
    part_ids = [a_part(api, upload_id, data) for data in PARTS]
    body = {"part_ids": part_ids}

    def act(_: int) -> int:
        return api.call("POST", f"/uploads/{upload_id}/complete", body).status_code

    with ThreadPoolExecutor(8) as threads:
        found = sorted(threads.map(act, range(8)))
    assert found == [200] + [400] * 7


def test_the_same_key_completes_once(api: Api) -> None:
    upload_id = an_upload(api, 4)
    body = {"part_ids": [a_part(api, upload_id, b"1234")]}
    key = {"Idempotency-Key": os.urandom(8).hex()}
    answers = [
        api.call("POST", f"/uploads/{upload_id}/complete", body, headers=key) for _ in range(2)
    ]
    assert answers[0].status_code == 200
    assert answers[0].content == answers[1].content


def test_what_an_upload_leaves_is_one_file_or_nothing(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server, api_of(server) as api:
        kept, cancelled = an_upload(api, 8), an_upload(api, 8)
        for upload_id in (kept, cancelled):
            part_ids = [a_part(api, upload_id, data) for data in (b"1234", upload_id[-4:].encode())]
            if upload_id == kept:
                complete(api, kept, part_ids)
        api.ok("POST", f"/uploads/{cancelled}/cancel")
        wait_until_left(server.data_dir, 1)


def test_a_part_larger_than_64_mb_is_refused(api: Api) -> None:
    path = f"/uploads/{an_upload(api)}/parts"
    answer = send_file(api, b"x" * (64 * 1024 * 1024 + 1), path=path, field="data")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


def test_uploads_and_files_end_by_themselves(tmp_path: Path) -> None:
    """The dates in the database are set back, as if an hour had passed."""
    folder = tmp_path / "data"
    with Server(folder) as server, api_of(server) as api:
        upload_id = an_upload(api, 4)
        a_part(api, upload_id, b"1234")
        expires = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
        form: dict[str, Any] = {"purpose": "batch", **expires}
        file_id = send_file(api, b"12345", **form).json()["id"]
    connection = apsw.Connection(str(folder / "weft.db"))
    connection.execute("UPDATE upload SET expires_at = 1")
    connection.execute("UPDATE file SET expires_at = 1")
    connection.close()
    with Server(folder) as server, api_of(server) as api:
        wait_until_left(folder, 0)
        _, error = api.error("POST", f"/uploads/{upload_id}/complete", {"part_ids": []})
        assert error["message"].startswith(f"Upload {upload_id} has status 'expired'")
        assert api.call("GET", f"/files/{file_id}").status_code == 404
        assert api.ok("GET", "/files")["data"] == []


ANNOUNCED = {"filename": "a", "purpose": "assistants", "bytes": 1, "mime_type": "text/plain"}


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"filename": ""}, "filename", "empty_string"),
        ({"filename": "x" * 256}, "filename", "string_above_max_length"),
        ({"purpose": "evals"}, "purpose", "invalid_value"),
        ({"bytes": -1}, "bytes", "integer_below_min_value"),
        ({"bytes": 8 * 1024**3 + 1}, "bytes", "integer_above_max_value"),
        ({"mime_type": None}, "mime_type", "invalid_type"),
        ({"expires_after": {"anchor": "created_at"}}, "expires_after.seconds", None),
        ({"part_size": 1}, "part_size", "unknown_parameter"),
    ],
)
def test_an_announcement_that_is_not_lawful_is_explained(
    api: Api, change: dict[str, Any], param: str, code: str | None
) -> None:
    status, error = api.error("POST", "/uploads", {**ANNOUNCED, **change})
    assert (status, error["param"]) == (400, param)
    assert error["code"] == (code or "missing_required_parameter")
