"""The one way from raw text to words, stored with every corpus and every model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from langmodel.errors import ConfigError
from langmodel.text.casing import CASES, capitalised, first_word, uncapitalised
from langmodel.text.paragraphs import SENTENCES
from langmodel.text.sentences import LineSplitter, PunktParameters, PunktSplitter
from langmodel.text.tokenizers import Tokenizer, make_tokenizer
from langmodel.text.vocabulary import END_ID, UNK_ID, Vocabulary


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Tokenizer, sentence splitter and case: what text goes through before it becomes ids."""

    tokenizer: str = "nltk"
    sentences: str = "punkt"
    case: str = "lower"
    """One of CASES."""
    lowered: tuple[str, ...] = ()
    """With case `true`: the words that lose a capital at the beginning of a sentence."""
    unk_token: str | None = None
    """Literal text that already means UNK, in a pretokenized corpus."""
    punkt: PunktParameters | None = None

    def __post_init__(self) -> None:
        make_tokenizer(self.tokenizer)
        if self.sentences not in SENTENCES:
            raise ConfigError(f"unknown sentences {self.sentences!r}; choose from {', '.join(SENTENCES)}")
        if self.case not in CASES:
            raise ConfigError(f"unknown case {self.case!r}; choose from {', '.join(CASES)}")
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

    @cached_property
    def _lowered(self) -> frozenset[str]:
        return frozenset(self.lowered)

    def split_sentences(self, passage: str) -> list[str]:
        return self._splitter.split(passage)

    def tokenize(self, sentence: str) -> list[str]:
        """The words as written: case kept, `unk_token` still text. Raises TypeError for what is no text."""
        if not isinstance(sentence, str):
            raise TypeError(f"expected a sentence as str, got {type(sentence).__name__}")
        return self._tokenizer.tokenize(sentence)

    def normalize(self, word: str) -> str:
        """The form under which the vocabulary knows a word inside a sentence."""
        return word.lower() if self.case == "lower" else word

    def normalize_sentence(self, words: Sequence[str]) -> list[str]:
        """The forms under which the vocabulary knows the words of a sentence, from its first."""
        normal = [self.normalize(word) for word in words]
        if self.case == "true" and (first := first_word(normal)) is not None:
            lower = uncapitalised(normal[first])
            if lower in self._lowered:
                normal[first] = lower
        return normal

    def means_unknown(self, word: str) -> bool:
        """Whether a word is the `unk_token`, in any case where case is folded."""
        return self.unk_token is not None and self.normalize(word) == self.normalize(self.unk_token)

    def detokenize(self, words: Sequence[str]) -> str:
        """Readable text of one sentence; true-casing is undone."""
        if self.case == "true" and (first := first_word(words)) is not None:
            words = [*words[:first], capitalised(words[first]), *words[first + 1 :]]
        return self._tokenizer.detokenize(words)

    def encode(self, words: Sequence[str], vocabulary: Vocabulary) -> list[int]:
        """Ids of a tokenized sentence; neither START nor END is added."""
        normal = self.normalize_sentence(words)
        if self.unk_token is None:
            return [vocabulary.id_of(word) for word in normal]
        return [
            UNK_ID if self.means_unknown(word) else vocabulary.id_of(form)
            for word, form in zip(words, normal, strict=True)
        ]

    def decode(self, ids: Sequence[int], vocabulary: Vocabulary) -> list[str]:
        """Words of ids, without END; UNK reads as `unk_token` where the corpus has one."""
        unk = self.unk_token or vocabulary.word_of(UNK_ID)
        return [unk if id == UNK_ID else vocabulary.word_of(id) for id in ids if id != END_ID]

    def to_dict(self) -> dict[str, Any]:
        return {
            "tokenizer": self.tokenizer,
            "sentences": self.sentences,
            "case": self.case,
            "lowered": list(self.lowered),
            "unk_token": self.unk_token,
            "punkt": None if self.punkt is None else self.punkt.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Pipeline":
        """Raises ConfigError unless `data` is what `to_dict` gives, or gave when case was folded or kept."""
        try:
            tokenizer, sentences = data["tokenizer"], data["sentences"]
            unk_token, punkt = data["unk_token"], data["punkt"]
            if "lowercase" in data:
                case: Any = {True: "lower", False: "keep"}[data["lowercase"]]
                lowered: Any = []
            else:
                case, lowered = data["case"], data["lowered"]
        except (LookupError, TypeError) as error:
            raise ConfigError(f"pipeline settings are malformed ({error!r})") from None
        if not all(isinstance(name, str) for name in (tokenizer, sentences, case)):
            raise ConfigError("pipeline settings are malformed (a name is not text)")
        if not isinstance(lowered, list) or not all(isinstance(word, str) for word in lowered):
            raise ConfigError("pipeline settings are malformed (lowered is not a list of words)")
        if not isinstance(unk_token, str | None):
            raise ConfigError("pipeline settings are malformed (unk_token)")
        return cls(
            tokenizer=tokenizer,
            sentences=sentences,
            case=case,
            lowered=tuple(lowered),
            unk_token=unk_token,
            punkt=None if punkt is None else PunktParameters.from_dict(punkt),
        )

    @property
    def shown_case(self) -> str:
        """What is done to case, for a person."""
        return {
            "lower": "lower-cased",
            "keep": "case kept",
            "true": "first words of sentences in their usual case",
        }[self.case]
