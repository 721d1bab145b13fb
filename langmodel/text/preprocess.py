"""Raw text -> corpus directory: what is held out, and which vocabulary."""

import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path

from langmodel.errors import ConfigError, CorpusError, LangModelError
from langmodel.text.corpus import RARE_WORDS, SPLITS, Corpus, open_corpus, write_description
from langmodel.text.corpus_directory import appearing_whole
from langmodel.text.passes import Passage, SplitBuilder, first_pass, second_pass
from langmodel.text.pipeline import Pipeline
from langmodel.text.sentences import PUNKT_TRAINING_CHARACTERS, SENTENCES, PunktParameters, learn_punkt
from langmodel.text.sources import Field, read_documents, splits_by_document
from langmodel.text.splitting import HeldOut
from langmodel.text.vocabulary import SPECIAL_TOKENS, Vocabulary, build_vocabulary


@dataclass(frozen=True, kw_only=True)
class PreprocessConfig:
    """How raw text becomes a corpus."""

    vocabulary_size: int = 8_000
    """Rows of the vocabulary, the three special tokens included."""
    min_count: int = 1
    """A rarer word becomes UNK."""
    tokenizer: str = "nltk"
    sentences: str = "punkt"
    lowercase: bool = True
    unk_token: str | None = None
    """Literal text that means unknown, in a pretokenized corpus."""
    valid_fraction: float = 0.05
    test_fraction: float = 0.05
    split_by: str = "auto"
    """What is held out whole: `document`, `line` (a passage of a document), or `auto`."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.vocabulary_size <= len(SPECIAL_TOKENS):
            raise ConfigError(
                f"vocabulary size must be at least 4 (three are special), got {self.vocabulary_size}"
            )
        if self.min_count < 1:
            raise ConfigError(f"min count must be at least 1, got {self.min_count}")
        for name, fraction in (("valid", self.valid_fraction), ("test", self.test_fraction)):
            if not 0 <= fraction < 1:
                raise ConfigError(f"{name} fraction must be at least 0 and under 1, got {fraction}")
        if self.valid_fraction + self.test_fraction > 0.9:
            raise ConfigError("valid and test fractions leave under a tenth of the corpus for training")
        if self.split_by not in ("auto", "document", "line"):
            raise ConfigError(f"unknown split-by {self.split_by!r}; choose from auto, document, line")
        self.pipeline(punkt=None)

    def pipeline(self, punkt: PunktParameters | None) -> Pipeline:
        return Pipeline(
            tokenizer=self.tokenizer,
            sentences=self.sentences,
            lowercase=self.lowercase,
            unk_token=self.unk_token,
            punkt=punkt,
        )


def preprocess(
    sources: Sequence[str],
    output: Path,
    config: PreprocessConfig = PreprocessConfig(),
    *,
    valid: str | None = None,
    test: str | None = None,
    field: Field = Field(),
    executor: Executor | None = None,
    on_tokens: Callable[[int], None] = lambda tokens: None,
) -> Corpus:
    """Encode `sources` into the corpus directory `output`, whole or not at all.

    `valid` and `test` name sources of their own; without them the config's fraction is held out.
    Work goes through `executor`, or is done here without one; the bytes written are the same.
    `on_tokens` is told of every batch's words. Raises CorpusError for text that cannot be used.
    """
    if [*sources, valid, test].count("-") > 1:
        raise ConfigError("standard input (-) can be read only once; name a file for the others")
    with _clear_errors(output), appearing_whole(output) as folder:
        passages = _split_passages(sources, config, {"valid": valid, "test": test}, field)
        pipeline, passages = _settle_pipeline(config, passages)
        builders = {name: SplitBuilder(folder / f"{name}.tmp") for name in SPLITS}
        types = first_pass(pipeline, passages, builders, executor, on_tokens)
        if not builders["train"].sentences:
            raise CorpusError(
                f"{', '.join(sources)}: no words to train on; the corpus is empty"
                + ("" if not any(b.sentences for b in builders.values()) else " but for its held-out part")
            )
        for name, named in (("valid", valid), ("test", test)):
            if named is not None and not builders[name].sentences:
                raise CorpusError(
                    f"{named}: no words for the {name} split; leave --{name} out, or give another"
                )
        vocabulary, counts = _choose_vocabulary(types, builders["train"], config)
        statistics = {
            name: second_pass(builder, folder / f"{name}.npy", types, vocabulary)
            for name, builder in builders.items()
        }
        provenance = {
            "sources": list(sources),
            "valid": valid,
            "test": test,
            "column": field.column,
            "field": field.field,
            "settings": asdict(config),
            "versions": _versions(),
        }
        rare = build_vocabulary({word: n for word, n in counts.items() if word not in vocabulary})
        (folder / RARE_WORDS).write_text(rare.to_json(), encoding="utf-8")
        write_description(Corpus(folder, vocabulary, pipeline, statistics, len(counts), provenance))
    return open_corpus(output)


@contextmanager
def _clear_errors(output: Path) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:  # an OSError, but NLTK's
        raise CorpusError(
            f"a passage is too much for NLTK ({error}); break long lines, or use --tokenizer whitespace "
            "and --sentences line"
        ) from None
    except BrokenExecutor:
        raise LangModelError(
            "a worker process has died, of lack of memory perhaps; lower --workers"
        ) from None
    except OSError as error:
        raise LangModelError(f"{output}: cannot be written ({error.strerror or error})") from None


def _split_passages(
    sources: Sequence[str], config: PreprocessConfig, files: dict[str, str | None], field: Field
) -> Iterator[Passage]:
    """Every passage with the split that it belongs to, in the order of the text."""
    held_out = HeldOut(
        0.0 if files["valid"] else config.valid_fraction,
        0.0 if files["test"] else config.test_fraction,
        seed=config.seed,
    )
    to_passages = SENTENCES[config.sentences]
    for source in sources:
        by_document = config.split_by == "document" or (
            config.split_by == "auto" and splits_by_document(source)
        )
        for document in read_documents(source, field):
            split = held_out.next_split() if by_document else ""
            started: set[str] = set()
            for text in to_passages(document.lines):
                belongs = split or held_out.next_split()
                yield Passage(belongs, text, belongs not in started)
                started.add(belongs)
    for name, source_of_split in files.items():
        if source_of_split is not None:
            for document in read_documents(source_of_split, field):
                starts = True
                for text in to_passages(document.lines):
                    yield Passage(name, text, starts)
                    starts = False


def _settle_pipeline(
    config: PreprocessConfig, passages: Iterator[Passage]
) -> tuple[Pipeline, Iterator[Passage]]:
    """Punkt's parameters have to be known before the first sentence is split."""
    if config.sentences != "punkt":
        return config.pipeline(punkt=None), passages
    beginning: list[Passage] = []
    characters = 0
    for passage in passages:
        beginning.append(passage)
        characters += len(passage.text)
        if characters > PUNKT_TRAINING_CHARACTERS:
            break
    punkt = learn_punkt([passage.text for passage in beginning])
    return config.pipeline(punkt), chain(beginning, passages)


def _choose_vocabulary(
    types: dict[str, int], train: SplitBuilder, config: PreprocessConfig
) -> tuple[Vocabulary, dict[str, int]]:
    counts = {
        word: n for word, id in types.items() if id < len(train.counts) and (n := int(train.counts[id]))
    }
    if not counts:
        raise CorpusError(f"every word is {config.unk_token!r}; there is nothing to learn")
    vocabulary = build_vocabulary(counts, size=config.vocabulary_size, min_count=config.min_count)
    if not vocabulary.words:
        raise ConfigError(f"no word occurs {config.min_count} times; lower --min-count")
    return vocabulary, counts


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("langmodel", "nltk"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions
