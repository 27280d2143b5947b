"""Programs that tests start: found on the machine, else fetched from Debian's archive.

What is fetched is unpacked into a folder below the system's one for temporary files and nowhere
else: nothing is installed, no service starts, and nobody has to be root.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SEARCHED = f"{os.environ['PATH']}:/usr/sbin:/sbin"
FETCH_S = 300.0
SHELF = Path(tempfile.gettempdir()) / f"weft-programs-{os.getuid()}"


def program(name: str, package: str) -> list[str]:
    """Return how a command begins that runs a program of a Debian package.

    Raises: RuntimeError, which says what to install, when there is no such program to be had.
    """
    if found := shutil.which(name, path=SEARCHED):
        return [found]
    try:
        root = unpacked(package)
    except (OSError, subprocess.SubprocessError) as fault:
        raise RuntimeError(f"{name} is needed: apt-get install {package}") from fault
    folders = (root / part for part in ("usr/sbin", "usr/bin", "sbin", "bin"))
    found = shutil.which(name, path=":".join(map(str, folders)))
    assert found, f"{package} has no program {name}"
    return ["env", f"LD_LIBRARY_PATH={libraries(root)}", found]


def libraries(place: Path) -> str:
    """Return what LD_LIBRARY_PATH must be for a program that was unpacked in a place."""
    here = os.environ.get("LD_LIBRARY_PATH", "")
    if SHELF not in place.parents:
        return here
    root = SHELF / place.relative_to(SHELF).parts[0]
    folders = {str(path.parent) for path in root.glob("usr/lib/**/lib*.so*")}
    return ":".join([*sorted(folders), *filter(None, [here])])


def unpacked(package: str) -> Path:
    """Return the folder in which a package and what it needs are unpacked.

    Raises: OSError, subprocess.SubprocessError when Debian's archive cannot be reached.
    """
    SHELF.mkdir(mode=0o755, exist_ok=True)
    assert SHELF.stat().st_uid == os.getuid(), f"{SHELF} is another user's"
    with (SHELF / f"{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = SHELF / package
        if not root.exists():
            fetched = SHELF / f"{package}.part"
            shutil.rmtree(fetched, ignore_errors=True)
            _fetch(package, fetched)
            fetched.rename(root)
    return root


def _fetch(package: str, root: Path) -> None:
    archives = root / "archives"
    for folder in (archives / "partial", root / "lists" / "partial"):
        folder.mkdir(parents=True)
    options = [f"Dir::Cache={root}", f"Dir::State::lists={root}/lists", "Debug::NoLocking=true"]
    apt = ["apt-get", "-qq", *(part for option in options for part in ("-o", option))]
    _run(*apt, "update")
    # Also what Debian takes for installed: it was not found.
    install = ["install", "--yes", "--download-only", "--no-install-recommends", "--reinstall"]
    _run(*apt, *install, package)
    for archive in archives.glob("*.deb"):
        _run("dpkg-deb", "--extract", str(archive), str(root))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=FETCH_S)
