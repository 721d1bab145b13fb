"""Options that several verbs share, and the rule that a flag's default is its config field's."""

import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    _FloatParameter = click.ParamType[float]
else:
    _FloatParameter = click.ParamType  # older versions of click cannot be subscripted

F = TypeVar("F", bound=Callable[..., Any])

MAX_THREADS = 512
"""OpenMP takes stack for every thread that is asked for, and ends the process when there is none left."""


class _Finite(_FloatParameter):
    """A number that is neither infinite nor no number."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(click.FLOAT.convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


FINITE = _Finite()

model_argument = click.argument("model", type=click.Path(path_type=Path))

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda|cuda:N|mps",
    help="Where the network runs.",
)

threads_option = click.option(
    "--threads",
    type=click.IntRange(1, MAX_THREADS),
    help="CPU threads.  [default: OMP_NUM_THREADS, or all usable cores]",
)


def setting(config: type, flag: str, help: str, **parameters: Any) -> Callable[[F], F]:
    """An option for the config field that `flag` names.

    The option's own default is None, which means "not given"; the help shows the field's.
    """
    name = flag.split("/")[0].removeprefix("--").replace("-", "_")
    field = next(field for field in fields(config) if field.name == name)
    if "type" not in parameters and isinstance(field.type, type) and field.type is not bool:
        parameters["type"] = field.type
    shown = parameters.pop("shown_default", None) or _shown(field.default)
    return click.option(flag, name, default=None, help=f"{help}  [default: {shown}]", **parameters)


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return "none" if default is None else str(default)


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Only the options that were given."""
    return {name: value for name, value in values.items() if value is not None}
