"""kill -9 while files are indexed: they are completed afterwards, each passage once."""

from pathlib import Path
from typing import Any

import pytest

from tests.api.making import everything
from tests.api.storing import a_file, a_store, counts, found, wait_for_index
from tests.crash.stored import check, count, is_swept, rows
from tests.harness import Api, Server, api_of, within

FILES = 4
PARAGRAPHS = 130  # a passage each: more than two slices
STRATEGY: Any = {
    "type": "static",
    "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0},
}
# Passages that are written when the server dies: at once, within a slice, between slices, late.
SOME = (0, 1, 200)
MANY = (0, 1, 64, 65, 128, 192, 256, 257, 320, 390, 450, 500)
PATIENCE_S = 60.0


def said(name: str, number: int) -> str:
    """Return a text of which each paragraph is a passage with a word of its own."""
    return "\n\n".join(
        f"word{name}x{number}x{paragraph} {'Over one thread and under one thread. ' * 9}".strip()
        for paragraph in range(PARAGRAPHS)
    )


def die_while_indexing(folder: Path, written: int) -> tuple[str, list[str]]:
    """Add a store to a folder and kill the server when so many passages are written."""
    with Server(folder) as server, api_of(server) as api:
        before = count(folder, "chunk")
        name = f"{written}"
        files = [a_file(api, said(name, n), f"{name}-{n}.txt") for n in range(FILES)]
        store = a_store(api, *files, chunking_strategy=STRATEGY)
        assert within(PATIENCE_S, lambda: count(folder, "chunk") >= before + written)
        server.kill()
    return store, files


def check_store(api: Api, store: str, files: list[str], name: str) -> None:
    """Every file is completed, and every passage is found once."""
    shown = wait_for_index(api, store)
    assert shown["file_counts"] == counts(completed=FILES)
    listed = everything(api, f"/vector_stores/{store}/files")
    assert shown["usage_bytes"] == sum(file["usage_bytes"] for file in listed)
    for number, file in enumerate(files):
        (content,) = api.ok("GET", f"/vector_stores/{store}/files/{file}/content")["data"]
        assert content["text"].split() == said(name, number).split()
        for paragraph in (0, 63, 64, PARAGRAPHS - 1):
            (result,) = found(api, store, f"word{name}x{number}x{paragraph}")
            assert result["file_id"] == file


def die_and_check(folder: Path, moments: tuple[int, ...]) -> None:
    """Die at each of the moments, in one folder, and look at everything after each."""
    for moments_over, written in enumerate(moments, 1):
        store, files = die_while_indexing(folder, written)
        with Server(folder) as server, api_of(server) as api:
            check_store(api, store, files, str(written))
            assert within(PATIENCE_S, lambda: is_swept(folder))
            assert "Traceback" not in server.log_path.read_text()
        check(folder)
        assert count(folder, "chunk") == moments_over * FILES * PARAGRAPHS


def test_a_kill_while_indexing_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    die_and_check(tmp_path / "data", SOME)


@pytest.mark.full
def test_a_kill_at_any_moment_of_indexing_loses_nothing_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    die_and_check(tmp_path / "data", MANY)


def test_a_store_deleted_before_the_kill_is_gone_with_all_that_was_indexed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Server(folder) as server, api_of(server) as api:
        kept, gone = (a_file(api, said(name, 0), f"{name}.txt") for name in ("kept", "gone"))
        store = a_store(api, kept, gone, chunking_strategy=STRATEGY)
        other = a_store(api, kept, chunking_strategy=STRATEGY)
        assert within(PATIENCE_S, lambda: count(folder, "chunk") > 0)
        api.ok("DELETE", f"/vector_stores/{store}")
        api.ok("DELETE", f"/files/{gone}")
        server.kill()
    with Server(folder) as server, api_of(server) as api:
        assert wait_for_index(api, other)["file_counts"] == counts(completed=1)
        assert within(PATIENCE_S, lambda: is_swept(folder))
        assert api.error("GET", f"/vector_stores/{store}")[0] == 404
    check(folder)
    assert rows(folder, "SELECT DISTINCT file_id FROM chunk_file") == [(kept,)]
    assert count(folder, "chunk") == PARAGRAPHS
    assert count(folder, "blob") == 1
