"""Sentence -> words, and back. A tokenizer is one class and one entry in TOKENIZERS."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from langmodel.errors import ConfigError, InputError
from langmodel.text.detokenization import join_treebank_words
from langmodel.text.own_tokenizer import OwnTokenizer, is_own
from langmodel.text.toktok import ToktokTokenizer

if TYPE_CHECKING:
    from nltk.tokenize.destructive import NLTKWordTokenizer


class Tokenizer(Protocol):
    """Splits one sentence into words and joins words into readable text."""

    def tokenize(self, sentence: str) -> list[str]: ...

    def detokenize(self, words: Sequence[str]) -> str: ...


class WhitespaceTokenizer:
    """Words are what whitespace separates: for text that is tokenized already."""

    def tokenize(self, sentence: str) -> list[str]:
        return sentence.split()

    def detokenize(self, words: Sequence[str]) -> str:
        return " ".join(words)


class CharacterTokenizer:
    """Every character is a word; a run of whitespace is one space."""

    def tokenize(self, sentence: str) -> list[str]:
        return list(" ".join(sentence.split()))

    def detokenize(self, words: Sequence[str]) -> str:
        return "".join(words)


BYTE_WORDS = tuple(chr(byte) if 0x20 <= byte < 0x7F else f"<0x{byte:02x}>" for byte in range(256))
"""How a byte is written as a word: a printable ASCII character as itself, others as SentencePiece does,
but in lower case, so that no --case changes it."""

BYTES = {word: bytes([byte]) for byte, word in enumerate(BYTE_WORDS)}


class ByteTokenizer:
    """Every byte of UTF-8 is a word: 259 rows hold any script. A run of whitespace is one space."""

    def tokenize(self, sentence: str) -> list[str]:
        return [BYTE_WORDS[byte] for byte in " ".join(sentence.split()).encode(errors="replace")]

    def detokenize(self, words: Sequence[str]) -> str:
        """Bytes that are not UTF-8 together, as a model may write them, become U+FFFD."""
        return b"".join(BYTES.get(word, word.encode()) for word in words).decode(errors="replace")


CLOSERS = frozenset("])}>\"'»”’")
"""What NLTK's rule for the sentence-final period allows after it."""

CLOSING_MARK, OTHER_CLOSING_MARKS = "''", "”»’"
"""Two apostrophes, and what NLTK's rules treat alike wherever it stands."""

CONTRACTED = frozenset(["cannot", "gimme", "gonna", "gotta", "lemme", "wanna"])
"""The plain words that NLTK cuts in two."""

CACHE_LIMIT = 400_000
"""Distinct chunks remembered before the cache starts again; bounds the memory of odd corpora."""


def _split_plain(chunk: str, marks: str) -> list[str] | None:
    """The tokens of a plain word: ASCII letters, digits and single hyphens, perhaps a possessive 's, then
    at most one of `marks`. None for all else.

    No rule touches such a word unless a part of it is a contraction; 's is cut off by one rule, and each
    of `marks` by another.
    """
    word, mark = (chunk[:-1], [chunk[-1]]) if chunk[-1] in marks else (chunk, [])
    core, possessive = (word[:-2], ["'s"]) if word.endswith("'s") else (word, [])
    if not core.isascii():
        return None
    if not core.isalnum():
        parts = core.split("-")
        if not all(part.isalnum() and part.lower() not in CONTRACTED for part in parts):
            return None
    elif core.lower() in CONTRACTED:
        return None
    return [core, *possessive, *mark]


class NltkTokenizer:
    """The Treebank rules of `nltk.word_tokenize`, on a sentence whose whitespace runs count as one space.

    But for one thing: two apostrophes that stand alone stay a closing quotation mark, so that tokenized text
    comes out as it went in.

    NLTK's rules look at one whitespace-delimited chunk and the blanks beside it, save at the two ends
    of the sentence: the rules for the final period reach from the end back over chunks of closing
    punctuation only. So the tokens of a chunk inside the sentence never change, and are computed once
    and remembered; so are those of a first chunk and of a last stretch. A plain word needs no rule at
    all. The tests hold this against NLTK itself.
    """

    def __init__(self) -> None:
        self._first: dict[str, list[str]] = {}
        self._inside: dict[str, list[str]] = {}
        self._last: dict[str, list[str]] = {}

    @cached_property
    def _nltk(self) -> "NLTKWordTokenizer":
        from nltk.tokenize.destructive import NLTKWordTokenizer

        return NLTKWordTokenizer()

    def _tokenize_whole(self, text: str) -> list[str]:
        # After a blank, NLTK takes '' for an opening quotation mark; it is what closes one in tokenized text.
        stand_in = next((mark for mark in OTHER_CLOSING_MARKS if mark not in text), None)
        if stand_in is None or CLOSING_MARK not in text.split():
            return self._tokenize_as_nltk(text)
        chunks = (stand_in if chunk == CLOSING_MARK else chunk for chunk in text.split())
        tokens = self._tokenize_as_nltk(" ".join(chunks))
        return [CLOSING_MARK if token == stand_in else token for token in tokens]

    def _tokenize_as_nltk(self, text: str) -> list[str]:
        try:
            return list(self._nltk.tokenize(text))
        except TimeoutError:
            raise InputError(
                f"NLTK's tokenizer gave up on {text[:40]!r}… ({len(text)} characters); "
                "break the line, or use --tokenizer whitespace"
            ) from None

    def tokenize(self, sentence: str) -> list[str]:
        chunks = sentence.split()
        last = len(chunks) - 1
        while last > 0 and CLOSERS.issuperset(chunks[last]):
            last -= 1
        if last <= 0:
            return self._tokenize_whole(" ".join(chunks))

        if len(self._inside) + len(self._first) + len(self._last) > CACHE_LIMIT:
            for cache in (self._first, self._inside, self._last):
                cache.clear()

        first = chunks[0]
        tokens = self._first.get(first)
        if tokens is None:
            tokens = self._first[first] = (
                _split_plain(first, ",;:?!") or self._tokenize_whole(f"{first} x")[:-1]
            )
        words = tokens.copy()
        inside = self._inside
        for chunk in chunks[1:last]:
            tokens = inside.get(chunk)
            if tokens is None:
                tokens = inside[chunk] = (
                    _split_plain(chunk, ",;:?!") or self._tokenize_whole(f"x {chunk} x")[1:-1]
                )
            words += tokens
        ending = " ".join(chunks[last:])
        tokens = self._last.get(ending)
        if tokens is None:
            tokens = self._last[ending] = (
                _split_plain(ending, ".,;:?!") or self._tokenize_whole(f"x {ending}")[1:]
            )
        words += tokens
        return words

    def detokenize(self, words: Sequence[str]) -> str:
        return join_treebank_words(words)


class JiebaTokenizer:
    """Chinese words, by rjieba (extra `[zh]`); whitespace between them is dropped."""

    @cached_property
    def _cut(self) -> Callable[[str], list[str]]:
        try:
            import rjieba
        except ImportError:
            raise ConfigError("--tokenizer jieba needs rjieba: pip install 'langmodel[zh]'") from None
        cut: Callable[[str], list[str]] = rjieba.cut
        return cut

    def tokenize(self, sentence: str) -> list[str]:
        return [word for word in self._cut(sentence) if not word.isspace()]

    def detokenize(self, words: Sequence[str]) -> str:
        """Without blanks, but between words of letters and digits that would run into one."""
        text = ""
        for word in words:
            joined = text[-1:].isascii() and text[-1:].isalnum() and word[:1].isascii() and word[:1].isalnum()
            text += f" {word}" if joined else word
        return text


TOKENIZERS: dict[str, type[Tokenizer]] = {
    "nltk": NltkTokenizer,
    "toktok": ToktokTokenizer,
    "whitespace": WhitespaceTokenizer,
    "character": CharacterTokenizer,
    "byte": ByteTokenizer,
    "jieba": JiebaTokenizer,
}


SPELLED = frozenset(["character", "byte"])
"""The tokenizers whose words are parts of words: a few pages have nearly all of them."""


def make_tokenizer(name: str) -> Tokenizer:
    """One of the table, or the user's own, `module:function`. Raises ConfigError for an unknown name."""
    if name in TOKENIZERS:
        return TOKENIZERS[name]()
    if is_own(name):
        return OwnTokenizer(name)
    raise ConfigError(f"unknown tokenizer {name!r}; choose from {', '.join(TOKENIZERS)}, or module:function")
