"""How often a model agrees: by paradigm and field of BLiMP, by prediction and suite of SyntaxGym."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from langmodel.inference.predictions import Prediction, region_values
from langmodel.inference.stimuli import ScoredStimulus
from langmodel.intervals import Interval, wilson_interval


@dataclass(frozen=True)
class Outcome:
    """Of one item."""

    agrees: bool
    is_tie: bool
    oov: bool
    """A word outside the vocabulary is in one of its sentences."""


@dataclass(frozen=True)
class Agreement:
    """Of several items, or of several suites."""

    of: tuple[str, str]
    """Paradigm and field; suite and prediction."""
    pooled: str
    """What was pooled: `items`, or `suites`, whose accuracies are averaged."""
    items: int
    accuracy: float
    interval: Interval | None
    ties: int
    oov: int


def pooled_items(of: tuple[str, str], outcomes: Sequence[Outcome]) -> Agreement:
    right = sum(outcome.agrees for outcome in outcomes)
    return Agreement(
        of,
        "items",
        len(outcomes),
        right / len(outcomes),
        wilson_interval(right, len(outcomes)),
        sum(outcome.is_tie for outcome in outcomes),
        sum(outcome.oov for outcome in outcomes),
    )


def by_item(scored: Iterable[ScoredStimulus]) -> dict[str, dict[str, ScoredStimulus]]:
    """Item -> condition -> what was scored."""
    items: dict[str, dict[str, ScoredStimulus]] = {}
    for each in scored:
        items.setdefault(each.stimulus.item, {})[each.stimulus.condition] = each
    return items


def pair_outcome(conditions: Mapping[str, ScoredStimulus]) -> Outcome:
    """Whether the good sentence is likelier than the bad one, END included."""
    good, bad = conditions["good"], conditions["bad"]
    return Outcome(good.log_prob > bad.log_prob, good.log_prob == bad.log_prob, bool(good.oov or bad.oov))


def pair_agreements(
    outcomes: Sequence[tuple[str, str, Outcome]],
) -> list[Agreement]:
    """`outcomes` with paradigm and field: of each paradigm, of each field, and of all, pooled over items."""
    found = []
    for paradigm, group in dict.fromkeys((p, f) for p, f, _ in outcomes):
        own = [o for p, f, o in outcomes if (p, f) == (paradigm, group)]
        found.append(pooled_items((paradigm, group), own))
    fields = dict.fromkeys(f for _, f, _ in outcomes if f)
    if len(found) > 1:
        found += [pooled_items(("all", group), [o for _, f, o in outcomes if f == group]) for group in fields]
    if len(fields) != 1:
        found.append(pooled_items(("all", "all"), [o for _, _, o in outcomes]))
    return found


def suite_agreements(
    name: str,
    scored: Sequence[ScoredStimulus],
    predictions: Sequence[Prediction],
    metric: str,
    *,
    excludes_oov: bool = False,
) -> list[Agreement]:
    """Of each prediction, by the order in the suite, and of all together: items in which every one holds."""
    verdicts: list[list[bool]] = []
    unknown: list[bool] = []
    for conditions in by_item(scored).values():
        oov = any(each.oov for each in conditions.values())
        if oov and excludes_oov:
            continue
        values = region_values(conditions, metric)
        verdicts.append([prediction.holds(values) for prediction in predictions])
        unknown.append(oov)
    if not verdicts:
        return []

    def agreement(which: str, holds: Callable[[list[bool]], bool]) -> Agreement:
        outcomes = [Outcome(holds(v), False, oov) for v, oov in zip(verdicts, unknown, strict=True)]
        return pooled_items((name, which), outcomes)

    found = [agreement(f"{n + 1}", lambda v, n=n: v[n]) for n in range(len(predictions))]  # type: ignore[misc]
    return [*found, agreement("all", all)]


def mean_of_suites(suites: Sequence[Agreement]) -> Agreement:
    """Every suite counts the same, however many items it has."""
    return Agreement(
        ("all", "all"),
        "suites",
        sum(suite.items for suite in suites),
        fmean(suite.accuracy for suite in suites),
        None,
        sum(suite.ties for suite in suites),
        sum(suite.oov for suite in suites),
    )
