"""A machine on which docs/deploy.md is followed: a folder that stands for `/`, and real programs.

What is exchanged in the page's commands: paths of the system for those below the folder, the
address of the page's servers for those of the test, and what needs root or a systemd that runs (the
owner of a folder, `runuser`; a start and a stop are done here as the unit says).
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests import postgres
from tests.docs import pages
from tests.programs import program

PAGE = pages.ROOT / "docs" / "deploy.md"
SYSTEM = (
    "/etc/systemd/system",
    "/etc/weft",
    "/opt/weft",
    "/var/lib/weft",
    "/usr/local/bin",
    "/srv",
)
PACKAGES = {
    "curl": "curl",
    "systemctl": "systemd",
    "systemd-analyze": "systemd",
    "useradd": "passwd",
}
COMMAND_S = 400.0
STOP_S = 20.0


def shown(language: str, beginning: str) -> str:
    """Return the block of the page that begins so."""
    (found,) = (
        block.text
        for block in pages.blocks(PAGE)
        if block.language == language and block.text.startswith(beginning)
    )
    return found


def checkout(target: Path) -> Path:
    """Copy the project's files as they are now, and return where they are."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=pages.ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pages.ROOT / name, target / name)
    return target


class Machine:
    """Follows the page. `exchange` holds what of the page stands for something of the test."""

    def __init__(self, folder: Path, exchange: dict[str, str]) -> None:
        self.root = folder / "root"
        for place in (*SYSTEM, "/etc"):
            self.below(place).mkdir(parents=True, exist_ok=True)
        for name in ("passwd", "group"):
            (self.root / "etc" / name).touch()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        self.address = f"http://127.0.0.1:{port}"
        self._exchange = {
            **exchange,
            **{place: str(self.below(place)) for place in SYSTEM},
            "127.0.0.1:8000": f"127.0.0.1:{port}",
            "WEFT_PORT=8000": f"WEFT_PORT={port}",
            "runuser -u weft -- ": "",
            " -o weft -g weft": "",
            "useradd ": f"useradd --prefix {self.root} ",
        }
        self._checkout = checkout(folder / "checkout")
        self._tools = _tools(folder / "tools")
        self._process: subprocess.Popen[bytes] | None = None

    def below(self, place: str) -> Path:
        """Return where a place of the page is."""
        return self.root / place.removeprefix("/")

    def text(self, said: str) -> str:
        """Return a text of the page as it is on this machine."""
        longest_first = sorted(self._exchange, key=len, reverse=True)
        pattern = "|".join(map(re.escape, longest_first))
        return re.sub(pattern, lambda found: self._exchange[found[0]], said)

    def write(self, place: str, said: str, mode: int = 0o644) -> None:
        """Write a file of the page."""
        path = self.below(place)
        path.write_text(self.text(said))
        path.chmod(mode)

    def follow(self, beginning: str) -> str:
        """Run the commands of a block and return what they printed."""
        printed = []
        lines: list[str] = []
        for line in shown("console", beginning).splitlines():
            if line.startswith("systemctl "):
                printed.append(self._run(lines))
                lines = []
                self._systemctl(line.split()[1:])
            else:
                lines.append(line)
        return "".join([*printed, self._run(lines)])

    def _run(self, lines: list[str]) -> str:
        path = f"{self.below('/usr/local/bin')}:{postgres.binaries()}:{self._tools}"
        kept = {name: os.environ[name] for name in os.environ if not name.startswith("WEFT_")}
        done = subprocess.run(
            ["sh", "-eu", "-c", self.text("\n".join(lines))],
            cwd=self._checkout,
            env={**kept, "PATH": f"{path}:{os.environ['PATH']}", **self.database()},
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def database(self) -> dict[str, str]:
        """Return who administers PostgreSQL, as its own commands are told."""
        return {name: value for name, value in self._exchange.items() if name.startswith("PG")}

    def _systemctl(self, arguments: list[str]) -> None:
        if arguments[0] == "stop":
            self.stop()
        elif arguments[0] == "start":
            self.start()
        else:
            assert arguments == ["enable", "--now", "weft.service"]
            enable = [f"{self._tools}/systemctl", f"--root={self.root}", "enable", "weft.service"]
            subprocess.run(enable, check=True, capture_output=True)
            self.start()

    def start(self) -> None:
        """Start what the unit starts."""
        unit = self.below("/etc/systemd/system/weft.service").read_text()
        values = dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))
        settings = shlex.split(Path(values["EnvironmentFile"]).read_text(), comments=True)
        self._process = subprocess.Popen(
            shlex.split(values["ExecStart"]),
            cwd=values["WorkingDirectory"],
            env={"PATH": "/usr/bin:/bin", **dict(part.split("=", 1) for part in settings)},
        )

    def stop(self) -> None:
        """Stop it as systemd does."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(STOP_S) == 0


def _tools(folder: Path) -> Path:
    """Make a folder with every program that the page's commands use."""
    folder.mkdir()
    for name, package in PACKAGES.items():
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec {shlex.join(program(name, package))} "$@"\n')
        path.chmod(0o755)
    return folder
