"""A model as the page shows it: its name, what it is, its curve."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from langmodel.display.model_report import model_facts
from langmodel.inference.language_model import LanguageModel
from langmodel.network.device import choose_device
from langmodel.storage.model_file import load_model, model_path
from langmodel.storage.run_files import CURVES, read_run

MAX_CURVE = 2_000_000
"""Bytes; a larger drawing is not shown."""


@dataclass(frozen=True)
class ServedModel:
    """A model under the name by which requests ask for it."""

    name: str
    lm: LanguageModel
    facts: tuple[tuple[str, str], ...]
    """What to say of it: a label and a value each."""
    curve: bytes | None = None
    """The drawing of its training (SVG)."""

    @property
    def about(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "vocabulary_size": len(self.lm.vocabulary),
            "facts": [list(fact) for fact in self.facts],
            "has_curve": self.curve is not None,
        }


def open_model(path: Path, device: str, taken: set[str], *, network_only: bool = False) -> ServedModel:
    """The model at a path, under a name that is not `taken` yet.

    Raises ModelFileError for a file that is no model, ConfigError for a device that cannot be used.
    """
    file = model_path(path)
    saved = load_model(file, choose_device(device))
    if network_only:
        saved = replace(saved, ngrams=None)
    name = base = path.resolve().name if path.is_dir() else path.stem
    number = 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    lm = LanguageModel.of(saved)
    lm.score("")  # what is loaded on first use is loaded now
    lm.pipeline.detokenize(lm.pipeline.tokenize("a word ."))
    curve = path / CURVES if path.is_dir() else None
    drawn = curve.read_bytes() if curve and curve.is_file() and curve.stat().st_size <= MAX_CURVE else None
    corpus = read_run(path).get("corpus") if path.is_dir() else None
    trained_on = [("trained on", Path(corpus).name)] if isinstance(corpus, str) else []
    return ServedModel(name, lm, (*trained_on, *model_facts(saved)), drawn)
