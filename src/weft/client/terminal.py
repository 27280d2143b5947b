"""The client on the command line: weft call, weft help, weft chat.

What a command needs is imported when it runs, so that `weft --version` stays quick.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.client.blocking import SpecClient
    from weft.client.description import Description, Operation
    from weft.wire.reference import Reference

CALL_EPILOG = """\
examples:
  weft call create_thread --body '{"messages": [{"role": "user", "content": "Hello"}]}'
  weft call list_threads --param limit=5 --param 'metadata[customer]=ada'
  weft call create_run --param thread_id=thread_abc123 --body @run.json --stream
  weft call create_file --body '{"purpose": "assistants"}' --file file=yarns.pdf
  weft call --spec https://example.com/openapi.json --list
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the client's commands to the command line."""
    access = argparse.ArgumentParser(add_help=False)
    access.add_argument("--base-url", metavar="URL", help="the API (http://127.0.0.1:8000/v1)")
    access.add_argument("--api-key", metavar="KEY", help="better in WEFT_API_KEY, which ps hides")
    spec = argparse.ArgumentParser(add_help=False)
    spec.add_argument("--spec", metavar="FILE|URL", help="another API's OpenAPI document")

    call = commands.add_parser(
        "call",
        parents=[access, spec],
        help="call an operation and print its answer",
        epilog=CALL_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    call.add_argument("operation", nargs="?", metavar="OPERATION", help="create_thread ...")
    call.add_argument("--list", action="store_true", help="print every operation")
    call.add_argument("--body", metavar="JSON|@FILE|-", help="the body, or where to read it")
    call.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter; again for each",
    )
    call.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="a file, as a field of the body that is a form; again for each",
    )
    call.add_argument("--output", metavar="PATH", help="write the answer to a file, as it comes")
    call.add_argument("--stream", action="store_true", help="print events as they happen")
    call.set_defaults(act=_call)

    page = commands.add_parser("help", parents=[spec], help="print the reference of an operation")
    page.add_argument("operation", nargs="?", metavar="OPERATION", help="or a path: /v1/threads")
    page.set_defaults(act=_help)

    chat = commands.add_parser("chat", parents=[access], help="talk to an assistant")
    chat.add_argument("--thread", metavar="ID", help="go on with this thread")
    chat.add_argument("--assistant", metavar="ID", help="the assistant that answers")
    chat.add_argument("--model", help="the model that answers (the first one there is)")
    chat.set_defaults(act=_chat)


# --- weft call ----------------------------------------------------------------------------------


def _call(chosen: argparse.Namespace) -> int:
    client = _client(chosen)
    with client:
        if chosen.list:
            return _list(client.description)
        if chosen.operation is None:
            print("weft call: name an operation; --list shows them", file=sys.stderr)
            return 2
        operation = client.description.find(chosen.operation)
        arguments = parameters(operation, chosen.param)
        body = _body(chosen.body)
        stream = chosen.stream
        if isinstance(body, dict) and operation.stream_switch == "body":
            stream = body.pop("stream", None) is True or stream
        if chosen.file:
            body = with_files(operation, body, chosen.file)
        if body is not None:
            arguments["body"] = body
        found = client.call(operation.id, **arguments, stream=stream, save_to=chosen.output)
        if chosen.output is None:
            _print(found, is_stream=stream, is_list=operation.is_list)
    return 0


def _client(chosen: argparse.Namespace) -> "SpecClient":
    """Return a client whose answers are what the server sent, field for field."""
    from weft.client.blocking import SpecClient, fetched
    from weft.client.core import core_of_spec, core_of_weft
    from weft.client.setting import BASE_URL, plain_contract
    from weft.config import load_access

    access = load_access({"base_url": chosen.base_url, "api_key": chosen.api_key})
    if chosen.spec is None:
        url = access.base_url or BASE_URL
        return SpecClient(core_of_weft(url, access.api_key, load=plain_contract))
    return SpecClient(core_of_spec(chosen.spec, fetched, access.base_url, access.api_key))


def _list(description: "Description") -> int:
    operations = list(description.operations.values())
    width = max((len(operation.name) for operation in operations), default=0)
    for operation in operations:
        print(f"{operation.name:{width}}  {operation.method:6}  {operation.path}")
    return 0


def parameters(operation: "Operation", given: list[str]) -> dict[str, Any]:
    """Return parameters by name from texts such as `limit=5` and `metadata[user]=u1`.

    What a schema says decides whether `5` is a number or a text.
    Raises: InvalidRequest.
    """
    from weft.client.errors import InvalidRequest, Problem

    known = {name: each for each in operation.parameters for name in (each.name, each.keyword)}
    found: dict[str, Any] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        head, bracket, inner = name.partition("[")
        parameter = known.get(name) or known.get(head)
        if not equals:
            raise InvalidRequest(operation.name, [Problem(pair, "write it as NAME=VALUE")])
        if parameter is None:
            found[name] = text
        elif bracket and inner not in ("", "]") and parameter.style == "deepObject":
            found.setdefault(parameter.keyword, {})[inner.removesuffix("]")] = text
        elif "array" in (kinds := parameter.schema.get("type", ())):
            item = parameter.schema.get("items", {}).get("type", ())
            found.setdefault(parameter.keyword, []).append(_value(text, item))
        else:
            found[parameter.keyword] = _value(text, kinds)
    return found


def with_files(operation: "Operation", body: Any, given: list[str]) -> dict[str, Any]:
    """Return a form and its files, told by texts such as `file=yarns.pdf`; a name may come again.

    Raises: InvalidRequest, also for an operation whose body has no files.
    """
    from weft.client.errors import InvalidRequest, Problem

    if body is not None and not isinstance(body, dict):
        problem = Problem("body", "a form is an object, so that it can have files")
        raise InvalidRequest(operation.name, [problem])
    known = operation.body.files if operation.body is not None else frozenset()
    found: dict[str, Any] = {}
    for pair in given:
        name, equals, path = pair.partition("=")
        if not equals:
            raise InvalidRequest(operation.name, [Problem(pair, "write it as NAME=PATH")])
        if name not in known:
            there_are = f"files here are: {', '.join(sorted(known)) or 'none'}"
            raise InvalidRequest(operation.name, [Problem(f"body.{name}", there_are)])
        found.setdefault(name, []).append(Path(path.removeprefix("@")))
    files = {name: paths if len(paths) > 1 else paths[0] for name, paths in found.items()}
    return {**(body or {}), **files}


def _value(text: str, kinds: str | list[str]) -> Any:
    """Return a text as a value of the type that a schema has, if it can be one."""
    wanted = {"integer": int, "number": int | float, "boolean": bool, "object": dict}
    for name, kind in wanted.items():
        if name in kinds:
            try:
                value = json.loads(text)
            except ValueError:
                return text
            return value if isinstance(value, kind) else text
    return text


def _body(given: str | None) -> Any:
    """Return the body that a flag holds or names.

    Raises: InvalidRequest for what is not JSON.
    """
    from weft.client.errors import InvalidRequest, Problem

    if given is None:
        return None
    text = given
    if given == "-":
        text = sys.stdin.read()
    elif given.startswith("@"):
        text = Path(given[1:]).read_text(encoding="utf-8")
    try:
        return json.loads(text)
    except ValueError as fault:
        raise InvalidRequest("the call", [Problem("body", f"is not JSON: {fault}")]) from fault


def _print(found: Any, *, is_stream: bool, is_list: bool) -> None:
    if is_stream:
        for event in found:
            print(json.dumps(event._asdict(), ensure_ascii=False), flush=True)
        return
    answer = found.first() if is_list else found
    if isinstance(answer, bytes):
        if sys.stdout.isatty() and b"\0" in answer:
            print(f"weft: {len(answer)} bytes that are no text: say --output PATH", file=sys.stderr)
            return
        sys.stdout.buffer.write(answer)
    elif answer is not None:
        is_text = isinstance(answer, str)
        print(answer if is_text else json.dumps(answer, ensure_ascii=False, indent=2))


# --- weft help ----------------------------------------------------------------------------------


def _help(chosen: argparse.Namespace) -> int:
    from weft.client.errors import BadDescription
    from weft.wire.markup import plain

    description, reference = _reference(chosen.spec)
    if chosen.operation is None:
        print(plain([reference.contents()]), end="")
        print("\nweft help OPERATION says more; weft --help shows the commands.")
        return 0
    if chosen.operation.startswith("/"):
        page = reference.paths().get(chosen.operation)
        if page is None:
            raise BadDescription(f"There is no path '{chosen.operation}'.")
        print(plain(reference.page(chosen.operation)), end="")
        return 0
    wanted = description.find(chosen.operation)
    place = [each.id for each in description.operations.values()].index(wanted.id)
    print(plain(reference.operation_page(reference.operations[place])), end="")
    return 0


def _reference(spec: str | None) -> tuple["Description", "Reference"]:
    from weft.client.blocking import fetched
    from weft.client.setting import contract, read
    from weft.wire.reference import Reference, weft

    if spec is None:
        return contract(), weft()
    description, _ = read(spec, fetched)
    return description, Reference(description.document)


# --- weft chat ----------------------------------------------------------------------------------


def _chat(chosen: argparse.Namespace) -> int:
    from weft.client.blocking import Client
    from weft.client.chat import Chat
    from weft.client.setting import BASE_URL
    from weft.config import load_access

    access = load_access({"base_url": chosen.base_url, "api_key": chosen.api_key})
    with Client(access.base_url or BASE_URL, access.api_key) as client:
        chat = Chat.begin(client, chosen.thread, chosen.assistant, chosen.model)
        return chat.run()
