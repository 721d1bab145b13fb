"""Settings that suit the size of a corpus, where a person has given none."""

import math
from collections.abc import Mapping
from typing import Any

from langmodel.configuration import shown_value
from langmodel.text.corpus import Corpus
from langmodel.training.config import TrainingConfig

BY_TOKENS: tuple[tuple[float, dict[str, Any]], ...] = (
    (60_000, {"dropout": (0.5,), "epochs": 20}),
    (300_000, {"dropout": (0.5,), "epochs": 12}),
    (600_000, {"dropout": (0.4,), "epochs": 8}),
    (math.inf, {"sampled_softmax": True, "weight_decay": 0.05, "epochs": 11}),
)
"""Up to so many tokens of the training split, these settings stand in place of the defaults."""

SAMPLED_FROM = 2_000
"""Rows from which a sampled softmax pays; for fewer, what is suited to a sampled one is left out."""


def suited_to(tokens: int, rows: int) -> dict[str, Any]:
    """Settings for a corpus of so many tokens to train on and a vocabulary of so many rows."""
    suited = next(settings for most, settings in BY_TOKENS if tokens <= most)
    return suited if rows >= SAMPLED_FROM or "sampled_softmax" not in suited else {}


def suited_settings(
    corpus: Corpus, given: Mapping[str, Any], *, plans_epochs: bool
) -> tuple[TrainingConfig, str]:
    """The given settings, the rest to suit the corpus; and a line that says what was chosen, if anything.

    Settings that say what network or training is wanted (any but those of how a run is followed) are taken
    to be a whole: beside them, the defaults stand. A run that `plans_epochs` by the clock needs none.
    """
    tokens = corpus.statistics["train"].targets
    suited = suited_to(tokens, len(corpus.vocabulary))
    if not suited or not set(given) <= INDEPENDENT:
        return TrainingConfig(**given), ""
    chosen = {
        name: value
        for name, value in suited.items()
        if name not in given and not (plans_epochs and name == "epochs")
    }
    if not chosen:
        return TrainingConfig(**given), ""
    flags = " ".join(
        "--" + name.replace("_", "-") + ("" if value is True else f" {shown_value(value)}")
        for name, value in chosen.items()
    )
    line = f"for a corpus of {tokens:,} tokens: {flags} (flags or --preset override this)"
    return TrainingConfig(**{**chosen, **given}), line


INDEPENDENT = frozenset(
    [
        "dropout",
        "epochs",
        "seed",
        "patience",
        "evaluate_every",
        "cell",
        "hidden_size",
        "embedding_size",
        "layers",
        "on_nonfinite",
        "skip_limit",
        "average",
        "clip",
    ]
)
"""Settings that may be given beside those that suit the corpus."""
