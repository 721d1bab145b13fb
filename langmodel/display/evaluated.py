"""What an evaluation found, as a table and as JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langmodel.display.reports import rows_as_text
from langmodel.formats.score_style import finite
from langmodel.network.evaluation import Likelihood


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """A text or split, with everything that was asked about it."""

    name: str
    result: Likelihood
    model: str
    """What gave the probabilities: the network, or network and n-grams."""
    vocabulary_size: int
    context: str
    open_vocabulary: int | None
    opened: float | None
    """Perplexity over the open vocabulary."""
    characters: int
    """Of the text, line ends counted; 0 for a split of an older corpus, which did not count them."""
    adaptation: str | None = None
    adapted: Likelihood | None = None
    settings: Mapping[str, float] = field(default_factory=dict)
    """What the adaptation was tuned to."""

    @property
    def bits(self) -> float | None:
        """Per character, over the open vocabulary if there is one.

        Without an open vocabulary, a text with unknown words has no such figure: the less a model knew, the
        better it would look.
        """
        if not self.characters or (self.result.oov and self.opened is None):
            return None
        mean = math.log(self.result.perplexity if self.opened is None else self.opened)
        return mean * self.result.tokens / math.log(2) / self.characters

    def as_json(self) -> str:
        values: dict[str, Any] = {
            "perplexity": self.result.perplexity,
            "perplexity_excluding_oov": self.result.perplexity_excluding_oov,
            "log_prob": self.result.log_prob,
            "tokens": self.result.tokens,
            "oov": self.result.oov,
            "vocabulary_size": self.vocabulary_size,
            "model": self.model,
        }
        further = {
            "open_vocabulary_perplexity": self.opened,
            "bits_per_character": self.bits,
            "adapted_perplexity": None if self.adapted is None else self.adapted.perplexity,
        }
        values |= {name: value for name, value in further.items() if value is not None}
        return json.dumps({k: finite(v) if isinstance(v, float) else v for k, v in values.items()})

    def as_table(self) -> str:
        result = self.result
        rows = [
            ("evaluated on", self.name),
            ("model", self.model),
            ("perplexity", f"{result.perplexity:.2f}"),
            ("  excluding OOV", f"{result.perplexity_excluding_oov:.2f}"),
        ]
        if self.opened is not None:
            rows.append(("  open vocabulary", f"{self.opened:.2f} (of {self.open_vocabulary:,} words)"))
        if self.adapted is not None:
            found = ", ".join(f"{name} {value:.4g}" for name, value in self.settings.items())
            rows.append(("  adapted", f"{self.adapted.perplexity:.2f} ({self.adaptation}: {found})"))
        rows += [
            ("log-probability", f"{result.log_prob:.2f} nats"),
            ("tokens", f"{result.tokens:,} (END counted), {result.oov:,} of them OOV"),
            ("vocabulary size", f"{self.vocabulary_size:,}"),
            ("context", self.context),
        ]
        if self.bits is not None:
            over = "" if self.opened is None else ", open vocabulary"
            rows.append(("bits per character", f"{self.bits:.4f} ({self.characters:,} with line ends{over})"))
        elif self.characters:
            rows.append(("bits per character", "not comparable with other models: add --open-vocabulary"))
        return rows_as_text(rows)
