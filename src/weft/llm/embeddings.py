"""Vectors for texts, from any OpenAI-style `/embeddings` endpoint."""

from collections.abc import Sequence

from msgspec import Struct


class EmbeddingEndpoint(Struct, frozen=True, kw_only=True):
    """`[embeddings]` of weft.toml: where and how to ask."""

    url: str  # the base; `/embeddings` is appended
    model: str
    api_key: str | None = None
    dimensions: int | None = None  # asked for only if it is set
    timeout_s: float = 120
    connect_timeout_s: float = 10
    headers: dict[str, str] = {}


class Embedder:
    """Asks the endpoint, in batches; connections are kept. Raises: ModelError if it is unusable."""

    def __init__(self, endpoint: EmbeddingEndpoint) -> None:
        raise NotImplementedError

    @property
    def space(self) -> str:
        """What vectors can be compared with: the model's name, and its dimensions if asked for."""
        raise NotImplementedError

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Return a unit vector for each text: float32, little-endian, all of one length.

        Raises: ModelError.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of the connections."""
        raise NotImplementedError
