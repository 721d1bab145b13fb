"""Options that several verbs share, and the rule that a flag's default is its config field's."""

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from langmodel.configuration import settings, shown_value
from langmodel.text.cleaning import CLEANERS
from langmodel.text.decoding import UTF_8
from langmodel.text.sources import Reading
from langmodel.text.wrapping import WrapWatch

if TYPE_CHECKING:
    _FloatParameter = click.ParamType[float]
    _TextParameter = click.ParamType[str]
    _TupleParameter = click.ParamType[tuple[Any, ...]]
else:
    _FloatParameter = _TextParameter = _TupleParameter = (
        click.ParamType
    )  # older versions of click cannot be subscripted

F = TypeVar("F", bound=Callable[..., Any])

MAX_THREADS = 512
"""OpenMP takes stack for every thread that is asked for, and ends the process when there is none left."""


class _Finite(_FloatParameter):
    """A finite number."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(click.FLOAT.convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


FINITE = _Finite()


class Choice(_TextParameter):
    """One of several names; a mistyped one is answered with the nearest."""

    name = "choice"

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"[{'|'.join(self.names)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.names:
            self.fail(
                f"{value!r} is not one of {', '.join(self.names)}{did_you_mean(value, self.names)}",
                param,
                ctx,
            )
        return str(value)


class Several(_TupleParameter):
    """One value of a kind, or several with commas between."""

    def __init__(self, kind: type, called: str, choices: tuple[str, ...] = ()) -> None:
        self.kind = kind
        self.called = called
        names = "|".join(choices) or kind.__name__
        self.name = f"{names}[,...]"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str | None:
        return self.name if "|" in self.name else None

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...]:
        try:
            return tuple(self.kind(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not {self.called}, nor several separated by commas", param, ctx)


CALLED = {int: "a whole number", float: "a number", str: "a name"}


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """A question to put at the end of a message; empty where nothing is near."""
    near = get_close_matches(str(word), names, n=1)
    return f". Did you mean {near[0]}?" if near else ""


def reading_options(command: F) -> F:
    """How the files of a source are read."""
    for option in reversed(
        (
            click.option("--column", help="Column of a .csv or .tsv that holds the text.  [default: text]"),
            click.option("--field", help="Field of a .jsonl that holds the text.  [default: text]"),
            click.option("--encoding", metavar="NAME", help="Of the text, e.g. cp1252.  [default: utf-8]"),
            click.option(
                "--clean",
                type=Choice(CLEANERS),
                help="gutenberg: drop Project Gutenberg's licence, _italics_ and [Illustration].",
            ),
        )
    ):
        command = option(command)
    return command


def reading_of(
    column: str | None = None, field: str | None = None, encoding: str | None = None, clean: str | None = None
) -> Reading:
    """The options of `reading_options`, put together."""
    return Reading(column=column, field=field, encoding=encoding or UTF_8, clean=clean)


model_argument = click.argument("model", type=click.Path(path_type=Path))

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda|cuda:N|mps",
    help="Where the network runs.",
)

network_only_option = click.option(
    "--network-only", is_flag=True, help="Leave out the n-grams that the model has beside its network."
)

threads_option = click.option(
    "--threads",
    type=click.IntRange(1, MAX_THREADS),
    help="CPU threads.  [default: OMP_NUM_THREADS, or all usable cores]",
)


def warned_if_wrapped(lines: Iterable[str], sentences: str) -> Iterator[str]:
    """The lines; where each is taken for a sentence and they look wrapped, one warning on standard error."""
    if sentences != "line":
        yield from lines
        return
    watch, has_warned = WrapWatch(), False
    for line in lines:
        watch.look(line)
        if not has_warned and watch.looks_wrapped:
            has_warned = True
            print(
                "WARNING: the lines look wrapped, and each is taken for a sentence; add --sentences punkt",
                file=sys.stderr,
            )
        yield line


def setting(config: type, flag: str, help: str, **parameters: Any) -> Callable[[F], F]:
    """An option for the config field that `flag` names.

    The option's own default is None, which means "not given"; the help shows the field's.
    """
    name = flag.split("/")[0].removeprefix("--").replace("-", "_")
    field = next(field for field in fields(config) if field.name == name)
    if "type" not in parameters and isinstance(field.type, type) and field.type is not bool:
        parameters["type"] = field.type
    shown = parameters.pop("shown_default", None) or shown_value(field.default)
    return click.option(flag, name, default=None, help=f"{help}  [default: {shown}]", **parameters)


def settings_options(config: type, **types: Any) -> Callable[[F], F]:
    """An option for every field that carries its help (`configuration.setting`); `types` stand in for the
    fields' own.
    """

    def add(command: F) -> F:
        for name, field in reversed(settings(config).items()):
            limits, flag = field.metadata["limits"], f"--{name.replace('_', '-')}"
            parameters: dict[str, Any] = {}
            if name in types:
                parameters["type"] = types[name]
            elif field.type is bool:
                flag = f"{flag}/--{field.metadata['off'] or f'no-{flag[2:]}'}"
            elif isinstance(field.default, tuple):
                kind = get_args(field.type)[0]
                parameters["type"] = Several(kind, CALLED[kind], limits.choices)
            elif limits.choices:
                parameters["type"] = Choice(limits.choices)
            command = setting(config, flag, field.metadata["about"], **parameters)(command)
        return command

    return add


def labelled_options(command: F) -> F:
    """How the files of texts with labels are read."""
    for option in reversed(
        (
            click.option("--column", default="text", show_default=True, help="Column or field of the text."),
            click.option(
                "--label-column", default="label", show_default=True, help="Column or field of the label."
            ),
            click.option(
                "--encoding", default=UTF_8, show_default=True, metavar="NAME", help="Of the files."
            ),
        )
    ):
        command = option(command)
    return command


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Only the options that were given."""
    return {name: value for name, value in values.items() if value is not None}
