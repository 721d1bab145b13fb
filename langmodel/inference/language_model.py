"""LanguageModel: the face of a trained model. Text in; sentences and probabilities out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import tee
from pathlib import Path
from types import MappingProxyType
from typing import Any, overload

import torch

from langmodel.errors import ConfigError, CorpusError, ModelFileError, needs_extra
from langmodel.inference import drawing, scoring
from langmodel.inference.beam import beam_search
from langmodel.inference.drawing import SamplingRequest, several
from langmodel.inference.prefix_tree import score_prefix_tree
from langmodel.inference.results import (
    HiddenStates,
    NextWord,
    SampledSentence,
    Samples,
    Scores,
    SentenceScore,
)
from langmodel.inference.settings import SamplingSettings, changed
from langmodel.inference.wording import ScoredLine, beginning_with, sentence_in_words, sentence_score, spelled
from langmodel.network import evaluation
from langmodel.network.architecture import CONTEXTS
from langmodel.network.device import choose_device
from langmodel.network.evaluation import Likelihood
from langmodel.network.mixture import NgramPart, predictor_of
from langmodel.network.predictor import Predictor
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import IdArray
from langmodel.ngrams.copied_runs import CopiedRuns
from langmodel.storage.model_file import SavedModel, load_model, model_path, save_model
from langmodel.text.pipeline import Pipeline
from langmodel.text.reading import read_sentences
from langmodel.text.sources import read_lines
from langmodel.text.vocabulary import UNK_ID, Vocabulary

EVALUATION_SENTENCES = 64
"""Sentences evaluated side by side in `context=sentence`; a document is read in one column, exactly."""


class LanguageModel:
    """A trained network with the vocabulary and the text pipeline that belong to it.

    All text goes through the stored pipeline, except that it is not split into sentences: a string
    is one sentence.
    """

    def __init__(
        self,
        network: RecurrentLM,
        vocabulary: Vocabulary,
        pipeline: Pipeline,
        context: str = "sentence",
        provenance: Mapping[str, Any] = MappingProxyType({}),
        ngrams: NgramPart | None = None,
    ) -> None:
        self.network = network.eval()
        self.vocabulary = vocabulary
        self.pipeline = pipeline
        self.context = context
        self.provenance = dict(provenance)
        self.ngrams = ngrams

    @property
    def predictor(self) -> Predictor:
        """What scores and samples: the network, mixed with its n-grams if it has any."""
        return predictor_of(self.network, self.ngrams)

    @property
    def kind(self) -> str:
        """What gives the probabilities, for a person."""
        return "network" if self.ngrams is None else f"network and {self.ngrams.ngrams.order}-grams"

    def network_only(self) -> "LanguageModel":
        """The same without n-grams."""
        return LanguageModel(self.network, self.vocabulary, self.pipeline, self.context, self.provenance)

    def __repr__(self) -> str:
        a, ngrams = self.network.architecture, self.kind.removeprefix("network")
        return (
            f"<LanguageModel: {a.cell.upper()} {'-'.join(map(str, a.hidden_sizes))}{ngrams}, "
            f"{len(self.vocabulary):,} vocabulary rows, trained on each {self.context}>"
        )

    @classmethod
    def of(cls, saved: SavedModel) -> "LanguageModel":
        return cls(
            saved.network, saved.vocabulary, saved.pipeline, saved.context, saved.provenance, saved.ngrams
        )

    @overload
    def score(self, text: str) -> SentenceScore: ...

    @overload
    def score(self, text: list[str] | tuple[str, ...]) -> Scores: ...

    def score(self, text: str | list[str] | tuple[str, ...]) -> SentenceScore | Scores:
        """Natural-log probability of `text` and END, given START; the empty text is P(END | START).

        Several texts are scored separately. Words come with rank, entropy and the words expected instead.
        """
        if isinstance(text, str):
            return next(self.score_lines([text], detail="expected"))
        return Scores(self.score_lines(text, detail="expected"))

    def score_lines(
        self, lines: Iterable[str], context: str = "sentence", *, detail: str = "log_prob"
    ) -> Iterator[SentenceScore]:
        """A score for every line, in order, read lazily.

        `context=sentence` starts each line from the zero state; `document` carries the state on. `detail`:
        `log_prob` alone, `rank` with each word's rank and the entropy before it, or `expected` with the
        likeliest words in its place too.
        """
        scored = self.scored_lines(lines, context, detail=detail)
        return (sentence_score(line, self.vocabulary) for line in scored)

    def scored_lines(self, lines: Iterable[str], context: str, *, detail: str) -> Iterator[ScoredLine]:
        """The same, in arrays: for another process, which makes SentenceScores of them."""
        if context not in CONTEXTS:
            raise ConfigError(f"unknown context {context!r}; choose from {', '.join(CONTEXTS)}")
        to_score, to_show = tee(map(self._read, several(lines)))
        score = scoring.score_sentences if context == "sentence" else scoring.score_document
        measure = scoring.MEASURES[detail]
        scored = score(self.predictor, (ids for _, _, ids in to_score), measure)
        return (ScoredLine(*shown, row) for row, shown in zip(scored, to_show, strict=False))

    def log_probs(self, texts: Sequence[str], *, open_vocabulary: int | None = None) -> list[float]:
        """The log_prob of each text's score; shared beginnings are computed once.

        With an `open_vocabulary` of N words, UNK's probability is shared out equally among those of them that
        the model lacks. Raises ConfigError if there are none.
        """
        ids = [self._read(text)[2] for text in several(texts)]
        log_probs = score_prefix_tree(self.predictor, ids)
        if open_vocabulary is None:
            return log_probs
        share = evaluation.log_share_of_unk(len(self.vocabulary.words), open_vocabulary)
        return [
            log_prob + share * sentence.count(UNK_ID)
            for log_prob, sentence in zip(log_probs, ids, strict=True)
        ]

    def _read(self, line: str) -> tuple[str, list[str], list[int]]:
        words = self.pipeline.tokenize(line)
        return line, words, self.pipeline.encode(words, self.vocabulary)

    def evaluate_lines(self, lines: Iterable[str], context: str | None = None) -> Likelihood:
        """The likelihood of a text with one sentence per line; lines without words are skipped.

        `context` None means the one that the model was trained in.
        """
        full = (line for line in several(lines) if line.strip())
        scores = self.score_lines(full, context or self.context)
        return sum((score.likelihood for score in scores), start=evaluation.NOTHING)

    def evaluate(self, text: str | Path | Iterable[str], context: str | None = None) -> Likelihood:
        """The likelihood of a text: a file or anything else that `preprocess` takes, or lines.

        It is split into sentences as the model's corpus was. `context` None means the one that the model was
        trained in. Raises CorpusError for a text without words.
        """
        lines = read_lines(str(text)) if isinstance(text, str | Path) else text
        sentences = (sentence.text for sentence in read_sentences(lines, self.pipeline))
        result = self.evaluate_lines(sentences, context)
        if not result.tokens:
            raise CorpusError(f"{text if isinstance(text, str | Path) else 'text'}: no words to evaluate")
        return result

    def save(self, path: str | Path) -> None:
        """Write the model into one `.safetensors` file, whole or not at all."""
        saved = SavedModel(
            network=self.network,
            vocabulary=self.vocabulary,
            pipeline=self.pipeline,
            context=self.context,
            provenance=self.provenance,
            ngrams=self.ngrams,
        )
        save_model(Path(path), saved)

    def evaluate_ids(self, ids: IdArray, context: str | None = None) -> Likelihood:
        """The likelihood of an encoded split, made with this model's vocabulary."""
        context = context or self.context
        columns = 1 if context == "document" else EVALUATION_SENTENCES
        windows = evaluation.evaluation_windows(ids, context, columns)
        return evaluation.likelihood_of_windows(self.predictor, windows.epoch(0))

    def sample(
        self,
        n: int = 1,
        *,
        seed: int | None = None,
        prefix: str = "",
        settings: SamplingSettings = SamplingSettings(),
        ban: Sequence[str] = (),
        include: Sequence[str] = (),
        copies: CopiedRuns | None = None,
        most_copied: int | None = None,
        rare_words: Vocabulary | None = None,
        **changes: Any,
    ) -> Samples:
        """`n` sentences, or passages; the same seed gives the same ones, and the same first ones where more
        are asked for; None gives different ones each time.

        The other arguments are described at SamplingRequest. `changes` are fields of SamplingSettings
        (`temperature=0.7, top_p=0.9`), in place of those of `settings`. Raises ConfigError for a prefix that
        leaves no room and for an unknown word to include, SamplingError when nothing can be drawn.
        """
        request = SamplingRequest(
            prefix=prefix,
            settings=changed(settings, changes),
            ban=ban,
            include=include,
            copies=copies,
            most_copied=most_copied,
            rare_words=rare_words,
        )
        return Samples(sentence for sentence, _ in self.draw(n, request, seed=seed))

    def draw(
        self,
        n: int,
        request: SamplingRequest,
        *,
        seed: int | None = None,
        check: Callable[[], object] = lambda: None,
    ) -> Iterator[tuple[SampledSentence, int]]:
        """The sentences of `sample` as they come, each with how many had been drawn by then.

        `check` is called before every word, and may raise to stop the work.
        """
        return drawing.draw(self.predictor, self.vocabulary, self.pipeline, n, request, seed, check)

    def likeliest(
        self,
        width: int,
        *,
        prefix: str = "",
        settings: SamplingSettings = SamplingSettings(),
        ban: Sequence[str] = (),
    ) -> list[SampledSentence]:
        """Up to `width` sentences by beam search of that width, likeliest first; nothing is drawn."""
        words, prefix_ids = drawing.read_prefix(prefix, settings, self.pipeline, self.vocabulary)
        named = {word: self.spelled(word) for word in several(ban)}
        for word, ids in named.items():
            if len(ids) > 1:
                raise ConfigError(f"{word!r} is {len(ids)} words here; beam search can ban only single words")
        banned = [id for ids in named.values() for id in ids]
        found = beam_search(self.predictor, width, settings, prefix=prefix_ids, banned=banned)
        return [sentence_in_words(each, words, self.pipeline, self.vocabulary) for each in found]

    def spelled(self, word: str) -> list[int]:
        """The ids of a word, several if the tokenizer splits it; none for an unknown word."""
        return spelled(word, self.pipeline, self.vocabulary)

    def unknown_words(self, words: Sequence[str]) -> list[str]:
        """Words of a tokenized text that are read as UNK, without those that the corpus itself marks so."""
        read = zip(words, self.pipeline.encode(several(words), self.vocabulary), strict=True)
        return [word for word, id in read if id == UNK_ID and not self.pipeline.means_unknown(word)]

    @torch.inference_mode()
    def hidden_states(self, text: str) -> HiddenStates:
        """The hidden states after each word of `text`, START read first, and the final state.

        Raises ConfigError for a network whose layers differ in size: they do not fit one array.
        """
        sizes = self.network.architecture.hidden_sizes
        if len(set(sizes)) > 1:
            raise ConfigError(f"layers of {', '.join(map(str, sizes))} units do not fit one array")
        words = self.pipeline.tokenize(text)
        outputs, state = self.network.hidden_states(self.pipeline.encode(words, self.vocabulary))
        sequence_TLH = torch.stack(outputs, dim=1)[1:]
        final = [torch.cat(part).cpu().numpy() for part in zip(*state, strict=True)]
        return HiddenStates(
            tuple(words), sequence_TLH.cpu().numpy(), final[0], final[1] if len(final) > 1 else None
        )

    def next_words(self, context: str = "", k: int = 10, *, beginning: str = "") -> list[NextWord]:
        """The `k` likeliest continuations of a sentence that begins with `context`, likeliest first.

        With a `beginning`, only words that begin with it, ignoring case.
        """
        return self.next_after(self.pipeline.tokenize(context), k, beginning=beginning)

    @torch.inference_mode()
    def next_after(self, words: Sequence[str], k: int = 10, *, beginning: str = "") -> list[NextWord]:
        """The same after words as the tokenizer gives them."""
        if k < 1:
            raise ConfigError(f"k must be at least 1, got {k}")
        predictor = self.predictor
        read_1R, _ = predictor.read(self.pipeline.encode(several(words), self.vocabulary))
        log_probs = predictor.output_layer.log_probabilities(read_1R)[0].cpu()
        # START, which has no probability, sorts last.
        order = log_probs.sort(descending=True, stable=True).indices[:-1].tolist()
        if beginning:
            order = beginning_with(beginning, order, self.vocabulary)
        return [NextWord(self.vocabulary.word_of(id), log_probs[id].item()) for id in order[:k]]

    def to_huggingface(self) -> Any:
        """The model and the tokenizer for Hugging Face's transformers (extra `[hf]`)."""
        with needs_extra("hf", "to_huggingface"):
            return import_module("langmodel.huggingface").from_langmodel(self)  # a face, which lies above


def load(path: str | Path, device: str = "cpu", *, network_only: bool = False) -> LanguageModel:
    """The best model of a run directory, or the model in a `.safetensors` file.

    With `network_only`, the n-grams that it may have beside its network are left out. `device` is `auto`,
    `cpu`, `cuda` or `cuda:N`. Raises ModelFileError for a file, ConfigError for a device that cannot be used.
    """
    saved = load_model(model_path(Path(path)), choose_device(device))
    if saved.direction != "forward":
        raise ModelFileError(f"{path}: reads {saved.direction}; it is for `train-classifier --from`")
    return LanguageModel.of(replace(saved, ngrams=None) if network_only else saved)
