"""API keys: made, shown, revoked while the server runs, and kept as hashes only."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.api.conftest import Projects
from tests.api.keys import Key, create_key, list_keys, revoke_key
from tests.api.making import a_thread, everything
from tests.harness import Api, Server, api_of, weft, within

DEAD_AFTER_S = 5.0  # what is promised of a revoked key

NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header "
    "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank "
    "username) if you're accessing the API from your browser and are prompted for a username and "
    "password. You can obtain an API key from https://platform.openai.com/account/api-keys."
)
WRONG_KEY = (
    "Incorrect API key provided: {}. You can find your API key at "
    "https://platform.openai.com/account/api-keys."
)


class Keyed(NamedTuple):
    """A server with one key of the project `shop`, and a client that shows none."""

    server: Server
    api: Api
    key: Key


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    """A server that has had a key from the start."""
    folder = tmp_path_factory.mktemp("keyed") / "data"
    key = create_key(folder, "shop", name="till 1")
    with Server(folder) as server, api_of(server) as api:
        yield Keyed(server, api, key)


@pytest.mark.parametrize(
    "header",
    [
        ("Authorization", "Bearer {}"),
        ("Authorization", "bearer {}"),
        ("Authorization", "BEARER   {}"),
        ("api-key", "{}"),
        ("API-KEY", "{}"),
    ],
)
def test_a_key_is_shown_as_openai_or_as_azure_would(keyed: Keyed, header: tuple[str, str]) -> None:
    name, form = header
    for _ in range(2):
        answer = keyed.api.call("GET", "/threads", headers={name: form.format(keyed.key.key)})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "{}"},
        {"Authorization": "Basic {}"},
        {"Authorization": "Bearer{}"},
        {"api-key": ""},
        {"x-api-key": "{}"},
    ],
)
def test_without_a_key_nobody_comes_in(keyed: Keyed, headers: dict[str, str]) -> None:
    # The key is known by now: no memory of it may let another form in.
    keyed.api.ok("GET", "/threads", headers={"api-key": keyed.key.key})
    shown = {name: form.format(keyed.key.key) for name, form in headers.items()}
    status, error = keyed.api.error("GET", "/threads", headers=shown)
    assert (status, error) == (
        401,
        {"message": NO_KEY, "type": "invalid_request_error", "param": None, "code": None},
    )


@pytest.mark.parametrize(
    ("key", "masked"),
    [
        ("sk-abcdefghijklmnopqrstuvwxyz", "sk-ab***wxyz"),
        ("short", "***"),
        ("twelve chars", "***"),
        ("b\xe4d key of latin letters", "b\xe4d k***ters"),
    ],
)
@pytest.mark.parametrize("header", ["Authorization", "api-key"])
def test_a_wrong_key_is_shown_masked(keyed: Keyed, header: str, key: str, masked: str) -> None:
    shown = (f"Bearer {key}" if header == "Authorization" else key).encode("latin-1")
    answer = keyed.api.http.get("/v1/threads", headers=[(header.encode(), shown)])
    assert answer.status_code == 401
    assert answer.json()["error"] == {
        "message": WRONG_KEY.format(masked),
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }


def test_almost_the_key_is_not_the_key(keyed: Keyed) -> None:
    key = keyed.key.key
    for wrong in (key[:-1], key + "x", key.upper(), key.swapcase(), key[:-1] + "\t" + key[-1]):
        assert keyed.api.call("GET", "/threads", headers={"api-key": wrong}).status_code == 401


def test_a_key_is_asked_for_before_anything_else_is_said(keyed: Keyed) -> None:
    for method, path, raw in (
        ("GET", "/threads/thread_x", None),
        ("GET", "/threads/undefined", None),
        ("POST", "/threads", b"not JSON"),
        ("GET", "/threads?limit=0", None),
        ("DELETE", "/assistants/asst_x", None),
    ):
        assert keyed.api.error(method, path, raw=raw)[0] == 401, (method, path)


def test_health_and_the_contract_need_no_key(keyed: Keyed) -> None:
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert keyed.api.http.get(path).status_code == 200


def test_a_key_is_kept_only_as_a_hash(keyed: Keyed) -> None:
    keyed.api.ok("GET", "/threads", headers={"api-key": keyed.key.key})
    keyed.api.error("GET", "/threads", headers={"api-key": f"{keyed.key.key}x"})
    files = [*keyed.server.data_dir.rglob("*"), keyed.server.log_path]
    secret = keyed.key.key.removeprefix("sk-weft-").encode()
    assert any(b"till 1" in file.read_bytes() for file in files)
    assert not any(secret[:20] in file.read_bytes() for file in files)
    assert secret.decode() not in "".join(list_keys(keyed.server.data_dir))


def test_what_the_server_writes_only_its_owner_can_read(keyed: Keyed) -> None:
    folder = keyed.server.data_dir
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.rglob("*")}
    assert {"weft.db", "weft.db-wal", "weft.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_keys_are_listed_without_their_secret(keyed: Keyed) -> None:
    heading, *lines = list_keys(keyed.server.data_dir)
    assert heading.split() == ["ID", "PROJECT", "KEY", "CREATED", "STATE", "NAME"]
    (line,) = [one for one in lines if keyed.key.id in one]
    assert "shop" in line
    assert f"...{keyed.key.key[-4:]}" in line
    assert "active" in line
    assert "till 1" in line


def test_a_key_lives_and_dies_while_the_server_runs(keyed: Keyed) -> None:
    folder = keyed.server.data_dir
    key = create_key(folder, "shop")
    headers = {"api-key": key.key}
    assert keyed.api.call("GET", "/threads", headers=headers).status_code == 200
    said = revoke_key(folder, key.id)
    assert said == f"Revoked {key.id}; a running server refuses it within 5 seconds.\n"

    def is_dead() -> bool:
        return keyed.api.call("GET", "/threads", headers=headers).status_code == 401

    assert within(DEAD_AFTER_S, is_dead)
    assert any(key.id in line and "revoked" in line for line in list_keys(folder))
    assert revoke_key(folder, key.id, status=1) == (
        f"weft: there is no active key with id '{key.id}'\n"
    )


def test_two_keys_of_a_project_see_the_same(keyed: Keyed) -> None:
    second = {"api-key": create_key(keyed.server.data_dir, "shop").key}
    made = keyed.api.ok("POST", "/threads", {}, headers={"api-key": keyed.key.key})
    assert keyed.api.ok("GET", f"/threads/{made['id']}", headers=second)["id"] == made["id"]


@pytest.mark.parametrize("project", ["", "a b", "a/b", "x" * 65, "ü"])
def test_a_project_must_fit_into_a_path(tmp_path: Path, project: str) -> None:
    done = weft("keys", "create", "--project", project, cwd=tmp_path, status=1)
    assert done.stdout == ""
    assert done.stderr.startswith(f"weft: '{project}' cannot name a project")
    assert len(done.stderr.splitlines()) == 1


def test_no_key_yet_is_said(tmp_path: Path) -> None:
    (line,) = list_keys(tmp_path / "data")
    assert line.startswith("No key yet: the server is open to this machine only.")


# --- from no key to the first --------------------------------------------------------------------


def test_the_first_key_closes_the_door_for_ever_while_the_server_runs(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Server(folder) as server, api_of(server) as api:
        before = a_thread(api)
        key = create_key(folder, "shop")
        # Whatever the server still believes: this key acts for its own project from the start.
        with api_of(server, key=key.key) as shop:
            made = a_thread(shop)
            assert within(DEAD_AFTER_S, lambda: api.call("GET", "/threads").status_code == 401)
            assert [one["id"] for one in everything(shop, "/threads")] == [made]
        default = create_key(folder)
        with api_of(server, key=default.key) as owner:
            assert [one["id"] for one in everything(owner, "/threads")] == [before]
        for one in (key, default):
            revoke_key(folder, one.id)
        shown = {"api-key": default.key}
        assert within(
            DEAD_AFTER_S,
            lambda: api.call("GET", "/threads", headers=shown).status_code == 401,
        )
        assert api.error("GET", "/threads")[0] == 401
    # Nor does it open again with a new process, which may listen on any address now.
    with Server(folder, "--host", "0.0.0.0") as server, api_of(server) as api:
        assert api.error("GET", "/threads")[0] == 401
        assert api.error("GET", "/threads", headers={"api-key": default.key})[0] == 401


def test_with_a_key_any_address_and_any_name_will_do(keyed: Keyed) -> None:
    strange = {
        "Host": "weft.example",
        "Origin": "https://app.example",
        "Sec-Fetch-Site": "cross-site",
        "X-Forwarded-For": "203.0.113.1",
        "api-key": keyed.key.key,
    }
    answer = keyed.api.call("GET", "/threads", headers=strange)
    assert answer.status_code == 200
    assert not any(name.startswith("access-control-") for name in answer.headers)


# --- projects in the path ------------------------------------------------------------------------


def test_the_project_in_the_path_must_be_the_keys(projects: Projects) -> None:
    thread_id = a_thread(projects.one)
    path = f"/threads/{thread_id}"
    known = projects.one.http.get(f"/api/projects/one{path}", params={"api-version": "v1"})
    assert (known.status_code, known.json()["id"]) == (200, thread_id)
    for name in ("other", "nobody", "One", "one%20", "o%6Ee%00"):
        answer = projects.one.http.get(f"/api/projects/{name}{path}")
        assert answer.status_code == 404, name
        assert answer.json()["error"]["message"].startswith("No project found with name '")
    foreign = projects.other.http.get(f"/api/projects/one{path}")
    assert foreign.status_code == 404
    nameless = projects.one.http.get(f"/api/projects/one{path}", headers={"Authorization": ""})
    assert nameless.status_code == 401
