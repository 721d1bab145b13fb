"""The corpus that a model was trained on."""

from pathlib import Path

from langmodel.errors import CorpusError, InputError
from langmodel.inference.language_model import LanguageModel
from langmodel.storage.run_files import read_run
from langmodel.text.corpus import Corpus, open_corpus


def corpus_of_run(model: Path) -> Path:
    run = model if model.is_dir() else model.parent
    corpus = read_run(run).get("corpus")
    if not isinstance(corpus, str):
        raise InputError(
            f"{model}: its corpus is not known; name the corpus directory (for sample, --corpus)"
        )
    return Path(corpus)


def open_matching_corpus(lm: LanguageModel, path: Path) -> Corpus:
    """Raises CorpusError for a corpus with another vocabulary."""
    corpus = open_corpus(path)
    if corpus.vocabulary != lm.vocabulary:
        raise CorpusError(
            f"{path}: its vocabulary is not the model's; name the corpus that the model was trained on, or "
            "give text as a file"
        )
    return corpus
