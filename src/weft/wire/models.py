"""Models, as clients list them."""

from typing import Annotated, Literal

from msgspec import Meta

from weft.wire.shapes import CreatedAt, Response


class Model(Response):
    """A model that runs can name."""

    id: Annotated[str, Meta(description="Its name.")]
    object: Literal["model"] = "model"
    created: CreatedAt = 0
    owned_by: Annotated[str, Meta(description="Who offers it.")] = "weft"


class ListModelsResponse(Response, kw_only=True):
    """Every configured model."""

    object: Literal["list"] = "list"
    data: Annotated[list[Model], Meta(description="The models, in the order of the settings.")]
