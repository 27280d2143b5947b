"""A model endpoint as it is configured, and how it may be named to people."""

from fnmatch import fnmatchcase

import httpx2
from msgspec import Struct

from weft.llm.model import ModelError

CHAT = "/chat/completions"
EMBEDDINGS = "/embeddings"
_NO_URL = (
    "its url must begin with http:// or https:// and name a host, for example "
    "https://api.openai.com/v1"
)


class Endpoint(Struct, frozen=True, kw_only=True):
    """One `[[models]]` of weft.toml, or `[embeddings]`: which models, and where and how to ask."""

    match: str  # a pattern of model names: "gpt-4o", "gpt-*", "*"
    url: str  # the base; `path` is appended
    path: str = CHAT
    api_key: str | None = None
    name: str | None = None  # the upstream's name of the model, if it is another
    timeout_s: float = 120  # the longest silence
    connect_timeout_s: float = 10
    headers: dict[str, str] = {}
    api_version: str | None = None  # Azure

    def serves(self, model: str) -> bool:
        """Tell whether a model of this name is asked here."""
        return fnmatchcase(model, self.match)

    def request_url(self) -> httpx2.URL:
        """Return the URL that requests go to.

        Raises: ModelError, if `url` is none.
        """
        try:
            url = httpx2.URL(self.url)
        except httpx2.InvalidURL as fault:
            raise self._unusable(_NO_URL) from fault
        if url.scheme not in ("http", "https") or not url.host:
            raise self._unusable(_NO_URL)
        path = url.path.rstrip("/")
        url = url.copy_with(path=path if path.endswith(self.path) else path + self.path)
        if self.api_version is not None:
            url = url.copy_merge_params({"api-version": self.api_version})
        return url

    def request_headers(self) -> dict[str, str]:
        """Return the headers of every request; configured ones win.

        Raises: ModelError, if they hold what HTTP does not allow.
        """
        ours = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            "Accept-Encoding": "identity",  # a compressor on the way would hold tokens back
            "User-Agent": "weft",
        }
        key = (self.api_key or "").strip()  # a key out of a file often ends with a line end
        if key:
            ours["Authorization"] = f"Bearer {key}"
            if self.api_version is not None:
                ours["api-key"] = key
        theirs = {name.lower() for name in self.headers}
        sent = {name: ours[name] for name in ours if name.lower() not in theirs} | self.headers
        if not all(text.isascii() and text.isprintable() for pair in sent.items() for text in pair):
            raise self._unusable(
                "api_key and headers may only hold characters that HTTP allows in a header"
            )
        return sent

    def secrets(self) -> list[str]:
        """Return what must not be shown to anybody."""
        found = [self.api_key, *self.headers.values(), httpx2.URL(self.url).password]
        # Shorter ones would blacken ordinary words.
        return [secret.strip() for secret in found if secret and len(secret.strip()) >= 6]

    def _unusable(self, why: str) -> ModelError:
        is_chat = self.path == CHAT
        what = f'The model endpoint with match = "{self.match}"' if is_chat else "[embeddings]"
        return ModelError("server_error", f"{what} cannot be used: {why}. Correct it in weft.toml.")
