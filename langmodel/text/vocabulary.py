"""The immutable map between words and ids."""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence

from langmodel.errors import CorpusError

UNK_ID, START_ID, END_ID = 0, 1, 2
"""Special tokens are ids, never text: no word of a corpus can be mistaken for one."""

SPECIAL_TOKENS = ("<unk>", "<s>", "</s>")
"""How the special ids are shown to a person, in id order."""


class Vocabulary:
    """Words by descending frequency; ids 0, 1 and 2 are UNK, START and END.

    `len(vocabulary)` counts the rows of a network's tables: the words and the three special tokens.
    """

    def __init__(self, words: Sequence[str], counts: Sequence[int]) -> None:
        if len(words) != len(counts):
            raise CorpusError(f"vocabulary: {len(words)} words but {len(counts)} counts")
        self.words = tuple(words)
        self.counts = tuple(counts)
        self._ids = {word: id for id, word in enumerate(self.words, start=len(SPECIAL_TOKENS))}
        if len(self._ids) != len(self.words):
            raise CorpusError("vocabulary: a word is listed twice")
        try:
            "".join(self.words).encode()
        except UnicodeEncodeError as error:  # half of a surrogate pair, which only JSON's escapes can write
            raise CorpusError(f"vocabulary: a word is not Unicode text ({error.reason})") from None

    def __len__(self) -> int:
        return len(SPECIAL_TOKENS) + len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.words == other.words

    def __hash__(self) -> int:
        return hash(self.words)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} rows)"

    def id_of(self, word: str) -> int:
        """The word's id, or UNK_ID."""
        return self._ids.get(word, UNK_ID)

    def word_of(self, id: int) -> str:
        """The word, or the shown form of a special token."""
        return SPECIAL_TOKENS[id] if id < len(SPECIAL_TOKENS) else self.words[id - len(SPECIAL_TOKENS)]

    @property
    def digest(self) -> str:
        """SHA-256 of the words in order: two vocabularies are interchangeable if it is the same."""
        return hashlib.sha256(json.dumps(self.words).encode()).hexdigest()

    def to_json(self) -> str:
        """A JSON list of [word, count], one per line, most frequent first."""
        rows = ",\n".join(
            json.dumps(row, ensure_ascii=False) for row in zip(self.words, self.counts, strict=True)
        )
        return f"[\n{rows}\n]\n"

    @classmethod
    def from_json(cls, text: str) -> "Vocabulary":
        """Read what `to_json` wrote. Raises CorpusError for anything else."""
        try:
            rows = json.loads(text)
            words, counts = [row[0] for row in rows], [row[1] for row in rows]
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise CorpusError(f"vocabulary: not a JSON list of [word, count] ({error})") from None
        if not all(type(word) is str for word in words) or not all(type(n) is int for n in counts):
            raise CorpusError("vocabulary: not a JSON list of [word, count]")
        return cls(words, counts)


def build_vocabulary(counts: Mapping[str, int], *, size: int = sys.maxsize, min_count: int = 1) -> Vocabulary:
    """The `size` - 3 most frequent words that occur at least `min_count` times.

    Equal counts are ordered by the word itself, so the result depends on nothing but the counts.
    """
    ranked: Iterable[tuple[str, int]] = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = [(word, n) for word, n in ranked if n >= min_count][: size - len(SPECIAL_TOKENS)]
    return Vocabulary([word for word, _ in kept], [n for _, n in kept])
