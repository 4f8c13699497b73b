"""Decode a form-encoded request and hold it against the SDK's own parameter types."""

import functools
import types
import typing
from typing import Any, Union
from urllib.parse import parse_qsl

import typing_extensions
from stripe import _request_options

from sandbox.stripe.errors import Json, Refusal

OPTIONS = frozenset(_request_options.RequestOptions.__annotations__)


def decode_form(text: str) -> Json:
    """Return `a[b][0][c]=d` as nested dictionaries and lists; every leaf is text."""
    root: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, *rest = name.split("[")
        keys = [head, *(part.removesuffix("]") for part in rest)]
        node = root
        for key in keys[:-1]:
            node = node.setdefault(key, {})
            if not isinstance(node, dict):
                raise Refusal(f"Invalid request: {name}", param=name)
        leaf = keys[-1] or str(len(node))
        node[leaf] = value
    return {key: _listed(value) for key, value in root.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_listed(value[key]) for key in sorted(value, key=int)]
    return {key: _listed(item) for key, item in value.items()}


@functools.cache
def fields_of(params_type: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the fields of a TypedDict of the SDK, and which of them are required."""
    # The options' annotations name things of their own module, one of them for type checkers only.
    names = {**vars(_request_options), "StripeContext": object}
    hints = typing_extensions.get_type_hints(params_type, localns=names, include_extras=True)
    required = {name for name in params_type.__required_keys__ if name not in OPTIONS}
    return {name: hint for name, hint in hints.items() if name not in OPTIONS}, frozenset(required)


def check_params(params: Json, params_type: Any, path: str = "") -> Json:
    """Return the parameters with their leaves turned into what the SDK's type says.

    Raises `Refusal` for an unknown key, a missing one, or a value of another type.
    """
    fields, required = fields_of(params_type)
    checked: Json = {}
    for name, value in params.items():
        where = f"{path}[{name}]" if path else name
        if name not in fields:
            raise Refusal(
                f"Received unknown parameter: {where}", code="parameter_unknown", param=where
            )
        checked[name] = _value(value, fields[name], where)
    for name in sorted(required - set(params)):
        where = f"{path}[{name}]" if path else name
        raise Refusal(f"Missing required param: {where}.", code="parameter_missing", param=where)
    return checked


def _value(value: Any, hint: Any, where: str) -> Any:
    hint = _bare(hint)
    origin = typing.get_origin(hint)
    if origin in (Union, types.UnionType):
        return _one_of(value, [_bare(item) for item in typing.get_args(hint)], where)
    if origin is typing.Literal:
        return _literal(value, typing.get_args(hint), where)
    if origin is list:
        if not isinstance(value, list):
            raise _mistyped(where, "array")
        (item,) = typing.get_args(hint)
        return [_value(entry, item, f"{where}[{index}]") for index, entry in enumerate(value)]
    if origin is dict:
        return _mapping(value, where)
    if typing_extensions.is_typeddict(hint):
        if not isinstance(value, dict):
            raise _mistyped(where, "object")
        return check_params(value, hint, where)
    return _leaf(value, hint, where)


def _bare(hint: Any) -> Any:
    while typing.get_origin(hint) in (typing_extensions.NotRequired, typing_extensions.Required):
        (hint,) = typing.get_args(hint)
    return hint


def _one_of(value: Any, hints: list[Any], where: str) -> Any:
    literals = [hint for hint in hints if typing.get_origin(hint) is typing.Literal]
    # The SDK widens an enumeration with `str`; the server does not.
    if any(name for hint in literals for name in typing.get_args(hint)):
        hints = [hint for hint in hints if hint is not str]
    refusals = []
    for hint in hints:
        try:
            return _value(value, hint, where)
        except Refusal as refusal:
            refusals.append(refusal)
    raise next((item for item in refusals if "unknown" in item.message), refusals[0])


def _literal(value: Any, allowed: tuple[Any, ...], where: str) -> Any:
    if value not in allowed:
        names = ", ".join(str(name) for name in allowed)
        raise Refusal(
            f"Invalid {where}: must be one of {names}",
            code="parameter_invalid_string",
            param=where,
        )
    return value


def _mapping(value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _mistyped(where, "object")
    for key, item in value.items():
        if not isinstance(item, str):
            raise _mistyped(f"{where}[{key}]", "string")
    return value


def _leaf(value: Any, hint: Any, where: str) -> Any:
    if not isinstance(value, str):
        raise _mistyped(where, "string")
    if hint is bool:
        if value not in ("true", "false"):
            raise _mistyped(where, "boolean")
        return value == "true"
    if hint is int:
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()):
            raise Refusal(
                f"Invalid integer: {value}", code="parameter_invalid_integer", param=where
            )
        return int(value)
    if hint is str and value == "":
        raise Refusal(
            f"You passed an empty string for '{where}'.",
            code="parameter_invalid_empty",
            param=where,
        )
    return value


def _mistyped(where: str, wanted: str) -> Refusal:
    return Refusal(f"Invalid {wanted}: {where}", code="parameter_invalid_string", param=where)
