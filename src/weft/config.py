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
PREFIX = "WEFT_"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every setting, its unit in its name. `weft.toml` and `WEFT_<NAME>` use the same names."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    data_dir: str = "weft-data"
    insecure: bool = False
    max_body_bytes: Annotated[int, Meta(ge=1024)] = 32 * 1024 * 1024
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def data_path(self) -> Path:
        """The data folder."""
        return Path(self.data_dir)


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
        text = environment.get(PREFIX + name.upper())
        if text is not None:
            values[name] = text
            try:
                msgspec.convert({name: text}, Settings, strict=False)
            except msgspec.ValidationError as fault:
                raise SettingsError(f"{PREFIX}{name.upper()}={text!r}: {fault}") from fault
    values.update({name: value for name, value in flags.items() if value is not None})
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as fault:
        raise SettingsError(str(fault)) from fault
