"""Models: the names that runs can be answered by."""

from weft.api.call import Answer, Call
from weft.domain.errors import NotFound, shown
from weft.wire.models import ListModelsResponse, Model
from weft.wire.shapes import encode


async def list_models(call: Call[None]) -> Answer:
    """Wire: GET /models"""
    return Answer(encode(ListModelsResponse(data=[Model(name) for name in call.rooms.model_names])))


async def retrieve_model(call: Call[None]) -> Answer:
    """Wire: GET /models/{model}"""
    name = call.path["model"]
    if name not in call.rooms.model_names:
        raise NotFound(
            f"The model '{shown(name)}' does not exist", param="model", code="model_not_found"
        )
    return Answer(encode(Model(name)))
