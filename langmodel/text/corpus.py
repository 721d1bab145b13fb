"""A preprocessed corpus on disk: memory-mapped splits, vocabulary, pipeline, provenance."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt

from langmodel.errors import ConfigError, CorpusError
from langmodel.text.corpus_directory import brought_back
from langmodel.text.corpus_files import RARE_WORDS, SHARDS, SPLITS, is_corpus
from langmodel.text.pipeline import Pipeline
from langmodel.text.vocabulary import END_ID, START_ID, Vocabulary

FORMAT = 2

Ids = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, kw_only=True)
class SplitStatistics:
    """What one split holds; END is no token here, and a special of the network is no word."""

    documents: int
    sentences: int
    tokens: int
    """Words, UNK included."""
    unknown: int
    """Tokens that became UNK."""
    longest_sentence: int
    """Words of the longest sentence."""
    sha256: str
    """Of the ids as stored."""
    characters: int | None = None
    """Of the text as read, with one for the end of every paragraph or line; None if they were not counted."""

    def __post_init__(self) -> None:
        """Raises ValueError for values that are not counts."""
        counts = [self.documents, self.sentences, self.tokens, self.unknown, self.longest_sentence]
        if self.characters is not None:
            counts.append(self.characters)
        if not all(type(count) is int and count >= 0 for count in counts) or type(self.sha256) is not str:
            raise ValueError("the statistics of a split are malformed")

    @property
    def targets(self) -> int:
        """Predicted positions: every token and every sentence's END."""
        return self.tokens + self.sentences


def id_dtype(rows: int) -> type[np.uint16] | type[np.uint32]:
    """The smallest type that holds every id of a vocabulary of `rows`."""
    return np.uint16 if rows <= 2**16 else np.uint32


@dataclass(frozen=True, repr=False)
class Corpus:
    """An opened corpus directory. Its streams read `w1 … wn END w1 … wn END …`."""

    path: Path
    vocabulary: Vocabulary
    pipeline: Pipeline
    statistics: dict[str, SplitStatistics]
    types: int
    """Distinct words of the training split, before the vocabulary was cut."""
    provenance: dict[str, Any]
    """Sources, settings and versions that made the corpus."""

    def __repr__(self) -> str:
        tokens = ", ".join(f"{name} {self.statistics[name].tokens:,}" for name in SPLITS)
        return f"<Corpus {self.path}: {len(self.vocabulary):,} vocabulary rows; words: {tokens}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{name}</th><td>{split.documents:,}</td><td>{split.sentences:,}</td>"
            f"<td>{split.tokens:,}</td><td>{split.unknown:,}</td></tr>"
            for name, split in self.statistics.items()
        )
        return (
            f"<p>{escape(str(self.path))}: {len(self.vocabulary):,} vocabulary rows of {self.types:,} types, "
            f"{escape(self.pipeline.tokenizer)} tokenizer, {self.pipeline.shown_case}</p><table><tr><th></th>"
            f"<th>documents</th><th>sentences</th><th>words</th><th>unknown</th></tr>{rows}</table>"
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 over vocabulary and splits: the same text, prepared the same way."""
        parts = [self.vocabulary.digest, *(self.statistics[split].sha256 for split in SPLITS)]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def rare_words(self) -> Vocabulary:
        """The words of the training split that fell outside the vocabulary, with their counts.

        Raises CorpusError if they were not kept, as in corpora made before they were.
        """
        file = self.path / RARE_WORDS
        try:
            if not file.is_file():
                raise OSError("no such file")
            return Vocabulary.from_json(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise CorpusError(f"{file}: cannot be read ({error}); run `langmodel preprocess` again") from None

    def shards(self, name: str) -> list[tuple[int, str]]:
        """Ids and SHA-256 of each part of a split that was written by itself; none if that is not known."""
        try:
            rows = json.loads((self.path / SHARDS).read_text(encoding="utf-8"))[name]
            if not all(type(ids) is int and ids > 0 and type(sha256) is str for ids, sha256 in rows):
                raise ValueError("malformed")
            return [(ids, sha256) for ids, sha256 in rows]
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            return []

    def _damage(self, name: str, ids: Ids) -> str:
        """Where the first damaged shard of a split is."""
        start = 0
        for number, (length, sha256) in enumerate(self.shards(name), start=1):
            if hashlib.sha256(ids[start : start + length].tobytes()).hexdigest() != sha256:
                return f", first in shard {number}: ids {start:,} to {start + length:,}"
            start += length
        return ""

    def split(self, name: str, *, check: bool = True) -> Ids:
        """The ids of a split, memory-mapped, and checked against what was written.

        Without `check`, which reads them all, another process has done that.
        """
        if name not in SPLITS:
            raise ConfigError(f"unknown split {name!r}; choose from {', '.join(SPLITS)}")
        path = self.path / f"{name}.npy"
        expected = self.statistics[name].targets
        try:
            if expected == 0:
                return np.empty(0, id_dtype(len(self.vocabulary)))
            if not path.is_file():
                raise OSError("no such file")
            ids: Ids = np.lib.format.open_memmap(path, mode="r")
        except (OSError, ValueError, TypeError, OverflowError, MemoryError, TokenError) as error:
            raise CorpusError(f"{path}: cannot be read ({error}); run `langmodel preprocess` again") from None
        if ids.dtype != id_dtype(len(self.vocabulary)) or ids.shape != (expected,):
            raise CorpusError(
                f"{path}: {ids.dtype} of shape {ids.shape}, corpus.json says {expected} ids; "
                "run `langmodel preprocess` again"
            )
        if not check:
            return ids
        hashed, largest, starts = hashlib.sha256(), 0, 0
        for start in range(0, len(ids), 2**22):
            block = ids[start : start + 2**22]
            hashed.update(block.tobytes())
            largest, starts = max(largest, int(block.max())), starts + int((block == START_ID).sum())
        if hashed.hexdigest() != self.statistics[name].sha256:
            raise CorpusError(
                f"{path}: damaged (its checksum does not match{self._damage(name, ids)}); "
                "run `langmodel preprocess` again"
            )
        if largest >= len(self.vocabulary) or ids[-1] != END_ID or starts:
            raise CorpusError(f"{path}: not made with this vocabulary; run `langmodel preprocess` again")
        return ids


def write_description(corpus: Corpus) -> None:
    """Write corpus.json and vocabulary.json; the same corpus gives the same bytes."""
    description = {
        "format": FORMAT,
        "vocabulary_sha256": corpus.vocabulary.digest,
        "types": corpus.types,
        "splits": {name: asdict(corpus.statistics[name]) for name in SPLITS},
        "provenance": corpus.provenance,
        "pipeline": corpus.pipeline.to_dict(),
    }
    corpus.path.joinpath("vocabulary.json").write_text(corpus.vocabulary.to_json(), encoding="utf-8")
    corpus.path.joinpath("corpus.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def open_corpus(path: str | Path) -> Corpus:
    """Raises CorpusError for a directory that `langmodel preprocess` did not write whole."""
    path = Path(path)
    file = path / "corpus.json"
    if not is_corpus(path) and not brought_back(path):
        raise CorpusError(f"{path}: not a corpus directory; make one with `langmodel preprocess`")
    try:
        description = json.loads(file.read_text(encoding="utf-8"))
        found = description["format"]
        if type(found) is not int or not 1 <= found <= FORMAT:
            raise CorpusError(
                f"{file}: format {found!r:.40}; this version reads up to {FORMAT}. Upgrade langmodel"
            )
        if not (path / "vocabulary.json").is_file():
            raise CorpusError(f"{path / 'vocabulary.json'}: no such file; run `langmodel preprocess` again")
        vocabulary = Vocabulary.from_json((path / "vocabulary.json").read_text(encoding="utf-8"))
        corpus = Corpus(
            path,
            vocabulary,
            Pipeline.from_dict(description["pipeline"]),
            {name: SplitStatistics(**description["splits"][name]) for name in SPLITS},
            description["types"],
            description["provenance"],
        )
        recorded = description["vocabulary_sha256"]
        if type(corpus.types) is not int or not isinstance(corpus.provenance, dict):
            raise ValueError("types or provenance is malformed")
        if not vocabulary.words:
            raise ValueError("the vocabulary holds no word")
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise CorpusError(f"{file}: damaged ({error!r}); run `langmodel preprocess` again") from None
    if vocabulary.digest != recorded:
        raise CorpusError(
            f"{path / 'vocabulary.json'}: not the vocabulary that corpus.json names; "
            "run `langmodel preprocess` again"
        )
    return corpus
