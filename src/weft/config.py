"""Settings: the default, then `weft.toml`, then `WEFT_*` in the environment, then the flag.

Nothing else in Weft reads the environment.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

FILE = "weft.toml"
SQLITE = "sqlite:///"
_SCHEMES = (SQLITE, "postgresql://", "postgres://")
PREFIX = "WEFT_"


class ModelEndpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One `[[models]]` of `weft.toml`: who answers for models whose name matches."""

    match: str  # a pattern of model names: "gpt-*", "llama3", "*"
    url: str  # the base; /chat/completions is appended
    api_key: str | None = None
    name: str | None = None  # the endpoint's own name for the model, if it differs
    timeout_s: Annotated[float, Meta(gt=0)] = 120.0  # of silence
    connect_timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    headers: dict[str, str] = {}
    api_version: str | None = None  # Azure


class EmbeddingsEndpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[embeddings]` of `weft.toml`: who makes the vectors that file search compares."""

    url: str  # the base; /embeddings is appended
    model: str
    api_key: str | None = None
    dimensions: Annotated[int, Meta(ge=1, le=16_384)] | None = None  # asked for only if set
    timeout_s: Annotated[float, Meta(gt=0)] = 120.0  # of silence
    connect_timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    headers: dict[str, str] = {}
    api_version: str | None = None  # Azure


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every setting, its unit in its name. `weft.toml` and `WEFT_<NAME>` use the same names."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    data_dir: str = "weft-data"
    database_url: str | None = None  # postgresql://...; else, and for sqlite:///DIR, SQLite
    auto_migrate: bool = False  # PostgreSQL: bring the database up to date at the start
    worker: bool = True  # PostgreSQL: drive runs too, not only take requests
    insecure: bool = False
    max_body_bytes: Annotated[int, Meta(ge=1024)] = 32 * 1024 * 1024
    # Where the bytes of files lie: s3://BUCKET/PREFIX; None: in the data folder.
    files_url: Annotated[str, Meta(pattern="^s3://[^/]+")] | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    # Who answers: the first of `models` whose pattern fits, else the endpoint of model_url.
    models: list[ModelEndpoint] = []
    model_url: str | None = None
    model_api_key: str | None = None
    # None: file search ranks by full text alone.
    embeddings: EmbeddingsEndpoint | None = None
    max_prompt_tokens: Annotated[int, Meta(ge=256)] = 100_000  # what a thread may fill of a prompt
    run_expires_s: Annotated[int, Meta(ge=1)] = 600

    @property
    def endpoints(self) -> list[ModelEndpoint]:
        """Every configured endpoint, in the order in which they are asked."""
        last = []
        if self.model_url is not None:
            last = [ModelEndpoint(match="*", url=self.model_url, api_key=self.model_api_key)]
        return [*self.models, *last]

    @property
    def data_path(self) -> Path:
        """The data folder."""
        if self.database_url is not None and self.database_url.startswith(SQLITE):
            return Path(self.database_url.removeprefix(SQLITE))
        return Path(self.data_dir)

    @property
    def postgres_url(self) -> str | None:
        """Where PostgreSQL is; None for SQLite in the data folder."""
        if self.database_url is None or self.database_url.startswith(SQLITE):
            return None
        return self.database_url


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What a client needs: `WEFT_BASE_URL` and `WEFT_API_KEY`, or a flag."""

    base_url: str | None = None
    api_key: str | None = None


class SettingsError(Exception):
    """A setting that cannot be used; the message names where it stands."""


def load(
    flags: Mapping[str, Any], environment: Mapping[str, str] | None = None, file: Path | None = None
) -> Settings:
    """Return the settings of a process; flags that are None were not given.

    Raises: SettingsError.
    """
    environment = os.environ if environment is None else environment
    chosen = file or Path(environment.get(f"{PREFIX}CONFIG", FILE))
    values: dict[str, Any] = {}
    if chosen.exists():
        try:
            values = tomllib.loads(chosen.read_text(encoding="utf-8"))
            msgspec.convert(values, Settings)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as fault:
            raise SettingsError(f"{chosen}: {fault}") from fault
    elif file is not None or f"{PREFIX}CONFIG" in environment:
        raise SettingsError(f"{chosen}: there is no such file")
    for name in Settings.__struct_fields__:
        if name in ("models", "embeddings"):
            continue  # tables
        text = environment.get(PREFIX + name.upper())
        if text is not None:
            values[name] = text
            try:
                msgspec.convert({name: text}, Settings, strict=False)
            except msgspec.ValidationError as fault:
                raise SettingsError(f"{PREFIX}{name.upper()}={text!r}: {fault}") from fault
    for name in ("url", "model", "api_key", "dimensions"):
        text = environment.get(f"{PREFIX}EMBEDDINGS_{name.upper()}")
        if text is not None:
            values["embeddings"] = {**values.get("embeddings", {}), name: text}
    values.update({name: value for name, value in flags.items() if value is not None})
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as fault:
        raise SettingsError(str(fault)) from fault
    if settings.database_url is not None and not settings.database_url.startswith(_SCHEMES):
        raise SettingsError(
            "database_url is neither postgresql://USER:PASSWORD@HOST/DATABASE nor "
            "sqlite:///FOLDER (which is the same as data_dir = FOLDER)"
        )
    return settings


def load_access(
    flags: Mapping[str, str | None], environment: Mapping[str, str] | None = None
) -> Access:
    """Return whom a command of the client asks, and as whom; flags that are None were not given."""
    environment = os.environ if environment is None else environment
    found = {
        name: flags.get(name) or environment.get(PREFIX + name.upper())
        for name in Access.__struct_fields__
    }
    return Access(**found)
