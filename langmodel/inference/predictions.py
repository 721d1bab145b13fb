"""Predictions of SyntaxGym: formulas over the surprisals of regions, true or false of each item.

    [(6;%np_mismatch%) - (6;%np_match%)] > 0 & (*;%a%) < (*;%b%)

`(6;%x%)` is the surprisal of region 6 in condition x, `(*;%x%)` that of all its regions. From the loosest:
| (or), & (and), one of < > =, + and -, *. Brackets of both kinds group (Gauthier et al. 2020).
"""

import math
import re
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from langmodel.errors import InputError
from langmodel.inference.stimuli import ScoredStimulus

TOKEN = re.compile(
    r"\s*(?:\(\s*(?P<region>\d+|\*)\s*;\s*%(?P<condition>[^%]*)%\s*\)"
    r"|(?P<number>\d+(?:\.\d+)?)|(?P<mark>[][()<>=+\-*&|]))"
)

CLOSING = {"(": ")", "[": "]"}

METRICS: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "mean": statistics.fmean,
    "median": statistics.median,
}
"""What is made of the surprisals of a region's words."""

MAX_DEPTH = 50


@dataclass(frozen=True)
class Place:
    """A region of a condition; region None: all of them."""

    region: int | None
    condition: str

    def __str__(self) -> str:
        return f"({'*' if self.region is None else self.region};%{self.condition}%)"


class Values(Protocol):
    def __call__(self, place: Place) -> float: ...


Number = Callable[[Values], float]
Truth = Callable[[Values], bool]


@dataclass(frozen=True)
class Prediction:
    formula: str
    holds: Truth
    places: tuple[Place, ...]
    """All that the formula asks for."""


def parse(formula: str) -> Prediction:
    """Raises InputError, naming the place, for what is no formula."""
    parser = _Parser(formula)
    expression = parser.either()
    parser.expect_end()
    if not isinstance(expression, _Truth):
        raise InputError(f"formula {formula!r:.200}: nothing is compared in it; it needs <, > or =")
    return Prediction(formula, expression.value, tuple(dict.fromkeys(parser.places)))


@dataclass(frozen=True)
class _Truth:
    value: Truth


@dataclass(frozen=True)
class _Number:
    value: Number


class _Parser:
    """Recursive descent, one method for each level of binding."""

    def __init__(self, formula: str) -> None:
        self._formula = formula
        self._at = self._depth = 0
        self.places: list[Place] = []

    def _wrong(self, what: str) -> InputError:
        return InputError(f"formula {self._formula!r:.200}: {what} at character {self._at + 1}")

    def _peek(self) -> str:
        found = TOKEN.match(self._formula, self._at)
        return (found["mark"] or "value") if found else ""

    def _take(self) -> re.Match[str]:
        found = TOKEN.match(self._formula, self._at)
        if found is None:
            raise self._wrong("expected a region, a number or a bracket")
        self._at = found.end()
        return found

    def expect_end(self) -> None:
        if self._formula[self._at :].strip():
            raise self._wrong("not understood")

    def either(self) -> "_Truth | _Number":
        left = self._both()
        while self._peek() == "|":
            self._take()
            left = _or(self._truth(left), self._truth(self._both()))
        return left

    def _both(self) -> "_Truth | _Number":
        left = self._comparison()
        while self._peek() == "&":
            self._take()
            left = _and(self._truth(left), self._truth(self._comparison()))
        return left

    def _comparison(self) -> "_Truth | _Number":
        left = self._sum()
        if (mark := self._peek()) in COMPARISONS:
            self._take()
            return _compared(mark, self._number(left), self._number(self._sum()))
        return left

    def _sum(self) -> "_Truth | _Number":
        left = self._product()
        while (mark := self._peek()) in ("+", "-"):
            self._take()
            left = _calculated(mark, self._number(left), self._number(self._product()))
        return left

    def _product(self) -> "_Truth | _Number":
        left = self._value()
        while self._peek() == "*":
            self._take()
            left = _calculated("*", self._number(left), self._number(self._value()))
        return left

    def _value(self) -> "_Truth | _Number":
        found = self._take()
        if found["region"]:
            region = None if found["region"] == "*" else int(found["region"][:9])
            place = Place(region, found["condition"])
            self.places.append(place)
            return _Number(lambda values: values(place))
        if found["number"]:
            number = float(found["number"])
            return _Number(lambda values: number)
        if found["mark"] == "-":
            return _calculated("-", lambda values: 0.0, self._number(self._value()))
        if found["mark"] not in CLOSING:
            raise self._wrong(f"{found['mark']!r} where a value is expected")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._wrong(f"over {MAX_DEPTH} brackets inside each other")
        inside = self.either()
        if self._take()["mark"] != CLOSING[found["mark"]]:
            raise self._wrong(f"{CLOSING[found['mark']]!r} is missing")
        self._depth -= 1
        return inside

    def _truth(self, found: "_Truth | _Number") -> Truth:
        if not isinstance(found, _Truth):
            raise self._wrong("a number where a comparison is expected")
        return found.value

    def _number(self, found: "_Truth | _Number") -> Number:
        if not isinstance(found, _Number):
            raise self._wrong("a comparison where a number is expected")
        return found.value


COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "=": lambda a, b: a == b,
}

CALCULATIONS: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}


def _or(left: Truth, right: Truth) -> _Truth:
    return _Truth(lambda values: left(values) or right(values))


def _and(left: Truth, right: Truth) -> _Truth:
    return _Truth(lambda values: left(values) and right(values))


def _compared(mark: str, left: Number, right: Number) -> _Truth:
    return _Truth(lambda values: COMPARISONS[mark](left(values), right(values)))


def _calculated(mark: str, left: Number, right: Number) -> _Number:
    return _Number(lambda values: CALCULATIONS[mark](left(values), right(values)))


def region_values(conditions: Mapping[str, ScoredStimulus], metric: str) -> Values:
    """Surprisals in bits of an item's regions, END's left out, each made one number by the metric.

    A region without words has none, so its value is 0.
    """

    def value(place: Place) -> float:
        regions = conditions[place.condition].regions[:-1]
        chosen = regions if place.region is None else regions[place.region - 1 : place.region]
        bits = [-log_prob / math.log(2) for region in chosen for log_prob in region.log_probs]
        return METRICS[metric](bits) if bits else 0.0

    return value
