"""Settings and the command line: what wins, and what is said of a mistake."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.harness import Server, api_of, weft
from weft import __version__
from weft.config import SettingsError, load


def limit_of(tmp_path: Path, *flags: str, env: Mapping[str, str] | None = None) -> int:
    """Start a server, ask too much of it, and return the limit that it names."""
    with Server(tmp_path / "data", *flags, env=env) as server, api_of(server) as api:
        status, error = api.error("POST", "/threads", raw=b" " * 10_000)
    assert status == 413
    return int(error["message"].partition("(")[2].partition(" ")[0])


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "weft.toml").write_text("max_body_bytes = 2001\n")
    assert limit_of(tmp_path) == 2001
    env = {"WEFT_MAX_BODY_BYTES": "3001"}
    assert limit_of(tmp_path, env=env) == 3001
    assert limit_of(tmp_path, "--max-body-bytes", "4001", env=env) == 4001


def test_the_file_may_stand_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "weft.toml").write_text("max_body_bytes = 2001\n")
    other = tmp_path / "other.toml"
    other.write_text("max_body_bytes = 5001\n")
    assert limit_of(tmp_path, env={"WEFT_CONFIG": str(other)}) == 5001


def run(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line with settings in the environment."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "weft", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**own, **(env or {})},
        timeout=60,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = 'eighty'", "weft.toml: Expected `int`, got `str` - at `$.port`"),
        ("port = 65536", "weft.toml: Expected `int` <= 65535 - at `$.port`"),
        ("prot = 8000", "weft.toml: Object contains unknown field `prot`"),
        ("max_body_bytes = 0", "weft.toml: Expected `int` >= 1024 - at `$.max_body_bytes`"),
        (
            "[embeddings]\nurl = 'http://a'",
            "weft.toml: Object missing required field `model` - at `$.embeddings`",
        ),
        (
            "embeddings = 'http://a'",
            "weft.toml: Expected `object | null`, got `str` - at `$.embeddings`",
        ),
        ("log_level = 'loud'", "weft.toml: Invalid enum value 'loud' - at `$.log_level`"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "weft.toml").write_text(text, encoding="utf-8")
    for command in (("serve",), ("keys", "list")):
        done = run(*command, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"weft: {said}\n")
    assert not (tmp_path / "weft-data").exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WEFT_PORT", "eighty", "WEFT_PORT='eighty': Expected `int`, got `str` - at `$.port`"),
        ("WEFT_INSECURE", "maybe", "WEFT_INSECURE='maybe': Expected `bool`, got `str`"),
        ("WEFT_CONFIG", "nowhere.toml", "nowhere.toml: there is no such file"),
    ],
)
def test_a_mistake_in_the_environment_is_named_by_its_variable(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    done = run("serve", cwd=tmp_path, env={name: value})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"weft: {said}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--version",), 0),
        (("--help",), 0),
        (("serve", "--help"), 0),
        (("keys", "create", "--help"), 0),
        ((), 2),
        (("keys",), 2),
        (("dance",), 2),
        (("serve", "--port", "eighty"), 2),
        (("serve", "--log-level", "loud"), 2),
        (("serve", "--port", "65536"), 1),
        (("serve", "--max-body-bytes", "1"), 1),
        (("serve", "--host", "no.such.host.invalid"), 1),
        (("serve", "--data-dir", "/dev/null/x"), 1),
        (("serve", "--data-dir", "a file"), 1),
        (("keys", "revoke"), 2),
        (("keys", "revoke", "key_unknown"), 1),
        (("backup", "copy.db"), 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_the_exit_status_says_how_it_went(
    tmp_path: Path, arguments: tuple[str, ...], status: int
) -> None:
    (tmp_path / "a file").touch()
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if status == 1:
        (line,) = done.stderr.splitlines()
        assert line.startswith("weft: ")
        assert done.stdout == ""


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    assert weft("--version", cwd=tmp_path).stdout == f"weft {__version__}\n"


def test_the_help_names_every_command_and_setting(tmp_path: Path) -> None:
    told = weft("--help", cwd=tmp_path).stdout
    for word in ("serve", "keys", "backup", "weft.toml", "WEFT_MAX_BODY_BYTES", "WEFT_CONFIG"):
        assert word in told


@pytest.mark.parametrize(
    "raw", [b"port =", b'{"port": 1}', b"data_dir = 'open", b"data_dir = '\xff'", b"[" * 5000]
)
def test_a_file_that_is_not_toml_is_told_in_a_line(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "weft.toml").write_bytes(raw)
    done = run("keys", "list", cwd=tmp_path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert done.stderr.startswith("weft: weft.toml: ")


def test_a_database_of_another_kind_than_there_is_is_refused(tmp_path: Path) -> None:
    done = run("serve", "--database-url", "mysql://localhost/weft", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("weft: database_url is neither postgresql://USER:PASSWORD@HOST/")
    assert "mysql" not in done.stderr  # a URL may hold a password


def test_a_url_of_sqlite_is_the_data_folder(tmp_path: Path) -> None:
    env = {"WEFT_DATABASE_URL": f"sqlite:///{tmp_path / 'elsewhere'}"}
    assert "No key yet" in run("keys", "list", cwd=tmp_path, env=env).stdout
    assert (tmp_path / "elsewhere" / "weft.db").exists()
    (tmp_path / "weft.toml").write_text("database_url = 'sqlite:///relative'\n")
    assert "No key yet" in run("keys", "list", cwd=tmp_path).stdout
    assert (tmp_path / "relative" / "weft.db").exists()


def test_the_endpoint_for_embeddings_may_stand_in_the_file_the_environment_or_both(
    tmp_path: Path,
) -> None:
    """A key is better kept out of files."""
    environment = {
        "WEFT_EMBEDDINGS_URL": "http://127.0.0.1:1/v1",
        "WEFT_EMBEDDINGS_MODEL": "small",
        "WEFT_EMBEDDINGS_DIMENSIONS": "256",
    }
    found = load({}, environment).embeddings
    assert found is not None
    assert (found.url, found.model, found.dimensions) == ("http://127.0.0.1:1/v1", "small", 256)
    file = tmp_path / "other.toml"
    file.write_text('[embeddings]\nurl = "http://a/v1"\nmodel = "m"\n', encoding="utf-8")
    found = load({}, {"WEFT_EMBEDDINGS_API_KEY": "k"}, file).embeddings
    assert found is not None
    assert (found.url, found.model, found.api_key) == ("http://a/v1", "m", "k")
    with pytest.raises(SettingsError, match="`model`"):
        load({}, {"WEFT_EMBEDDINGS_URL": "http://a/v1"})
