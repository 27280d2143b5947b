"""The command line. Each command imports what it needs when it runs, so that `--help` is quick."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from weft import __version__

if TYPE_CHECKING:
    from weft.config import Settings

DESCRIPTION = "The Threads API that you host yourself."
EPILOG = """\
examples:
  weft serve                             data in ./weft-data, http://127.0.0.1:8000/v1
  weft serve --port 9000 --data-dir /srv/weft
  weft worker --database-url postgresql://weft@db/weft
  weft keys create --project shop        prints the key, once
  weft backup weft-2026-11-23.db         while the server runs
  weft chat                              talk to it in the terminal
  weft call create_thread --body '{}'    any operation of the API
  weft help create_thread                what it takes and gives

Settings come from weft.toml in the working directory (or the file named by
WEFT_CONFIG), then from WEFT_HOST, WEFT_PORT, WEFT_DATA_DIR, WEFT_DATABASE_URL,
WEFT_INSECURE, WEFT_MAX_BODY_BYTES and WEFT_LOG_LEVEL, then from the flags. Models, the bytes
of files and vectors have no flag: WEFT_MODEL_URL, WEFT_FILES_URL, WEFT_EMBEDDINGS_URL and more
in docs/start.md. The commands chat and call read WEFT_BASE_URL and WEFT_API_KEY.
"""

LEVELS = ["debug", "info", "warning", "error"]
WORKER = """Drive runs, without listening anywhere. 'weft serve' drives runs too, unless it is
started with --no-worker: start workers of their own when models should not share a process with
requests. Any number may work on one PostgreSQL; when one dies, others take up its runs within ten
seconds. A worker needs the settings of models (WEFT_MODEL_URL or [[models]]), as servers do.
SIGTERM ends it in order: it takes no new run, and has five seconds for those it drives."""

MIGRATE = """Bring the tables up to date. SQLite's are at each start; those of PostgreSQL want this
once for all nodes, by a role that owns the database, ahead of the first node of a new version."""
COPY = """Copy every row from SQLite to PostgreSQL or back, then compare both. Stop the servers
first. The same command goes on where it was interrupted. The bytes of files stay where they are."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 it could not be done, 2 wrong usage."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.command is None:
        parser.print_help()
        return 2
    try:
        status: int = chosen.act(chosen)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Nobody reads on, as in `weft help | head`: what is left must not be written at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except _expected() as fault:
        print(f"weft: {fault}", file=sys.stderr)
        return 1
    return status


def _expected() -> tuple[type[Exception], ...]:
    """Return the errors that are told in one line; anything else is a bug and shows itself."""
    from weft.config import SettingsError
    from weft.domain.errors import WeftError
    from weft.main import CannotStart
    from weft.store.database import Unusable
    from weft.store.folder import FolderHeld
    from weft.store.migrations import MigrationError

    return (SettingsError, CannotStart, FolderHeld, MigrationError, Unusable, WeftError, OSError)


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "weft", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw
    )
    parser.add_argument("--version", action="version", version=f"weft {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("--data-dir", metavar="DIR", help="where everything is kept (./weft-data)")
    folder.add_argument(
        "--database-url", metavar="URL", help="or in PostgreSQL: postgresql://USER:PASSWORD@HOST/DB"
    )

    _add_serving(commands, folder)
    _add_keys(commands, folder)
    _add_care(commands, folder)
    from weft.client import terminal

    terminal.register(commands)
    return parser


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add_serving(commands: _Commands, folder: argparse.ArgumentParser) -> None:
    serve = commands.add_parser("serve", parents=[folder], help="run the server")
    serve.add_argument("--host", help="the address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, help="the port (8000); 0 takes a free one")
    serve.add_argument(
        "--insecure",
        action="store_true",
        default=None,
        help="listen beyond this machine although no API key exists",
    )
    serve.add_argument(
        "--max-body-bytes", type=int, metavar="N", help="the largest request body (33554432)"
    )
    serve.add_argument(
        "--auto-migrate",
        action="store_true",
        default=None,
        help="bring a PostgreSQL database up to date at the start (SQLite always is)",
    )
    serve.add_argument(
        "--no-worker",
        action="store_false",
        dest="worker",
        default=None,
        help="take requests only; 'weft worker' elsewhere drives the runs (PostgreSQL)",
    )
    serve.add_argument("--log-level", choices=LEVELS)
    serve.set_defaults(act=_serve)

    worker = commands.add_parser(
        "worker",
        parents=[folder],
        help="drive runs without serving, beside servers on the same PostgreSQL",
        description=WORKER,
    )
    worker.add_argument("--log-level", choices=LEVELS)
    worker.set_defaults(act=_work)


def _add_keys(commands: _Commands, folder: argparse.ArgumentParser) -> None:
    keys = commands.add_parser("keys", help="create, list and revoke API keys")
    keys.set_defaults(act=lambda _: _help(keys))
    actions = keys.add_subparsers(metavar="ACTION", title="actions")
    create = actions.add_parser("create", parents=[folder], help="make a key and print it, once")
    create.add_argument("--project", default="default", help="whose objects it sees (default)")
    create.add_argument("--name", default="", help="a note for yourself")
    create.set_defaults(act=_create_key)
    listing = actions.add_parser("list", parents=[folder], help="show every key, never its secret")
    listing.set_defaults(act=_list_keys)
    revoke = actions.add_parser("revoke", parents=[folder], help="make a key useless within 5 s")
    revoke.add_argument("id", help="the id that 'weft keys list' shows")
    revoke.set_defaults(act=_revoke_key)


def _add_care(commands: _Commands, folder: argparse.ArgumentParser) -> None:
    """Add what looks after a database."""
    migrate = commands.add_parser(
        "migrate", parents=[folder], help="bring the database up to date", description=MIGRATE
    )
    migrate.set_defaults(act=_migrate)

    backup = commands.add_parser(
        "backup",
        parents=[folder],
        help="copy SQLite's database to a file, and its files beside it (PostgreSQL: pg_dump)",
    )
    backup.add_argument("file", type=Path, help="the file to write; it must not exist yet")
    backup.set_defaults(act=_backup)

    copy = commands.add_parser(
        "copy",
        help="copy everything to another database; goes on where it was interrupted",
        description=COPY,
    )
    copy.add_argument("source", help="sqlite:///FOLDER or postgresql://USER:PASSWORD@HOST/DB")
    copy.add_argument("target", help="the same; an empty database")
    copy.set_defaults(act=_copy)

    doctor = commands.add_parser(
        "doctor", parents=[folder], help="check the disk, the database, the keys and each model"
    )
    doctor.add_argument("--model", metavar="NAME", help="also ask this model")
    doctor.set_defaults(act=_doctor)


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 2


def _settings(chosen: argparse.Namespace) -> "Settings":
    from weft.config import Settings, load

    return load({name: getattr(chosen, name, None) for name in Settings.__struct_fields__})


def _serve(chosen: argparse.Namespace) -> int:
    from weft.main import serve

    return _run(serve, _settings(chosen))


def _work(chosen: argparse.Namespace) -> int:
    from weft.main import work

    return _run(work, _settings(chosen))


def _run(act: "Callable[[Settings], Coroutine[Any, Any, None]]", settings: "Settings") -> int:
    """Run until a signal ends it, with a log on standard error."""
    import asyncio
    import logging

    import uvloop

    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for library in ("uvicorn", "httpx2", "procrastinate"):  # a line for each request is noise
        logging.getLogger(library).setLevel(logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(act(settings))
    return 0


def _migrate(chosen: argparse.Namespace) -> int:
    from weft.main import migrate_database

    done = migrate_database(_settings(chosen))
    print("\n".join(f"applied {name}" for name in done) or "The database is up to date.")
    return 0


def _create_key(chosen: argparse.Namespace) -> int:
    from weft.main import create_key

    key_id, key = create_key(_settings(chosen), chosen.project, chosen.name)
    print(f"{key}\n", flush=True)
    print(
        f"This is the key {key_id} of project '{chosen.project}'. It is shown only now.",
        file=sys.stderr,
    )
    return 0


def _list_keys(chosen: argparse.Namespace) -> int:
    from weft.main import list_keys

    found = list_keys(_settings(chosen))
    if not found:
        print("No key yet: the server is open to this machine only. Make one: weft keys create")
    rows = [("ID", "PROJECT", "KEY", "CREATED", "STATE", "NAME")]
    for key in found:
        state = "active" if key.revoked_at is None else f"revoked {_date(key.revoked_at)}"
        rows.append((key.id, key.project, f"...{key.hint}", _date(key.created_at), state, key.name))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows if found else []:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    return 0


def _revoke_key(chosen: argparse.Namespace) -> int:
    from weft.main import revoke_key

    if not revoke_key(_settings(chosen), chosen.id):
        print(f"weft: there is no active key with id '{chosen.id}'", file=sys.stderr)
        return 1
    print(f"Revoked {chosen.id}; a running server refuses it within 5 seconds.")
    return 0


def _backup(chosen: argparse.Namespace) -> int:
    from weft.main import backup_database

    shown = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal shown
        is_last = done == total
        if sys.stderr.isatty() and (is_last or time.monotonic() - shown > 0.1):
            shown = time.monotonic()
            end = "\n" if is_last else ""
            print(
                f"\r{done * 100 // max(total, 1):3d} % of {total} pages", end=end, file=sys.stderr
            )

    size_bytes, count = backup_database(_settings(chosen), chosen.file, progress)
    print(
        f"Wrote {chosen.file} ({size_bytes:,} bytes), checked. To go back: stop the server, remove "
        "weft.db, weft.db-wal and weft.db-shm from the data folder and put it there as weft.db."
    )
    if count:
        print(
            f"Wrote {chosen.file}.files with the bytes of {count:,} files: put it there as files."
        )
    return 0


def _copy(chosen: argparse.Namespace) -> int:
    from weft.config import load
    from weft.main import copy_database

    shown = 0.0

    def progress(what: str, table: str, done: int, total: int) -> None:
        nonlocal shown
        if sys.stderr.isatty() and (done == total or time.monotonic() - shown > 0.1):
            shown = time.monotonic()
            line = f"{what} {done:,} of {total:,} rows of {table}"
            print(f"\r{line:<70}", end="\n" if done == total else "", file=sys.stderr)

    source, target = (load({"database_url": url}) for url in (chosen.source, chosen.target))
    count = copy_database(source, target, progress)
    print(f"Copied {count:,} rows; both databases were read and are the same, row by row.")
    return 0


def _doctor(chosen: argparse.Namespace) -> int:
    from weft.doctor import Finding, run

    def show(finding: Finding) -> None:
        print(
            f"{'ok  ' if finding.is_well else 'MEND'}  {finding.what}: {finding.says}", flush=True
        )

    return 0 if run(_settings(chosen), chosen.model, show) else 1


def _date(instant: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(instant))
