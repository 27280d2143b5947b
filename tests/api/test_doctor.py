"""`weft doctor`."""

import re
from pathlib import Path

import pytest
from openai import OpenAI

from tests import postgres
from tests.harness import Server, weft
from tests.llm.upstream import failing, serving, text
from tests.retrieval.vectors import embeddings


def test_a_healthy_folder_without_a_server_is_well(tmp_path: Path) -> None:
    """Nothing is there yet, and nothing is made."""
    said = weft("doctor", "--data-dir", str(tmp_path / "data"), cwd=tmp_path).stdout
    assert "MEND" not in said
    assert "ok    database: none yet" in said
    assert "ok    model 'weft-demo': answers" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.sqlite
def test_it_looks_beside_a_running_server(tmp_path: Path) -> None:
    """The database is sound and the number of active keys is told."""
    data = tmp_path / "data"
    with Server(data):
        weft("keys", "create", "--data-dir", str(data), cwd=tmp_path)
        said = weft("doctor", "--data-dir", str(data), cwd=tmp_path).stdout
    assert "migrations, sound" in said
    assert "ok    keys: 1 active of 1" in said


def test_a_damaged_database_is_found(tmp_path: Path) -> None:
    """A file that is not a database must be mended, and the exit status says so."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "weft.db").write_bytes(b"this is no database" * 1000)
    said = weft("doctor", "--data-dir", str(data), cwd=tmp_path, status=1).stdout
    assert "MEND  database: " in said


def test_a_model_that_nobody_serves_says_what_to_configure(tmp_path: Path) -> None:
    """The advice is the lines to put into weft.toml."""
    said = weft("doctor", "--model", "gpt-4o", cwd=tmp_path, status=1).stdout
    assert "MEND  model 'gpt-4o': " in said
    assert "[[models]]" in said


def test_an_endpoint_that_refuses_is_named(tmp_path: Path) -> None:
    """A port where nobody listens is told as such."""
    (tmp_path / "weft.toml").write_text(
        '[[models]]\nmatch = "m"\nurl = "http://127.0.0.1:9/v1"\n', encoding="utf-8"
    )
    said = weft("doctor", cwd=tmp_path, status=1).stdout
    assert "MEND  model 'm': " in said
    assert "127.0.0.1:9" in said


def test_every_endpoint_is_asked_and_told_of(tmp_path: Path) -> None:
    """Single models by themselves, one behind a wildcard when it is named."""
    with serving() as upstream:
        (tmp_path / "weft.toml").write_text(
            f'[[models]]\nmatch = "one"\nurl = "{upstream.url}"\n'
            f'[[models]]\nmatch = "other"\nname = "theirs"\nurl = "{upstream.url}"\n'
            f'[[models]]\nmatch = "many-*"\nurl = "{upstream.url}"\n',
            encoding="utf-8",
        )
        upstream.play(text("OK."), failing(401))
        said = weft("doctor", cwd=tmp_path, status=1).stdout
        assert "ok    model 'one': answers, first word after" in said
        assert "MEND  model 'other': " in said
        assert "asks for an API key" in said
        assert f"models 'many-*': {upstream.url}: name a model of it" in said
        upstream.play(text("OK."))
        said = weft("doctor", "--model", "many-7", cwd=tmp_path).stdout
        assert "ok    model 'many-7': answers" in said
        asked = [call.body["model"] for call in upstream.calls]
        assert asked == ["one", "theirs", "many-7", "one", "theirs"]


def test_a_server_with_an_endpoint_that_cannot_be_used_does_not_start(tmp_path: Path) -> None:
    """It says in one line which, and what is wrong with it."""
    (tmp_path / "weft.toml").write_text(
        '[[models]]\nmatch = "m"\nurl = "ftp://example"\n', encoding="utf-8"
    )
    said = weft("serve", "--port", "0", cwd=tmp_path, status=1).stderr
    assert said.startswith("weft: ")
    assert "must begin with http:// or https://" in said
    assert "Traceback" not in said


def test_a_database_on_postgresql_is_looked_at(tmp_path: Path) -> None:
    with postgres.database() as url, postgres.database("template0") as empty:
        weft("keys", "create", "--database-url", url, cwd=tmp_path)
        said = weft("doctor", "--database-url", url, cwd=tmp_path).stdout
        assert "MEND" not in said
        assert re.search(
            r"ok    database: postgresql at 127.0.0.1:\d+.*: version \d\d.*, UTF8", said
        )
        assert "ok    migrations: the tables are up to date" in said
        assert "ok    keys: 1 active of 1" in said
        assert "there and back" in said
        said = weft("doctor", "--database-url", empty, cwd=tmp_path, status=1).stdout
        assert re.search("MEND  migrations: needs 0001_threads, .*: weft migrate", said)
    said = weft("doctor", "--database-url", url, cwd=tmp_path, status=1).stdout
    assert re.search("MEND  database: postgresql at .* cannot be used: .*does not exist", said)


def test_what_copies_a_database_on_postgresql_is_named(tmp_path: Path) -> None:
    url = "postgresql://weft@127.0.0.1/weft"
    done = weft("backup", "copy", "--database-url", url, cwd=tmp_path, status=1)
    assert "pg_dump" in done.stderr


def test_without_an_endpoint_for_embeddings_file_search_goes_by_full_text(tmp_path: Path) -> None:
    """And it says what to write for more."""
    said = weft("doctor", "--data-dir", str(tmp_path / "data"), cwd=tmp_path).stdout
    assert "ok    file search: full text alone" in said
    assert "[embeddings]" in said


def test_with_an_endpoint_for_embeddings_file_search_is_hybrid(tmp_path: Path) -> None:
    """The endpoint is asked, and its dimensions are told."""
    with serving() as upstream:
        upstream.play(embeddings(48))
        (tmp_path / "weft.toml").write_text(
            f'[embeddings]\nurl = "{upstream.url}"\nmodel = "small"\n', encoding="utf-8"
        )
        said = weft("doctor", cwd=tmp_path).stdout
    assert "ok    file search: hybrid: full text and the vectors of small 48" in said


def test_an_endpoint_for_embeddings_that_does_not_answer_must_be_mended(tmp_path: Path) -> None:
    """Searches go on by full text meanwhile."""
    (tmp_path / "weft.toml").write_text(
        '[embeddings]\nurl = "http://127.0.0.1:9/v1"\nmodel = "small"\n', encoding="utf-8"
    )
    said = weft("doctor", cwd=tmp_path, status=1).stdout
    assert "MEND  file search: full text alone" in said
    assert "127.0.0.1:9" in said


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_files_that_were_indexed_without_the_model_are_counted(tmp_path: Path, kind: str) -> None:
    """Also the folder of their bytes is looked at, and left as it was."""
    data = tmp_path / "weft-data"
    if kind == "postgres":
        postgres.claim(data)
    with Server(data) as server:
        with OpenAI(base_url=f"{server.address}/v1", api_key="any") as client:
            store = client.vector_stores.create()
            client.vector_stores.files.upload_and_poll(
                vector_store_id=store.id, file=("dyes.md", b"Madder dyes wool red.")
            )
        before = sorted(path for path in (data / "files").rglob("*") if path.is_file())
        with serving() as upstream:
            upstream.play(embeddings(48))
            (tmp_path / "weft.toml").write_text(
                f'[embeddings]\nurl = "{upstream.url}"\nmodel = "small"\n', encoding="utf-8"
            )
            said = weft("doctor", "--data-dir", str(data), cwd=tmp_path).stdout
    assert "to be put into their stores anew: 1" in said
    assert re.search(f"files: {data}/files.* can be written and read", said)
    assert ("several nodes must share it" in said) == (kind == "postgres")
    assert sorted(path for path in (data / "files").rglob("*") if path.is_file()) == before


def test_a_place_for_files_that_cannot_be_written_to_must_be_mended(tmp_path: Path) -> None:
    """Here something else lies where the folder should be."""
    (tmp_path / "weft-data").mkdir()
    (tmp_path / "weft-data" / "files").write_text("in the way")
    said = weft("doctor", cwd=tmp_path, status=1).stdout
    assert "MEND  files: " in said
