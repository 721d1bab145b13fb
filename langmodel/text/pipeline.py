"""The one way from raw text to words, stored with every corpus and every model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from langmodel.errors import ConfigError
from langmodel.text.sentences import SENTENCES, LineSplitter, PunktParameters, PunktSplitter
from langmodel.text.tokenizers import Tokenizer, make_tokenizer
from langmodel.text.vocabulary import END_ID, UNK_ID, Vocabulary


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Tokenizer, sentence splitter and case: what text goes through before it becomes ids."""

    tokenizer: str = "nltk"
    sentences: str = "punkt"
    lowercase: bool = True
    unk_token: str | None = None
    """Literal text that already means UNK, in a pretokenized corpus."""
    punkt: PunktParameters | None = None

    def __post_init__(self) -> None:
        make_tokenizer(self.tokenizer)
        if self.sentences not in SENTENCES:
            raise ConfigError(f"unknown sentences {self.sentences!r}; choose from {', '.join(SENTENCES)}")
        if self.unk_token is not None and self.tokenizer != "whitespace":
            raise ConfigError(
                f"--unk-token {self.unk_token} needs a pretokenized corpus: add --tokenizer whitespace"
            )

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return make_tokenizer(self.tokenizer)

    @cached_property
    def _splitter(self) -> PunktSplitter | LineSplitter:
        return LineSplitter() if self.punkt is None else PunktSplitter(self.punkt)

    def split_sentences(self, passage: str) -> list[str]:
        return self._splitter.split(passage)

    def tokenize(self, sentence: str) -> list[str]:
        """The words as written: case kept, `unk_token` still text. Raises TypeError for what is no text."""
        if not isinstance(sentence, str):
            raise TypeError(f"expected a sentence as str, got {type(sentence).__name__}")
        return self._tokenizer.tokenize(sentence)

    def normalize(self, word: str) -> str:
        """The form under which the vocabulary knows a word."""
        return word.lower() if self.lowercase else word

    def means_unknown(self, word: str) -> bool:
        """Whether a word is the `unk_token`, in any case where case is folded."""
        return self.unk_token is not None and self.normalize(word) == self.normalize(self.unk_token)

    def detokenize(self, words: Sequence[str]) -> str:
        return self._tokenizer.detokenize(words)

    def encode(self, words: Sequence[str], vocabulary: Vocabulary) -> list[int]:
        """Ids of tokenized words; neither START nor END is added."""
        return [
            UNK_ID if self.means_unknown(word) else vocabulary.id_of(self.normalize(word)) for word in words
        ]

    def decode(self, ids: Sequence[int], vocabulary: Vocabulary) -> list[str]:
        """Words of ids, without END; UNK reads as `unk_token` where the corpus has one."""
        unk = self.unk_token or vocabulary.word_of(UNK_ID)
        return [unk if id == UNK_ID else vocabulary.word_of(id) for id in ids if id != END_ID]

    def to_dict(self) -> dict[str, Any]:
        return {
            "tokenizer": self.tokenizer,
            "sentences": self.sentences,
            "lowercase": self.lowercase,
            "unk_token": self.unk_token,
            "punkt": None if self.punkt is None else self.punkt.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Pipeline":
        """Raises ConfigError unless `data` is what `to_dict` gives."""
        try:
            tokenizer, sentences, lowercase = data["tokenizer"], data["sentences"], data["lowercase"]
            unk_token, punkt = data["unk_token"], data["punkt"]
        except (LookupError, TypeError) as error:
            raise ConfigError(f"pipeline settings are malformed ({error!r})") from None
        if not isinstance(tokenizer, str) or not isinstance(sentences, str):
            raise ConfigError("pipeline settings are malformed (a name is not text)")
        if type(lowercase) is not bool or not isinstance(unk_token, str | None):
            raise ConfigError("pipeline settings are malformed (lowercase or unk_token)")
        return cls(
            tokenizer=tokenizer,
            sentences=sentences,
            lowercase=lowercase,
            unk_token=unk_token,
            punkt=None if punkt is None else PunktParameters.from_dict(punkt),
        )
