"""Turns whatever goes wrong at an endpoint into a `ModelError` that a person understands.

Every message names the host, says what happened and what to do. It never holds
a key, also where the upstream repeats one. What may be tried again is decided
here too; how often and when is up to `chat.py`.
"""

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import msgspec

from weft.llm.endpoint import Endpoint
from weft.llm.model import ErrorCode, ModelError

LONGEST_WAIT_S = 60.0
SHOWN = 500  # characters of the upstream's own words

_CONTEXT = re.compile(
    r"context.?(length|window|size)|maximum context|max_model_len|n_ctx|num_ctx|token limit"
    r"|too many tokens|(prompt|input|request) is too (long|large)|reduce the length",
    re.IGNORECASE,
)
_SECONDS = re.compile(r"\d+(\.\d+)?")
_NO_MONEY = ("insufficient_quota", "billing_hard_limit_reached", "insufficient_balance")
_TRY_AGAIN = "Try again later."


class Fault(Exception):
    """A failed attempt: what to tell, and whether and when another attempt makes sense."""

    def __init__(
        self,
        error: ModelError,
        *,
        retry: bool = False,
        wait_s: float | None = None,
        words: str = "",
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.retry = retry
        self.wait_s = wait_s  # as the server asks; None: as we like
        self.words = words  # the upstream's own, if it refused what was asked


class Said(msgspec.Struct):
    """An error in the upstream's own words."""

    message: str
    code: str = ""

    @classmethod
    def of(cls, error: Any) -> "Said":
        """Read an error object, whichever of the usual shapes it has."""
        if isinstance(error, dict):
            inner = error.get("error")
            if isinstance(inner, dict | str):
                return cls.of(inner)
            words = error.get("message") or error.get("detail") or error.get("error_description")
            codes = [str(error[name]) for name in ("code", "type") if error.get(name) is not None]
            return cls(_plain(words) if words else _plain(error), " ".join(codes))
        return cls(_plain(error))

    @classmethod
    def of_body(cls, body: bytes) -> "Said":
        """Read the body of an error answer: JSON, or whatever it is."""
        try:
            return cls.of(msgspec.json.decode(body))
        except msgspec.DecodeError:
            text = body.decode("utf-8", "replace")
            return cls("" if text.lstrip().startswith("<") else _plain(text))


def _plain(words: Any) -> str:
    """Return words of the upstream on one line."""
    text = words if isinstance(words, str) else msgspec.json.encode(words).decode()
    return " ".join(text.split())


class Blame:
    """Says what went wrong with one model at one endpoint."""

    thing = "chat completion"  # what was asked for

    def __init__(self, endpoint: Endpoint, model: str) -> None:
        url = endpoint.request_url()
        self._host = url.netloc.decode("ascii")
        self._model = model
        self._secrets = endpoint.secrets()
        self._endpoint = endpoint

    def _fault(self, code: ErrorCode, text: str, *, words: str = "", **how: Any) -> Fault:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return Fault(ModelError(code, text), words=words, **how)

    def _quote(self, said: Said) -> str:
        """Return the upstream's words as the end of a sentence."""
        if not said.message:
            return "."
        shown = said.message[:SHOWN] + (" ..." if len(said.message) > SHOWN else "")
        return f": {shown}" + ("" if shown.endswith((".", "!", "?")) else ".")

    # --- no connection ----------------------------------------------------------------------

    def transport(self, fault: Exception) -> Fault:
        """Blame a request that got no answer, or an answer that broke off."""
        if isinstance(fault, httpx2.ConnectTimeout | httpx2.PoolTimeout):
            return self._unreachable(
                f"did not accept a connection within {self._endpoint.connect_timeout_s:g} s"
            )
        if isinstance(fault, httpx2.TimeoutException):
            return self.silence()
        causes = list(_causes(fault))
        if tls := next((c for c in causes if isinstance(c, ssl.SSLError)), None):
            reason = getattr(tls, "verify_message", "") or tls.reason or "no common protocol"
            return self._fault(
                "server_error",
                f"No secure connection to the model server {self._host} is possible: {reason}. "
                "Check its certificate, and whether its url in weft.toml should begin with https.",
            )
        if any(isinstance(c, socket.gaierror) for c in causes):
            return self._unreachable("cannot be found: its name has no address")
        if any(isinstance(c, ConnectionRefusedError) for c in causes):
            return self._unreachable("refused the connection: nothing listens there")
        if isinstance(fault, httpx2.ConnectError):
            return self._unreachable("cannot be reached")
        if isinstance(fault, httpx2.NetworkError | httpx2.RemoteProtocolError):
            return self.cut()
        if isinstance(fault, httpx2.DecodingError):
            return self._unreachable("does not speak HTTP")
        # Not in its own words: they may hold a header, and so a key.
        name = type(fault).__name__
        return self._fault("server_error", f"The request to {self._host} failed: {name}.")

    def _unreachable(self, what: str) -> Fault:
        advice = "Check that it runs and that its url in weft.toml is right."
        if self._host.partition(":")[0] in ("localhost", "127.0.0.1"):
            advice += " (In a container, localhost is the container itself.)"
        text = f"The model server {self._host} {what}. {advice}"
        return self._fault("server_error", text, retry=True)

    # --- an answer that is an error ---------------------------------------------------------

    def status(self, status: int, headers: Mapping[str, str], body: bytes, now: float) -> Fault:
        """Blame an answer whose status is not 200."""
        said = Said.of_body(body)
        if 300 <= status < 400:
            return self._fault(
                "server_error",
                f"The model server {self._host} redirects elsewhere. Put the final address into "
                "url in weft.toml.",
            )
        if status in (401, 403, 404):
            return self._refused(status, said)
        return self._said(status, said, _asked_wait_s(headers, now))

    def _refused(self, status: int, said: Said) -> Fault:
        if status == 401:
            # What it says may hold a part of the key.
            what = "did not accept the API key" if self._endpoint.api_key else "asks for an API key"
            text = f"The model server {self._host} {what} (401). Correct api_key in weft.toml."
        elif status == 403:
            text = (
                f'The model server {self._host} does not allow this key to use "{self._model}" '
                f"(403){self._quote(said)} Check the rights of the key in weft.toml."
            )
        else:
            text = (
                f'The model server {self._host} knows no model "{self._model}", or its url in '
                f"weft.toml is wrong (it mostly ends with /v1) (404){self._quote(said)}"
            )
        return self._fault("server_error", text)

    def in_stream(self, error: Any) -> Fault:
        """Blame an error that came inside an answer."""
        said = Said.of(error)
        code = error.get("code") if isinstance(error, dict) else None
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
        if "rate_limit" in said.code:
            status = 429
        elif "invalid_request" in said.code or "BadRequest" in said.code:
            status = 400
        return self._said(status, said, None)

    def _said(self, status: int, said: Said, wait_s: float | None) -> Fault:
        quote = self._quote(said)
        if status == 413 or _CONTEXT.search(said.message) or "context_length" in said.code:
            return self.too_long(quote)
        if status in (402, 429):
            return self._limited(status, said, wait_s)
        if status in (408, 409) or status >= 500:
            text = f"The model server {self._host} failed ({status}){quote} {_TRY_AGAIN}"
            return self._fault("server_error", text, retry=True, wait_s=wait_s)
        text = f'The model "{self._model}" at {self._host} refused the request ({status}){quote}'
        return self._fault("invalid_prompt", text, words=said.message)

    def too_long(self, quote: str) -> Fault:
        """Blame a prompt that the model cannot take; `quote` ends a sentence."""
        return self._fault(
            "invalid_prompt",
            f'The conversation is too long for the model "{self._model}" at {self._host}{quote}'
            " Use truncation_strategy last_messages, a smaller max_prompt_tokens or a model "
            "with a larger context.",
        )

    def _limited(self, status: int, said: Said, wait_s: float | None) -> Fault:
        quote = self._quote(said)
        if status == 402 or any(name in said.code for name in _NO_MONEY):
            return self._fault(
                "rate_limit_exceeded",
                f"The account at the model server {self._host} has no quota left ({status}){quote} "
                "Check its plan and billing.",
            )
        return self._fault(
            "rate_limit_exceeded",
            f"The model server {self._host} takes no more requests now (429){quote} {_TRY_AGAIN}",
            retry=True,
            wait_s=wait_s,
        )

    # --- an answer that is none -------------------------------------------------------------

    def silence(self) -> Fault:
        """Blame a server that said nothing for too long."""
        return self._fault(
            "server_error",
            f"The model server {self._host} said nothing for {self._endpoint.timeout_s:g} s. If "
            f'"{self._model}" needs longer to think, raise timeout_s in weft.toml.',
        )

    def cut(self) -> Fault:
        """Blame an answer that ended before its end."""
        text = (
            f"The model server {self._host} closed the connection before its answer was complete. "
            f"{_TRY_AGAIN}"
        )
        return self._fault("server_error", text, retry=True)

    def garbage(self, sample: bytes) -> Fault:
        """Blame an answer that cannot be understood."""
        shown = _plain(sample[:100].decode("utf-8", "replace"))
        return self._fault(
            "server_error",
            f"The model server {self._host} sent something that is no {self.thing}: {shown!r}. "
            "Check that its url in weft.toml is an OpenAI-style API (it mostly ends with /v1).",
        )

    def broken_call(self, what: str) -> Fault:
        """Blame a tool call that nobody can carry out."""
        return self._fault(
            "server_error",
            f'The model "{self._model}" at {self._host} {what}. Start the run again, or use a '
            "model that is better at calling functions.",
        )


def _causes(fault: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and all that led to it, also out of groups."""
    while fault is not None:
        yield fault
        if isinstance(fault, BaseExceptionGroup):
            for inner in fault.exceptions:
                yield from _causes(inner)
        fault = fault.__cause__ or fault.__context__


def _asked_wait_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return how long the server asks to wait: Retry-After in seconds or as a date."""
    asked = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(asked):
        wait_s = float(asked)
    else:
        try:
            wait_s = parsedate_to_datetime(asked).timestamp() - now
        except ValueError:
            return None
    return min(max(wait_s, 0.0), LONGEST_WAIT_S)
