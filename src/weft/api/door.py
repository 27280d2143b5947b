"""The door: who is asking, and for which project.

With keys, a request shows one (`Authorization: Bearer` or `api-key`) and acts
for the key's project. Until the first key is made the server takes everybody
for the project `default`, but only on the loopback, and never a web page: a
page that a person happens to visit can send requests to 127.0.0.1 too.
Once a key has existed, nobody comes in without one again.
"""

import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from weft.domain.errors import Forbidden, NotFound, Unauthenticated, shown
from weft.store import keys
from weft.store.database import Database

DEFAULT_PROJECT = "default"
# How long an answer of the store about keys is believed: a revoked key is dead within 5 s.
BELIEVED_S = 2.0

_OUR_KEYS = keys.PREFIX.encode("ascii")
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_FORWARDING = (
    *(b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"),
    *(b"x-real-ip", b"via"),
)


class Door:
    """Decides about requests by their headers (a mapping of lower-case names)."""

    def __init__(
        self,
        database: Database,
        *,
        is_insecure: bool = False,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`is_insecure` lets any address in without a key, as the operator asked for."""
        self._database = database
        self._is_insecure = is_insecure
        self._now_s = now_s
        # Only keys that were accepted are remembered, so this is no larger than the store.
        self._accepted: dict[bytes, tuple[str, float]] = {}
        self._has_keys = False
        self._keyless_until = 0.0

    async def project_of(self, headers: Mapping[bytes, bytes], named: str | None) -> str:
        """Return the project that a request acts for; `named` is the one in its path.

        Raises: Unauthenticated, Forbidden; NotFound for the path of another project.
        """
        key = _key_of(headers)
        known = self._accepted.get(key)
        if known is not None and known[1] > self._now_s():
            project = known[0]
        elif await self._is_keyless(key):
            self._refuse_web_pages(headers)
            return DEFAULT_PROJECT
        else:
            project = await self._accept(key)
        if named is not None and named != project:
            raise NotFound(f"No project found with name '{shown(named)}'.")
        return project

    async def _accept(self, key: bytes) -> str:
        if not key:
            raise Unauthenticated.no_key()
        text = key.decode("latin-1")
        project = await keys.project_of(self._database, text)
        if project is None:
            self._accepted.pop(key, None)
            raise Unauthenticated.wrong_key(text)
        self._accepted[key] = (project, self._now_s() + BELIEVED_S)
        return project

    async def _is_keyless(self, key: bytes) -> bool:
        if self._has_keys:
            return False
        # The first key may be shown while "there is none" is still believed: it must not act for
        # another project than its own.
        if self._keyless_until < self._now_s() or key.startswith(_OUR_KEYS):
            self._has_keys = await keys.any_exist(self._database)
            self._keyless_until = self._now_s() + BELIEVED_S
        return not self._has_keys

    def _refuse_web_pages(self, headers: Mapping[bytes, bytes]) -> None:
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._is_insecure:
            if _hostname(host) not in _LOCAL_HOSTS:
                raise Forbidden(
                    f"Without an API key this server only answers to localhost, not to '{host}'. "
                    "Create a key with: weft keys create"
                )
            for name in _FORWARDING:
                if name in headers:
                    raise Forbidden(
                        "Without an API key this server does not answer forwarded requests "
                        f"('{name.decode()}' is set). Create a key with: weft keys create"
                    )
        origin = headers.get(b"origin")
        is_foreign = origin is not None and _netloc(origin.decode("latin-1")) != host
        if is_foreign or headers.get(b"sec-fetch-site") in (b"cross-site", b"same-site"):
            raise Forbidden(
                "Without an API key this server does not answer other web pages. "
                "Create a key with: weft keys create"
            )


def _key_of(headers: Mapping[bytes, bytes]) -> bytes:
    """Return the key that a request shows, empty if it shows none."""
    authorization = headers.get(b"authorization")
    if authorization is None:
        return headers.get(b"api-key", b"").strip()
    scheme, _, key = authorization.partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else b""


def _netloc(origin: str) -> str | None:
    """Return the host and port of an Origin header, None when it is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _hostname(host: str) -> str:
    """Return a Host header without its port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
