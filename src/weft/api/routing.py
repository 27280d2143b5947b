"""From a path to an operation: a tree of the table's segments.

Every API path exists under four prefixes, for the SDKs of OpenAI and of Azure:
`/v1`, `/openai`, `/openai/v1` and `/api/projects/{name}`.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

from weft.domain.errors import MethodNotAllowed, NotFound

T = TypeVar("T")

PROJECT_PREFIX = ["api", "projects"]
# A parameter that takes all that is left of a path: names of models hold slashes.
REST = "model"


class _Node(Generic[T]):
    __slots__ = ("literal", "parameter", "rest", "targets")

    def __init__(self) -> None:
        self.rest: _Node[T] | None = None
        self.literal: dict[str, _Node[T]] = {}
        self.parameter: _Node[T] | None = None
        self.targets: dict[str, tuple[T, tuple[str, ...]]] = {}


class Router(Generic[T]):
    """Finds targets by method and path."""

    def __init__(self, routes: Iterable[tuple[str, str, T]]) -> None:
        """Take (method, path below a prefix, target) for each route."""
        self._root: _Node[T] = _Node()
        for method, path, target in routes:
            node = self._root
            names = []
            for segment in path.strip("/").split("/"):
                if segment.startswith("{"):
                    names.append(segment[1:-1])
                    if names[-1] == REST:
                        node.rest = node.rest or _Node()
                        node = node.rest
                        continue
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                else:
                    node = node.literal.setdefault(segment, _Node())
            node.targets[method] = (target, tuple(names))

    def find(self, method: str, path: str) -> tuple[T, dict[str, str], str | None]:
        """Return the target, the path's parameters, and the project that the path names.

        Raises: NotFound for an unknown path, MethodNotAllowed for a known one.
        """
        segments = path.split("/")[1:] or [path]
        if len(segments) > 1 and segments[-1] == "":
            segments.pop()
        project = None
        if segments[0] == "v1":
            start = 1
        elif segments[0] == "openai":
            start = 2 if segments[1:2] == ["v1"] else 1
        elif segments[:2] == PROJECT_PREFIX and len(segments) > 2:
            start, project = 3, segments[2]
        else:
            raise NotFound.url(method, path)
        node = self._root
        values = []
        for index, segment in enumerate(segments[start:], start):
            if node.rest is not None:
                values.append("/".join(segments[index:]))
                node = node.rest
                break
            below = node.literal.get(segment)
            if below is None:
                below = node.parameter
                values.append(segment)
            if below is None:
                raise NotFound.url(method, path)
            node = below
        found = node.targets.get(method)
        if found is None:
            if not node.targets:
                raise NotFound.url(method, path)
            raise MethodNotAllowed(method, path, sorted(node.targets))
        target, names = found
        return target, dict(zip(names, values, strict=True)), project
