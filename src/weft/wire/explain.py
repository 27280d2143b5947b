"""The slow pass: what exactly is wrong with a body that was refused.

It walks the body beside the type that refused it and raises the first fault, in
the words of the real service (`domain.errors`). A body with only faults that
the service forgave, such as `1.0` for an integer, comes back mended.
"""

import re
from collections.abc import Hashable, Iterable, Iterator
from functools import cache
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET
from msgspec import inspect as mi

from weft.domain.errors import BadRequest, shown
from weft.wire.shapes import NO_NEWLINE, Broken

T = TypeVar("T")

LONGEST_NAME = 100  # characters of a field's name that an error repeats

_GOT = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def explain(data: object, struct: type[T], *, lax: bool = False) -> T:
    """Return `data` as a `struct`, mended where that is lawful.

    `lax` is for query strings, where numbers arrive as text.
    Raises: BadRequest for the first thing that is wrong.
    """
    try:
        mended = _Walk(lax).value(data, _described(struct), "")  # type: ignore[arg-type]  # a class is hashable
        return msgspec.convert(mended, struct)
    except msgspec.ValidationError as refusal:
        _raise_rule(refusal)
    except RecursionError:  # a type that may hold itself, such as a filter
        raise BadRequest(
            "Invalid request: it is nested too deeply.", code="invalid_value"
        ) from None


@cache
def _described(struct: Hashable) -> mi.Type:
    return mi.type_info(struct)


def _raise_rule(refusal: msgspec.ValidationError) -> NoReturn:
    """Raise what a struct's own rule said, with the path at which the struct stands."""
    if not isinstance(refusal.__cause__, Broken):
        raise BadRequest(f"Invalid request: {refusal}", code="invalid_value") from refusal
    error = refusal.__cause__.error
    found = re.search(r" - at `\$\.?(.*)`$", str(refusal))
    lead = found.group(1) if found else ""
    if lead and error.param:
        path = f"{lead}.{error.param}"
        text = error.message.replace(f"'{error.param}'", f"'{path}'", 1)
        raise BadRequest(text, param=path, code=error.code)
    raise error


def _join(path: str, name: str) -> str:
    if len(name) > LONGEST_NAME or not name.isprintable():
        name = shown(name, LONGEST_NAME)
    return f"{path}.{name}" if path else name


class _Walk:
    def __init__(self, lax: bool) -> None:
        self._lax = lax

    def value(
        self, data: Any, kind: mi.Type, path: str, extra: dict[str, Any] | None = None
    ) -> Any:
        """Return `data` mended to be of `kind`; raise BadRequest if it cannot be."""
        match kind:
            case mi.Metadata(type=inner, extra=noted):
                return self.value(data, inner, path, {**(extra or {}), **(noted or {})})
            case mi.UnionType(types=types):
                return self._union(data, types, path, extra)
            case mi.StructType():
                return self._struct(data, kind, path)
            case mi.DictType():
                return self._dict(data, kind, path, extra or {})
            case mi.ListType():
                return self._list(data, kind, path)
            case _:
                return self._scalar(data, kind, path, extra or {})

    def _scalar(self, data: Any, kind: mi.Type, path: str, extra: dict[str, Any]) -> Any:
        match kind:
            case mi.StrType():
                return self._string(data, kind, path, extra)
            case mi.IntType():
                return self._integer(data, kind, path)
            case mi.FloatType():
                return self._decimal(data, kind, path)
            case mi.LiteralType():
                return self._literal(data, kind, path, extra)
            case mi.BoolType() if not isinstance(data, bool):
                raise BadRequest.invalid_type(path, _expected([kind]), _got(data))
        return data

    def _literal(self, data: Any, kind: mi.LiteralType, path: str, extra: dict[str, Any]) -> Any:
        if not isinstance(data, str):
            raise BadRequest.invalid_type(path, _expected([kind]), _got(data))
        if data not in kind.values:
            order = extra.get("order", [])
            names = sorted(map(str, kind.values), key=lambda name: [*order, name].index(name))
            if extra.get("in_form"):
                raise BadRequest.not_one_of(path, data, names)
            raise BadRequest.unsupported_value(path, data, names)
        return data

    def _union(
        self, data: Any, types: Iterable[mi.Type], path: str, extra: dict[str, Any] | None
    ) -> Any:
        kinds = list(_alternatives(types))
        fitting = [kind for kind in kinds if _fits(data, kind[0], self._lax)]
        if isinstance(data, dict):
            tagged = [kind for kind, _ in fitting if isinstance(kind, mi.StructType)]
            if len(tagged) > 1:
                return self._tagged(data, tagged, path)
        if not fitting:
            expected = [kind for kind, _ in kinds if not isinstance(kind, mi.NoneType)]
            raise BadRequest.invalid_type(path, _expected(expected), _got(data))
        kind, noted = fitting[0]
        return self.value(data, kind, path, {**(extra or {}), **noted})

    def _tagged(self, data: dict[str, Any], kinds: list[mi.StructType], path: str) -> Any:
        """Choose among structs by the field that names them."""
        field = kinds[0].tag_field or "type"
        where = _join(path, field)
        if field not in data:
            raise BadRequest.missing_parameter(where)
        tag = data[field]
        if not isinstance(tag, str):
            raise BadRequest.invalid_type(where, "a string", _got(tag))
        for kind in kinds:
            if kind.tag == tag:
                return self._struct(data, kind, path)
        raise BadRequest.unsupported_value(where, tag, [str(kind.tag) for kind in kinds])

    def _struct(self, data: Any, kind: mi.StructType, path: str) -> Any:
        if not isinstance(data, dict):
            raise BadRequest.invalid_type(path, "an object", _got(data))
        fields = {field.encode_name: field for field in kind.fields}
        mended = {}
        if kind.tag_field is not None:
            where = _join(path, kind.tag_field)
            if kind.tag_field not in data:
                raise BadRequest.missing_parameter(where)
            if data[kind.tag_field] != kind.tag:
                raise BadRequest.unsupported_value(where, data[kind.tag_field], [str(kind.tag)])
            mended[kind.tag_field] = kind.tag
        for name in data:
            if name not in fields and name != kind.tag_field and kind.forbid_unknown_fields:
                raise BadRequest.unknown_parameter(_join(path, name))
        for name, field in fields.items():
            if name in data:
                noted = {"order": declared_order(kind.cls, field.name)}
                mended[name] = self.value(data[name], field.type, _join(path, name), noted)
            elif field.required:
                raise BadRequest.missing_parameter(_join(path, name))
        return mended

    def _dict(self, data: Any, kind: mi.DictType, path: str, extra: dict[str, Any]) -> Any:
        if not isinstance(data, dict):
            raise BadRequest.invalid_type(path, "an object", _got(data))
        if kind.max_length is not None and len(data) > kind.max_length:
            raise BadRequest.too_many_properties(path, kind.max_length, len(data))
        longest = getattr(_bare(kind.key_type)[0], "max_length", None)
        mended = {}
        for name, value in data.items():
            if longest is not None and len(name) > longest:
                raise BadRequest.property_name_length(path, longest, len(name))
            if extra.get("no_nul"):
                _refuse_nul(name, path)
                if isinstance(value, str):
                    _refuse_nul(value, _join(path, name))
            mended[name] = self.value(value, kind.value_type, _join(path, name))
        return mended

    def _list(self, data: Any, kind: mi.ListType, path: str) -> Any:
        if self._lax and isinstance(data, str):
            data = [data]  # `include=x` is `include[]=x`
        if not isinstance(data, list):
            raise BadRequest.invalid_type(path, _expected([kind]), _got(data))
        if kind.max_length is not None and len(data) > kind.max_length:
            raise BadRequest.array_length(path, "maximum", kind.max_length, len(data))
        if kind.min_length is not None and len(data) < kind.min_length:
            raise BadRequest.array_length(path, "minimum", kind.min_length, len(data))
        return [
            self.value(item, kind.item_type, f"{path}[{index}]") for index, item in enumerate(data)
        ]

    def _string(self, data: Any, kind: mi.StrType, path: str, extra: dict[str, Any]) -> Any:
        if not isinstance(data, str):
            raise BadRequest.invalid_type(path, "a string", _got(data))
        prefix = extra.get("id_prefix")
        if prefix is not None and not data.startswith(prefix):
            raise BadRequest.id_prefix(path, data, prefix)
        if kind.max_length is not None and len(data) > kind.max_length:
            raise BadRequest.string_length(path, "maximum", kind.max_length, len(data))
        if kind.min_length is not None and len(data) < kind.min_length:
            raise BadRequest.string_length(path, "minimum", kind.min_length, len(data))
        if kind.pattern is not None and not re.search(kind.pattern, data):
            raise BadRequest.pattern(path, kind.pattern.removesuffix(NO_NEWLINE))
        return data

    def _integer(self, data: Any, kind: mi.IntType, path: str) -> Any:
        if self._lax and isinstance(data, str) and re.fullmatch(r"[+-]?[0-9]{1,100}", data):
            data = int(data)
        if isinstance(data, float) and data.is_integer() and abs(data) < 2**63:
            data = int(data)
        if isinstance(data, bool) or not isinstance(data, int):
            raise BadRequest.invalid_type(path, "an integer", _got(data))
        _in_range(data, kind, path, "integer")
        if abs(data) >= 2**63:
            limit = 2**63 - 1 if data > 0 else -(2**63)
            raise BadRequest.number_range(
                path, "integer", "maximum" if data > 0 else "minimum", limit, data
            )
        return data

    def _decimal(self, data: Any, kind: mi.FloatType, path: str) -> Any:
        if isinstance(data, bool) or not isinstance(data, int | float):
            raise BadRequest.invalid_type(path, "a decimal number", _got(data))
        _in_range(data, kind, path, "decimal")
        return data


def _in_range(data: float, kind: mi.IntType | mi.FloatType, path: str, word: Any) -> None:
    if kind.le is not None and data > kind.le:
        raise BadRequest.number_range(path, word, "maximum", kind.le, data)
    if kind.ge is not None and data < kind.ge:
        raise BadRequest.number_range(path, word, "minimum", kind.ge, data)


def _refuse_nul(text: str, path: str) -> None:
    if "\0" in text:
        raise BadRequest(
            f"Invalid '{path}': the character U+0000 is not allowed in metadata.",
            param=path,
            code="invalid_value",
        )


def _bare(kind: mi.Type) -> tuple[mi.Type, dict[str, Any]]:
    """Return a type without its notes, and the notes."""
    noted: dict[str, Any] = {}
    while isinstance(kind, mi.Metadata):
        noted.update(kind.extra or {})
        kind = kind.type
    return kind, noted


def _alternatives(types: Iterable[mi.Type]) -> Iterator[tuple[mi.Type, dict[str, Any]]]:
    """Yield what a union takes, without its notes, and the notes; unions within it are opened."""
    for kind in types:
        bare, noted = _bare(kind)
        if isinstance(bare, mi.UnionType):
            yield from _alternatives(bare.types)
        else:
            yield bare, noted


def _fits(data: Any, kind: mi.Type, lax: bool) -> bool:
    """Say whether `data` has the JSON type of `kind`, whatever its value."""
    match kind:
        case mi.NoneType():
            return data is None
        case mi.BoolType():
            return isinstance(data, bool)
        case mi.IntType() | mi.FloatType():
            return (isinstance(data, int | float) and not isinstance(data, bool)) or (
                lax and isinstance(data, str)
            )
        case mi.StrType() | mi.LiteralType():
            return isinstance(data, str)
        case mi.ListType():
            return isinstance(data, list) or (lax and isinstance(data, str))
        case mi.DictType() | mi.StructType():
            return isinstance(data, dict)
        case _:
            return data is not UNSET


@cache
def declared_order(struct: type, name: str) -> list[str]:
    """Return the values of a field's Literal in the order of its declaration (msgspec sorts)."""
    hint = get_type_hints(struct, include_extras=True)[name]
    found: list[str] = []
    waiting = [hint]
    while waiting:
        part = waiting.pop()
        if get_origin(part) is Literal:
            found.extend(get_args(part))
        else:
            waiting.extend(a for a in get_args(part) if get_origin(a) is not None)
    return found


def _expected(kinds: list[mi.Type]) -> str:
    """Return what may stand here, with articles: `one of a string or array of objects`."""
    names = list(dict.fromkeys(_name(kind) for kind in kinds))
    if len(names) == 1:
        return names[0]
    bare = [names[0], *(name.split(" ", 1)[1] for name in names[1:])]
    return f"one of {', '.join(bare[:-1])} or {bare[-1]}"


def _name(kind: mi.Type) -> str:
    match kind:
        case mi.ListType(item_type=item):
            inner, _ = _bare(item)
            of = {
                mi.StructType: "objects",
                mi.UnionType: "objects",
                mi.StrType: "strings",
            }.get(type(inner))
            return f"an array of {of}" if of else "an array"
        case mi.StrType() | mi.LiteralType():
            return "a string"
        case mi.IntType():
            return "an integer"
        case mi.FloatType():
            return "a decimal number"
        case mi.BoolType():
            return "a boolean"
        case _:
            return "an object"


def _got(data: Any) -> str:
    return _GOT.get(type(data), "something else")
