"""Schemathesis over the document that a real server gives: everything it promises is true.

It runs as its own command line, which also tries the document's examples, every boundary of
every schema, and chains of operations. No random seed: each run does the same.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.harness import Server
from tests.property.profiles import FULL
from weft.config import Settings
from weft.main import create_key

EXAMPLES = 5  # random ones for each operation; its boundaries come in addition

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "missing_required_header",
    "use_after_free",
    "ensure_resource_availability",
    # In the place of positive_data_acceptance, which takes every refusal of a lawful request for
    # a fault, also one for what is stored: a key or an id that is taken.
    "lawful_requests_are_accepted",
    # In the place of negative_data_rejection, which knows no file that may hold anything.
    "unlawful_requests_are_refused",
    # Left out: ignored_auth, because the document must allow requests without a key (a server
    # without keys takes them); object_level_authorization, which needs a second identity: the
    # stateful test has two projects; max_response_time: nothing here is timed.
)


class Target(NamedTuple):
    """A server, a key for it, and a folder for schemathesis to work in."""

    server: Server
    key: str
    folder: Path


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """A server of its own: what is stored decides what comes next."""
    settings = Settings(data_dir=str(tmp_path / "data"))
    _, key = create_key(settings, "default", "")
    with Server(tmp_path / "data") as server:
        yield Target(server, key, tmp_path)


def run(target: Target, version: str, examples: int, *, mode: str = "all") -> None:
    """Run schemathesis; it must find nothing, and the server's log must be clean."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--no-color", "run"),
            f"{target.server.address}/openapi.json?version={version}",
            *("--header", f"Authorization: Bearer {target.key}"),
            *("--checks", ",".join(CHECKS)),
            *("--max-examples", str(examples), "--mode", mode),
            "--generation-deterministic",
            *("--warnings", "off", "--suppress-health-check", "all"),
        ],
        capture_output=True,
        text=True,
        cwd=target.folder,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": str(Path(__file__).with_name("schemathesis_checks.py")),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    log = target.server.log_path.read_text()
    assert "Traceback" not in log
    assert " ERROR " not in log


def test_no_request_brings_an_answer_outside_of_the_contract(target: Target) -> None:
    run(target, "3.1", EXAMPLES)


def test_what_the_document_in_openapi_3_0_allows_is_accepted_too(target: Target) -> None:
    run(target, "3.0", EXAMPLES, mode="positive")


@pytest.mark.full
@pytest.mark.parametrize("version", ["3.1", "3.0"])
def test_many_more_requests_stay_within_the_contract(target: Target, version: str) -> None:
    run(target, version, EXAMPLES * FULL)
