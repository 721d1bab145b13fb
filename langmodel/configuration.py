"""Settings as fields of a dataclass that carry their help, their range and their choices.

One place checks them, and the command line shows them.
"""

import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, get_args, get_origin

from langmodel.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """What a setting may be: a number in a range, or one of several names."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    under: float = math.inf
    choices: tuple[str, ...] = ()
    finite: bool = False

    def allow(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        if not isinstance(value, int | float):
            return True
        if self.finite and math.isinf(value):
            return False
        return self.least <= value <= self.most and self.above < value < self.under  # NaN is in no range

    @property
    def shown(self) -> str:
        """After "must be"."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.least > -math.inf and self.most < math.inf:
            return f"from {_shown(self.least)} to {_shown(self.most)}"
        low = f"at least {_shown(self.least)}" if self.least > -math.inf else ""
        low = f"over {_shown(self.above)}" if self.above > -math.inf else low
        high = f"at most {_shown(self.most)}" if self.most < math.inf else ""
        high = f"under {_shown(self.under)}" if self.under < math.inf else high
        return " and ".join(part for part in (low, high, "finite" if self.finite else "") if part)


def _shown(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


def setting(default: Any, about: str, *, off: str = "", **limits: Any) -> Any:
    """A field with its line of help and its `Limits`; of a tuple, each part has to keep them.

    `off` names the flag that switches a yes-or-no setting off, if it is not `no-` and the name.
    """
    return field(default=default, metadata={"about": about, "off": off, "limits": Limits(**limits)})


def settings(config: Any) -> dict[str, Field[Any]]:
    """The fields of a config that were made by `setting`."""
    return {each.name: each for each in fields(config) if "limits" in each.metadata}


def shown_value(value: Any) -> str:
    """The value of a setting as a person writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def readable(name: str) -> str:
    """As a person writes it: `top-k`, `batch size`."""
    return name.replace("_", "-" if len(name.rpartition("_")[2]) == 1 else " ")


def check_settings(config: Any) -> None:
    """Raises ConfigError for the first setting that is out of its limits, saying what it may be."""
    for name, each in settings(config).items():
        limits: Limits = each.metadata["limits"]
        value = getattr(config, name)
        for part in value if isinstance(value, tuple) else (value,):
            if not limits.allow(part):
                raise ConfigError(f"{readable(name)} must be {limits.shown}, got {part}")


def typed_settings(config: type, data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Values for the fields of `config`, checked by name and type; `learning-rate` may stand for
    `learning_rate`, and one value for a tuple of one. Raises ConfigError, saying `where` it stood.
    """
    known = {each.name: each for each in fields(config)}
    values: dict[str, Any] = {}
    for key, value in data.items():
        name = key.replace("-", "_")
        if name not in known:
            raise ConfigError(f"{where}: unknown setting {key!r}; known: {', '.join(known)}")
        may_be_empty = known[name].default == ()
        values[name] = _typed(known[name].type, value, f"{where}: {key}", may_be_empty=may_be_empty)
    return values


def _typed(kind: Any, value: Any, where: str, *, may_be_empty: bool = False) -> Any:
    if get_origin(kind) is tuple:
        parts: Iterable[Any] = value if isinstance(value, list | tuple) else [value]
        made = tuple(_typed(get_args(kind)[0], part, where) for part in parts)
        if not made and not may_be_empty:
            raise ConfigError(f"{where} is an empty list")
        return made
    allowed = get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if type(value) is int and float in allowed and int not in allowed:
        return float(value)
    if type(value) not in allowed:
        raise ConfigError(f"{where} has the wrong type: {value!r}")
    return value
