"""Word-level recurrent language models: preprocess, train, sample, score.

import langmodel
corpus = langmodel.preprocess("novel.txt", "corpora/novel")
run = langmodel.train(corpus, "checkpoints/novel", minutes=10)
lm = run.model  # or langmodel.load("checkpoints/novel")
lm.score("the cat sat .").log_prob
for sentence in lm.sample(10, seed=1):
    print(sentence)
lm.next_words("the cat", k=5)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from langmodel.errors import LangModelError

if TYPE_CHECKING:
    from langmodel.classification.classifier import Classifier, load_classifier
    from langmodel.inference.language_model import LanguageModel, load
    from langmodel.inference.settings import SamplingSettings
    from langmodel.runs.classifying import train_classifier
    from langmodel.runs.preparing import preprocess
    from langmodel.runs.training import Run, open_run, train
    from langmodel.text.corpus import Corpus, open_corpus
    from langmodel.training.progress import Observer

__version__ = "0.1.0"

HOMES = {
    "Corpus": "text.corpus",
    "Classifier": "classification.classifier",
    "LanguageModel": "inference.language_model",
    "Observer": "training.progress",
    "Run": "runs.training",
    "SamplingSettings": "inference.settings",
    "load": "inference.language_model",
    "load_classifier": "classification.classifier",
    "open_corpus": "text.corpus",
    "open_run": "runs.training",
    "preprocess": "runs.preparing",
    "train": "runs.training",
    "train_classifier": "runs.classifying",
}
"""Where each public name lives: it is imported, and torch perhaps with it, when it is asked for."""

__all__ = [
    "Classifier",
    "Corpus",
    "LangModelError",
    "LanguageModel",
    "Observer",
    "Run",
    "SamplingSettings",
    "load",
    "load_classifier",
    "open_corpus",
    "open_run",
    "preprocess",
    "train",
    "train_classifier",
]


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(import_module(f"langmodel.{HOMES[name]}"), name)
    raise AttributeError(f"module 'langmodel' has no attribute {name!r}")
