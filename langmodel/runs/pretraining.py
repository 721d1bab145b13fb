"""Language models of a classifier's own texts, for it to begin with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langmodel.classification.config import ClassifierConfig
from langmodel.classification.from_language_models import load_language_models
from langmodel.display.narration import Narrator
from langmodel.network.architecture import DIRECTIONS
from langmodel.network.device import choose_device
from langmodel.runs.preparing import run_preprocess
from langmodel.runs.run_directory import RunOptions, has_begun, train_in
from langmodel.text.corpus import open_corpus
from langmodel.text.corpus_files import is_corpus
from langmodel.text.preprocess import PreprocessConfig
from langmodel.text.sources import Reading

TEXTS, CORPUS = "texts.txt", "corpus"

VALID_FRACTION = 0.05

RATE, RATE_AFTER = 6e-3, 3e-3
"""The highest rate of a new language model, and of one that goes on from another."""


class PretrainingStopped(Exception):
    """A signal came while a language model was trained, which has been saved."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


def pretrained(
    directory: Path,
    texts: Sequence[str],
    config: ClassifierConfig,
    start: Sequence[Path],
    device: str,
    narrator: Narrator,
    *,
    resume: bool,
) -> list[Path]:
    """Run directories of a language model for each direction, trained in `directory` on the texts.

    Each goes on from a model of `start`, where there are some. What a stopped run has done already is used.
    Raises PretrainingStopped.
    """
    corpus_directory = directory / CORPUS
    if resume and is_corpus(corpus_directory):
        corpus = open_corpus(corpus_directory)
    else:
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / TEXTS
        file.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
        settings = PreprocessConfig(
            vocabulary_size=config.vocabulary_size,
            case=config.case,
            valid_fraction=VALID_FRACTION,
            test_fraction=0.0,
            split_by="line",
            seed=config.seed,
        )
        corpus = run_preprocess([str(file)], corpus_directory, settings, Reading(), narrator)
        file.unlink()
    beginnings = {load_language_models([path], alone=False)[0].direction: path for path in start}
    both = config.bidirectional and len(beginnings) != 1
    made = []
    for direction in DIRECTIONS if both else DIRECTIONS[:1]:
        run, before = directory / direction, beginnings.get(direction)
        narrator.say(f"language model that reads {direction}:")
        if resume and has_begun(run):
            options, given = RunOptions(resume=True, compare=False), dict[str, Any]()
        else:
            options = RunOptions(overwrite=True, from_model=before, compare=False)
            given = _settings(config, before is None) | {"backward": direction == "backward"}
        code = train_in(run, corpus, given, options, device=choose_device(device), narrator=narrator)
        if code:
            raise PretrainingStopped(code)
        made.append(run)
    return made


def _settings(config: ClassifierConfig, is_new: bool) -> dict[str, Any]:
    """Of the language models; one that goes on from another has its shapes."""
    shapes: dict[str, Any] = {
        "cell": config.cell,
        "embedding_size": config.embedding_size,
        "hidden_size": config.hidden_size,
        "layers": config.layers,
    }
    return (shapes if is_new else {}) | {
        "ngrams": 0,
        "epochs": config.pretrain_epochs,
        "learning_rate": RATE if is_new else RATE_AFTER,
        "dropout": (0.3,),
        "batch_size": 40,
        "sampled_softmax": True,
        "seed": config.seed,
    }
