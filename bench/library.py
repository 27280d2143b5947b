"""A library of documents that every machine with Python has: its own documentation strings.

One document for each module of the standard library: what `help()` would say of
the module, its classes and functions, read from the source without running it,
and from the interpreter for what is written in C.
"""

import ast
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

WRITTEN_IN_C = (
    "_bisect _csv _heapq _random _statistics array binascii builtins cmath errno faulthandler "
    "fcntl gc itertools marshal math mmap posix pwd resource select sys syslog termios time "
    "unicodedata zlib"
)
LEFT_OUT = (
    "__phello__ ensurepip idlelib lib2to3 pydoc_data site-packages test tests turtledemo encodings"
)


def documents() -> dict[str, str]:
    """Return the text of each document by the name of its module, in order of the names."""
    found = {name: text for name, text in _of_sources() if len(text) > 200}
    for name in WRITTEN_IN_C.split():
        try:
            module = import_module(name)
        except ImportError:
            continue  # another system
        text = "\n\n".join(_of_module(module))
        found[name] = f"{found[name]}\n\n{text}" if name in found else text
    return dict(sorted(found.items()))


def _of_sources() -> Iterator[tuple[str, str]]:
    root = Path(sysconfig.get_path("stdlib"))
    left_out = set(LEFT_OUT.split())
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        if left_out.intersection(parts):
            continue
        name = ".".join(part for part in parts if part != "__init__")
        try:
            tree = ast.parse(path.read_bytes())
        except SyntaxError:
            continue  # templates
        yield name, "\n\n".join([f"Module {name}", *_of_tree(tree, "")])


def _of_tree(node: ast.AST, within: str) -> Iterator[str]:
    """Yield what is said about a node and all that is in it."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        said = ast.get_docstring(node) or ""
        if isinstance(node, ast.Module):
            yield said
        elif said:
            yield f"{_heading(node, within)}\n{said}"
    for child in ast.iter_child_nodes(node):
        inner = f"{within}{node.name}." if isinstance(node, ast.ClassDef) else within
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _of_tree(child, inner)


def _heading(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, within: str) -> str:
    if isinstance(node, ast.ClassDef):
        return f"class {within}{node.name}"
    return f"{within}{node.name}({ast.unparse(node.args)})"


def _of_module(module: ModuleType) -> Iterator[str]:
    yield f"Module {module.__name__}\n\n{inspect.getdoc(module) or ''}"
    for name, member in sorted(vars(module).items()):
        if name.startswith("_") or isinstance(member, ModuleType):
            continue
        is_class = inspect.isclass(member)
        if not is_class and not callable(member):
            continue
        yield f"{'class ' if is_class else ''}{name}\n{inspect.getdoc(member) or ''}"
        if is_class and not issubclass(member, BaseException):
            for own, inner in sorted(vars(member).items()):
                if not own.startswith("_") and callable(inner):
                    yield f"{name}.{own}\n{inspect.getdoc(inner) or ''}"


if __name__ == "__main__":
    for title, text in documents().items():
        sys.stdout.write(f"===== {title}\n{text}\n")
