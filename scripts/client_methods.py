"""Write the client's typed methods from the contract; with --check only say if they are current.

    python scripts/client_methods.py [--check]

`Client` and `AsyncClient` have a method for each operation, so that editors and type
checkers know every parameter and what comes back. For each there is a folder, with a module
for each tag of the contract and one class that is all of them.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from weft.client.contract import contract
from weft.client.description import TWINS, Operation, Parameter
from weft.wire.form import MEDIA_TYPE
from weft.wire.names import snake
from weft.wire.operations import TABLE

FOLDER = Path(__file__).parents[1] / "src" / "weft" / "client"

HEAD = '''\
"""{title}

Made by scripts/client_methods.py from the contract in src/weft/wire: edit that instead.
"""
# ruff: noqa: N815  # the contract's names; a method may be called by its operation id
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Unpack

    from weft.client.{module} import {kinds}
    from weft.client.setting import Options, PostOptions
{imports}

Json: TypeAlias = Mapping[str, Any]


class {name}:
    """A method for each operation."""

    if TYPE_CHECKING:

        def call(self, operation: str, /, *path: Any, **arguments: Any) -> Any:
            """Call an operation by its id."""

'''

WHOLE = '''\
"""{title}

Made by scripts/client_methods.py from the contract in src/weft/wire: edit that instead.
"""

{imports}


class Methods({names}):
    """A method for each operation."""
'''

DESCRIPTION = contract()
BINARY = {operation.id for operation in TABLE if operation.response is None}
_NAMES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "object": "Json"}


class Writer:
    """Writes the methods of one kind of client, those of one tag."""

    def __init__(self, tag: str, *, is_async: bool) -> None:
        self.tag = tag
        self.is_async = is_async
        self.prefix = "Async" if is_async else ""
        self.used: set[str] = set()

    def text(self) -> str:
        """Return the module."""
        operations = [each for each in DESCRIPTION.operations.values() if self._has(each)]
        lines = [line for each in operations for line in self._method(each)]
        lines += [f"    {name} = {each.name}" for each in operations for name in _aliases(each)]
        body = "\n".join(lines)
        title = f"The typed methods of `{self.prefix}Client`: {self.tag.lower()}."
        kinds = f"{self.prefix}EventStream, {self.prefix}Listing"
        module = "awaiting" if self.is_async else "blocking"
        names = {"module": module, "imports": self._imports(), "name": class_name(self.tag)}
        return HEAD.format(title=title, kinds=kinds, **names) + body

    def _has(self, operation: Operation) -> bool:
        described = DESCRIPTION.document["paths"][operation.path][operation.method.lower()]
        return bool(described["tags"] == [self.tag])

    def _imports(self) -> str:
        modules: dict[str, set[str]] = {}
        for name in self.used:
            modules.setdefault(_structs()[name].__module__, set()).add(name)
        return "\n".join(
            f"    from {module} import {', '.join(sorted(names))}"
            for module, names in sorted(modules.items())
        )

    def _method(self, operation: Operation) -> Iterator[str]:
        first = [f"{each.keyword}: str" for each in _in(operation, "path")]
        named = [*self._body(operation), *map(self._query, _shown(operation))]
        returns = self._returns(operation)
        for variant, kind in self._variants(operation, returns):
            yield "    @overload"
            yield self._signature(operation, first, [*named, variant], kind) + " ..."
        if operation.is_streamed:
            named, returns = (
                [*named, "stream: bool = False"],
                f"{returns} | {self.prefix}EventStream",
            )
        if operation.is_binary:
            named, returns = [*named, "save_to: str | Path | None = None"], f"{returns} | Path"
        yield self._signature(operation, first, named, returns)
        end = "" if operation.text.endswith("?") else "."
        yield f'        """{operation.text}{end}"""'
        names = [*(name.partition(":")[0] for name in named)]
        given = [f'"{operation.id}"', *(each.keyword for each in _in(operation, "path"))]
        given += [*(f"{name}={name}" for name in names), "**options"]
        awaited = "await " if self.is_async and not operation.is_list else ""
        yield f"        return {awaited}self.call({', '.join(given)})"
        yield ""

    def _variants(self, operation: Operation, returns: str) -> list[tuple[str, str]]:
        """Return the parameter that decides what an operation answers with, and with what."""
        if operation.is_streamed:
            stream = f"{self.prefix}EventStream"
            return [("stream: Literal[False] = False", returns), ("stream: Literal[True]", stream)]
        if operation.is_binary:
            return [("save_to: None = None", returns), ("save_to: str | Path", "Path")]
        return []

    def _signature(
        self, operation: Operation, first: list[str], named: list[str], returns: str
    ) -> str:
        star = ["*", *named] if named else []
        options = "PostOptions" if operation.takes_key else "Options"
        given = ", ".join(["self", *first, *star, f"**options: Unpack[{options}]"])
        word = "async def" if self.is_async and not operation.is_list else "def"
        return f"    {word} {operation.name}({given}) -> {returns}:"

    def _body(self, operation: Operation) -> list[str]:
        if operation.body is None:
            return []
        if operation.body.media_type == MEDIA_TYPE:
            return ["body: Json"]  # of a struct the file would be a name
        schema = operation.body.schema
        kinds = [self._struct(part) for part in schema.get("anyOf", [schema])]
        kind = " | ".join([*kinds, "Json"])
        return [f"body: {kind}" if operation.body.is_required else f"body: {kind} | None = None"]

    def _query(self, parameter: Parameter) -> str:
        kind = _annotation(parameter.schema)
        if parameter.is_required:
            return f"{parameter.keyword}: {kind}"
        return f"{parameter.keyword}: {kind} | None = None"

    def _returns(self, operation: Operation) -> str:
        if operation.id in BINARY:
            return "bytes"
        if operation.answer is None or "$ref" not in operation.answer:
            return "dict[str, Any]"
        kind = self._struct(operation.answer)
        if not operation.is_list:
            return kind
        item = DESCRIPTION.follow(operation.answer)["properties"]["data"]["items"]
        return f"{self.prefix}Listing[{self._struct(item)}, {kind}]"

    def _struct(self, schema: dict[str, Any]) -> str:
        reference = schema.get("$ref") or schema["allOf"][0]["$ref"]
        name = str(reference).rpartition("/")[2]
        self.used.add(name)
        return name


def _structs() -> dict[str, type]:
    """Return the structs that methods take and give, by name."""
    found = dict(DESCRIPTION.types)
    for operation in TABLE:
        if operation.body is not None:
            for struct in filter(None, (operation.body.struct, operation.body.restore)):
                found[struct.__name__] = struct
        for field in msgspec.structs.fields(operation.response) if operation.response else ():
            if field.name == "data":
                (item,) = field.type.__args__
                found[item.__name__] = item
    return found


def _in(operation: Operation, place: str) -> list[Parameter]:
    return [each for each in operation.parameters if each.place == place]


def _shown(operation: Operation) -> list[Parameter]:
    """Return the query parameters, without the one that `stream` stands for."""
    is_switch = operation.stream_switch == "query"
    return [each for each in _in(operation, "query") if not (is_switch and each.name == "stream")]


def _aliases(operation: Operation) -> list[str]:
    names = [operation.id]
    if twin := TWINS.get(operation.id):
        names += [snake(twin), twin]
    return [name for name in names if name != operation.name]


def _annotation(schema: dict[str, Any]) -> str:
    found = DESCRIPTION.follow(schema)
    if "enum" in found:
        return f"Literal[{', '.join(map(repr, found['enum']))}]"
    if found.get("type") == "array":
        return f"list[{_annotation(found['items'])}]"
    if isinstance(found.get("additionalProperties"), dict):
        return f"Mapping[str, {_annotation(found['additionalProperties'])}]"
    return _NAMES[found["type"]]


def modules(*, is_async: bool) -> dict[Path, str]:
    """Return the text of each module of one kind of client."""
    folder = FOLDER / ("async_methods" if is_async else "methods")
    tags = [tag["name"] for tag in DESCRIPTION.document["tags"]]
    found = {
        folder / f"{snake(class_name(tag))}.py": Writer(tag, is_async=is_async).text()
        for tag in tags
    }
    imports = [
        f"from weft.client.{folder.name}.{snake(class_name(tag))} import {class_name(tag)}"
        for tag in tags
    ]
    found[folder / "__init__.py"] = WHOLE.format(
        title=f"The typed methods of `{'Async' if is_async else ''}Client`.",
        imports="\n".join(imports),
        names=", ".join(map(class_name, tags)),
    )
    return {path: formatted(text, path) for path, text in found.items()}


def class_name(tag: str) -> str:
    """Return the class that has the operations of a tag."""
    return tag.title().replace(" ", "")


def formatted(text: str, file: Path) -> str:
    """Return Python as ruff writes it."""
    for command in (("check", "--fix-only", "--select", "F401,I001"), ("format",)):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(file), "-"]
        text = subprocess.run(
            ruff, input=text, capture_output=True, text=True, check=True, cwd=FOLDER
        ).stdout
    return text


def main() -> int:
    """Write the modules, or compare them: 1 when one is not current."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if not current")
    chosen = parser.parse_args()
    made = {**modules(is_async=False), **modules(is_async=True)}
    there = {path for name in ("methods", "async_methods") for path in (FOLDER / name).glob("*.py")}
    stale = [path for path in there if path not in made]
    for path, text in made.items():
        if chosen.check:
            stale += [] if path.exists() and path.read_text(encoding="utf-8") == text else [path]
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if not chosen.check:
        for path in stale:
            path.unlink()
        return 0
    for path in stale:
        print(f"{path} is not current. Run: python scripts/client_methods.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
