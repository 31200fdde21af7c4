"""What every value here has in common: checked when made, changed in one way, written briefly."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, lt=1)]


class Frozen(BaseModel):
    """A value that is checked when made and never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def but(self, **changes: Any) -> Self:
        """Return this value with some fields replaced, checked anew.

        A mapping changes fields inside a field, or layers by their names, of which ``None``
        removes one; a mapping of another ``kind``, or anything else, replaces the field.

        >>> from alexnet.config import LRN
        >>> LRN(alpha=2e-5).but(k=1.0)
        LRN(kind='lrn', size=5, alpha=2e-05, beta=0.75, k=1.0, groups=1)

        Raises:
            ValueError: If a field or layer does not exist or its value breaks a rule;
                `pydantic.ValidationError` is one.
        """
        return type(self).model_validate(_merged(_plain(self), changes))


def _plain(value: Any) -> Any:
    """Return a value as plain data, fields at their defaults included."""
    match value:
        case BaseModel():
            fields = type(value).model_fields
            return {name: _plain(getattr(value, name)) for name in fields}
        case dict():
            return {name: _plain(inside) for name, inside in value.items()}
        case tuple():
            return tuple(map(_plain, value))
        case _:
            return value


def _merged(old: Any, change: Any) -> Any:
    if not isinstance(change, Mapping):
        return change
    match old:
        case {"kind": kind} if change.get("kind", kind) != kind:
            return change
        case {"target": target, "source": _} if change.get("target", target) != target:
            # Another target has other arguments, and its file is found anew.
            kept = {name: one for name, one in old.items() if name not in ("source", "kwargs")}
            return {**kept, **change}
        case dict():
            return old | {name: _merged(old.get(name), new) for name, new in change.items()}
        case ({"name": _}, *_):
            return _layers(old, change)
        case _:
            return change


def _layers(old: Sequence[dict[str, Any]], changes: Mapping[str, Any]) -> list[Any]:
    """Return layers with those named changed, or removed by None."""
    names = [layer["name"] for layer in old]
    if unknown := sorted(changes.keys() - set(names)):
        raise ValueError(f"there is no layer {unknown[0]!r} to change; there are {names}")
    merged = (_merged(layer, changes.get(layer["name"], {})) for layer in old)
    return [layer for layer in merged if layer is not None]


def added_field(default: Any) -> Any:
    """Return a field that older records do not have, and that means ``default`` where absent.

    It is written only where it differs, so that adding one moves the id of no run.
    """
    return Field(default=default, exclude_if=lambda value: value == default)


def canonical(content: Any) -> str:
    """Return JSON that is the same for the same content: sorted, without spaces or NaN."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
