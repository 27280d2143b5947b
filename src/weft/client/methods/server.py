"""The typed methods of `Client`: server.

Made by scripts/client_methods.py from the contract in src/weft/wire: edit that instead.
"""
# ruff: noqa: N815  # the contract's names; a method may be called by its operation id
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from typing import Unpack

    from weft.client.setting import Options
    from weft.wire.openapi import Health

Json: TypeAlias = Mapping[str, Any]


class Server:
    """A method for each operation."""

    if TYPE_CHECKING:

        def call(self, operation: str, /, *path: Any, **arguments: Any) -> Any:
            """Call an operation by its id."""

    def get_health(self, **options: Unpack[Options]) -> Health:
        """Is the process alive?"""
        return self.call("getHealth", **options)

    def get_readiness(self, **options: Unpack[Options]) -> Health:
        """Can it serve?"""
        return self.call("getReadiness", **options)

    def get_open_api(
        self, *, version: Literal["3.0", "3.1"] | None = None, **options: Unpack[Options]
    ) -> dict[str, Any]:
        """Read the contract."""
        return self.call("getOpenApi", version=version, **options)

    getHealth = get_health
    getReadiness = get_readiness
    getOpenApi = get_open_api
