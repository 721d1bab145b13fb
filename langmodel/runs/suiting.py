"""Settings that suit the size of a corpus, where a person has given none."""

from collections.abc import Mapping
from typing import Any

from langmodel.text.corpus import Corpus
from langmodel.training.config import TrainingConfig

BY_TOKENS: tuple[tuple[int, dict[str, Any]], ...] = (
    (60_000, {"dropout": (0.5,), "epochs": 20}),
    (300_000, {"dropout": (0.5,), "epochs": 12}),
    (600_000, {"dropout": (0.4,), "epochs": 8}),
)
"""Up to so many tokens of the training split, these settings stand in place of the defaults."""


def suited_settings(
    corpus: Corpus, given: Mapping[str, Any], *, plans_epochs: bool
) -> tuple[TrainingConfig, str]:
    """The given settings, the rest to suit the corpus; and a line that says what was chosen, if anything.

    Settings that say what network or training is wanted (any but those of how a run is followed) are taken
    to be a whole: beside them, the defaults stand. A run that `plans_epochs` by the clock needs none.
    """
    tokens = corpus.statistics["train"].targets
    suited = next((settings for most, settings in BY_TOKENS if tokens <= most), {})
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
        f"--{name} {','.join(map(str, value)) if isinstance(value, tuple) else value}"
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
