"""Finds the model for a name: the first endpoint whose pattern fits, or the demo."""

import json
from collections.abc import Sequence

from weft.llm.chat import ChatModel
from weft.llm.demo import NAME as DEMO
from weft.llm.demo import DemoModel
from weft.llm.endpoint import Endpoint
from weft.llm.model import Model, ModelError

__all__ = ["Catalog", "Endpoint"]

_WILDCARDS = frozenset("*?[")


class Catalog:
    """The models of this server. Raises: ModelError, if an endpoint cannot be used."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._models: list[tuple[Endpoint, Model]] = [
            (endpoint, ChatModel(endpoint)) for endpoint in endpoints
        ]
        self._demo = DemoModel()

    def find(self, model: str) -> Model:
        """Return who answers for a model of this name.

        Raises: ModelError, which says what to configure.
        """
        if model == DEMO:
            return self._demo
        for endpoint, found in self._models:
            if endpoint.serves(model):
                return found
        raise ModelError("server_error", _advice(model))

    def names(self) -> list[str]:
        """Return the names that are configured one by one, and the demo's."""
        exact = [e.match for e, _ in self._models if not _WILDCARDS.intersection(e.match)]
        return list(dict.fromkeys([*exact, DEMO]))

    async def close(self) -> None:
        """Let go of all connections."""
        for _, model in self._models:
            await model.close()


def _advice(model: str) -> str:
    return (
        f"No model endpoint is configured for the model {json.dumps(model)}. Put this into "
        "weft.toml and restart Weft:\n\n"
        f'[[models]]\nmatch = {json.dumps(model)}\nurl = "https://api.openai.com/v1"  '
        "# or any OpenAI-compatible server\n"
        'api_key = "..."\n\n'
        f'To try Weft without a model, use the built-in demo "{DEMO}".'
    )
