"""Models, as clients list them."""

from typing import Literal

from weft.wire.shapes import Response


class Model(Response):
    """A model that runs can name."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "weft"


class ListModelsResponse(Response, kw_only=True):
    """Every configured model."""

    object: Literal["list"] = "list"
    data: list[Model]
