"""A fast tokenizer of transformers that reads words exactly as a model's stored pipeline does."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import NormalizedString, PreTokenizedString, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import PreTokenizer, WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from langmodel.errors import InputError
from langmodel.text.alignment import word_spans
from langmodel.text.pipeline import Pipeline
from langmodel.text.vocabulary import END_ID, SPECIAL_TOKENS, START_ID, UNK_ID, Vocabulary

FILE = "langmodel.json"


class _Words:
    """A text's words by the pipeline, each in the form under which the vocabulary knows it."""

    def __init__(self, pipeline: Pipeline, names: Sequence[str]) -> None:
        self._pipeline = pipeline
        self._unknown = names[UNK_ID]

    def pre_tokenize(self, text: PreTokenizedString) -> None:
        text.split(self._split)

    def _split(self, _: int, text: NormalizedString) -> list[NormalizedString]:
        written = str(text)
        words = self._pipeline.tokenize(written)
        forms = self._pipeline.normalize_sentence(words)
        forms = [
            self._unknown if self._pipeline.means_unknown(word) else form
            for word, form in zip(words, forms, strict=True)
        ]
        try:
            spans = word_spans(written, words)
        except InputError:  # the tokenizer changes its text: words without places
            return [NormalizedString(form) for form in forms]
        pieces = [text[start:end] for start, end in spans]
        for piece, form in zip(pieces, forms, strict=True):
            if str(piece) != form:
                piece.replace(str(piece), form)
        return pieces


def special_names(vocabulary: Vocabulary) -> tuple[str, ...]:
    """How the special ids are written in a text: as always, unless a word of the vocabulary looks so."""
    names = []
    for name in SPECIAL_TOKENS:
        while name in vocabulary:
            name = f"<{name}>"
        names.append(name)
    return tuple(names)


class LangModelTokenizer(PreTrainedTokenizerFast):  # type: ignore[misc]
    """Neither START nor END is added; write them as `bos_token` and `eos_token`, or add them as ids."""

    vocab_files_names = {"vocab_file": FILE}  # noqa: RUF012  (transformers' own interface)
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012
    padding_side = "right"

    def __init__(
        self,
        vocab_file: str | None = None,
        language: tuple[Vocabulary, Pipeline] | None = None,
        **kwargs: Any,
    ) -> None:
        if language is None:
            if vocab_file is None:
                raise ValueError(f"needs a vocabulary: {FILE}, or language=(vocabulary, pipeline)")
            language = _read(Path(vocab_file))
        self.vocabulary, self.pipeline = language
        names = special_names(self.vocabulary)
        ids = {word: id for id, word in enumerate([*names, *self.vocabulary.words])}
        backend = Tokenizer(WordLevel(ids, unk_token=names[UNK_ID]))
        backend.pre_tokenizer = WhitespaceSplit()  # transformers copies it, and copies no code
        given = {"unk_token": names[UNK_ID], "bos_token": names[START_ID], "eos_token": names[END_ID]}
        kwargs = {**given, "pad_token": names[END_ID], **kwargs}
        kwargs.pop("tokenizer_object", None)
        super().__init__(tokenizer_object=backend, **kwargs)
        self._tokenizer.pre_tokenizer = PreTokenizer.custom(_Words(self.pipeline, names))

    def _decode(self, token_ids: int | Sequence[int], skip_special_tokens: bool = False, **more: Any) -> str:
        """Readable text; special tokens stand apart."""
        ids = [token_ids] if isinstance(token_ids, int) else list(token_ids)
        parts: list[str] = []
        words: list[str] = []
        for id in [*ids, None]:
            if id is not None and id > END_ID:
                words.append(self.vocabulary.word_of(id))
                continue
            if words:
                parts.append(self.pipeline.detokenize(words))
                words = []
            if id is not None and not skip_special_tokens:
                parts.append(self.convert_ids_to_tokens(id))
        return " ".join(parts)

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str]:
        file = Path(save_directory, f"{filename_prefix}-{FILE}" if filename_prefix else FILE)
        document = {
            "vocabulary": {"words": self.vocabulary.words, "counts": self.vocabulary.counts},
            "pipeline": self.pipeline.to_dict(),
        }
        file.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        return (str(file),)

    def _save_pretrained(
        self,
        save_directory: str,
        file_names: tuple[str, ...],
        legacy_format: bool | None = None,
        filename_prefix: str | None = None,
    ) -> tuple[str, ...]:
        """No tokenizer.json: it cannot hold a pipeline."""
        return file_names + self.save_vocabulary(save_directory, filename_prefix)

    def __reduce__(self) -> Any:
        return _remade, (self.vocabulary, self.pipeline, self.padding_side)


def _remade(vocabulary: Vocabulary, pipeline: Pipeline, padding_side: str) -> LangModelTokenizer:
    return LangModelTokenizer(language=(vocabulary, pipeline), padding_side=padding_side)


def _read(file: Path) -> tuple[Vocabulary, Pipeline]:
    """Raises InputError for a file that is not what `save_vocabulary` writes."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        words, counts = document["vocabulary"]["words"], document["vocabulary"]["counts"]
        return Vocabulary(words, counts), Pipeline.from_dict(document["pipeline"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise InputError(f"{file}: not the vocabulary of a langmodel tokenizer ({error!r:.100})") from None
