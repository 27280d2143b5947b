"""The typed methods of `Client`: models.

Made by scripts/client_methods.py from the contract in src/weft/wire: edit that instead.
"""
# ruff: noqa: N815  # the contract's names; a method may be called by its operation id
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from typing import Unpack

    from weft.client.blocking import Listing
    from weft.client.setting import Options
    from weft.wire.models import ListModelsResponse, Model

Json: TypeAlias = Mapping[str, Any]


class Models:
    """A method for each operation."""

    if TYPE_CHECKING:

        def call(self, operation: str, /, *path: Any, **arguments: Any) -> Any:
            """Call an operation by its id."""

    def list_models(self, **options: Unpack[Options]) -> Listing[Model, ListModelsResponse]:
        """List models."""
        return self.call("listModels", **options)

    def retrieve_model(self, model: str, **options: Unpack[Options]) -> Model:
        """Retrieve a model."""
        return self.call("retrieveModel", model, **options)

    listModels = list_models
    retrieveModel = retrieve_model
