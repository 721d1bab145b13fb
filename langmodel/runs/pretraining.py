"""Language models of a classifier's own texts, for it to begin with."""

from collections.abc import Sequence
from pathlib import Path

from langmodel.classification.config import ClassifierConfig
from langmodel.classification.from_language_models import load_language_models
from langmodel.display.narration import Narrator
from langmodel.network.device import choose_device
from langmodel.runs.preparing import run_preprocess
from langmodel.runs.run_directory import RunOptions, train_in
from langmodel.storage.model_file import LAST
from langmodel.text.corpus import open_corpus
from langmodel.text.corpus_files import is_corpus
from langmodel.text.preprocess import PreprocessConfig
from langmodel.text.sources import Reading

TEXTS, CORPUS = "texts.txt", "corpus"

VALID_FRACTION = 0.05

RATE, RATE_AFTER = 6e-3, 3e-3
"""The highest rate of a new language model, and of one that goes on from another."""


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
    """
    corpus_directory = directory / CORPUS
    if resume and is_corpus(corpus_directory):
        corpus = open_corpus(corpus_directory)
    else:
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / TEXTS
        file.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
        settings = PreprocessConfig(
            vocabulary_size=config.vocabulary_size, case=config.case, valid_fraction=VALID_FRACTION,
            test_fraction=0.0, split_by="line", seed=config.seed,
        )  # fmt: skip
        corpus = run_preprocess([str(file)], corpus_directory, settings, Reading(), narrator)
        file.unlink()
    models = load_language_models(start) if start else []
    directions = (
        ["forward", "backward"] if (len(models) == 2 or not models) and config.bidirectional else ["forward"]
    )
    made = []
    for direction in directions:
        run = directory / direction
        before = next((path for path, m in zip(start, models, strict=True) if m.direction == direction), None)
        shapes = {} if before else {
            "cell": config.cell, "embedding_size": config.embedding_size,
            "hidden_size": config.hidden_size, "layers": config.layers,
        }  # fmt: skip
        options = RunOptions(
            resume=resume and (run / LAST).exists(), overwrite=True, from_model=before, compare=False
        )
        given = {
            **shapes, "ngrams": 0, "backward": direction == "backward", "epochs": config.pretrain_epochs,
            "learning_rate": RATE_AFTER if before else RATE, "dropout": (0.3,), "batch_size": 40,
            "sampled_softmax": True, "seed": config.seed,
        }  # fmt: skip
        narrator.say(f"language model that reads {direction}:")
        if options.resume:
            options, given = RunOptions(resume=True, compare=False), {}
        code = train_in(run, corpus, given, options, device=choose_device(device), narrator=narrator)
        if code:
            raise KeyboardInterrupt
        made.append(run)
    return made
