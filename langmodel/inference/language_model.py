"""LanguageModel: the face of a trained model. Text in; sentences and probabilities out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import tee
from operator import index
from pathlib import Path
from typing import TypeVar

import torch

from langmodel.errors import ConfigError
from langmodel.inference import scoring
from langmodel.inference.balance import Balance
from langmodel.inference.beam import beam_search
from langmodel.inference.demands import avoids, copies_at_most, includes
from langmodel.inference.prefix_tree import score_prefix_tree
from langmodel.inference.results import HiddenStates, NextWord, SampledSentence, SentenceScore, WordScore
from langmodel.inference.sampling import sample_ids
from langmodel.inference.settings import MAX_SEED, SamplingSettings
from langmodel.inference.wording import filled, spelled, worded
from langmodel.network import evaluation
from langmodel.network.architecture import CONTEXTS
from langmodel.network.device import choose_device
from langmodel.network.evaluation import Likelihood
from langmodel.network.likelihood import log_probabilities
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import IdArray
from langmodel.ngrams.copied_runs import CopiedRuns
from langmodel.storage.model_file import SavedModel, load_model, model_path
from langmodel.text.pipeline import Pipeline
from langmodel.text.reading import read_sentences
from langmodel.text.vocabulary import END_ID, SPECIAL_TOKENS, UNK_ID, Vocabulary

Texts = TypeVar("Texts", bound=Iterable[str])

END_TEXT = SPECIAL_TOKENS[END_ID]

EVALUATION_SENTENCES = 64
"""Sentences evaluated side by side in `context=sentence`; a document is read in one column, exactly."""


def _sentence_score(text: str, words: list[str], ids: list[int], scores: scoring.Scores) -> SentenceScore:
    return SentenceScore(
        text,
        tuple(
            WordScore(word, log_prob, id == UNK_ID, id, *(details and (details[0], int(details[1]))))
            for word, id, (log_prob, *details) in zip(
                [*words, END_TEXT], [*ids, END_ID], scores.tolist(), strict=True
            )
        ),
    )


def _several(texts: Texts) -> Texts:
    """The same, unless it is one text, whose characters nobody means."""
    if isinstance(texts, str):
        raise TypeError(f"expected several texts, got one: {texts[:40]!r}; put it in a list")
    return texts


class LanguageModel:
    """A trained network with the vocabulary and the text pipeline that belong to it.

    All text goes through the stored pipeline, except that it is not split into sentences: a string
    is one sentence.
    """

    def __init__(
        self, network: RecurrentLM, vocabulary: Vocabulary, pipeline: Pipeline, context: str = "sentence"
    ) -> None:
        self.network = network.eval()
        self.vocabulary = vocabulary
        self.pipeline = pipeline
        self.context = context

    def __repr__(self) -> str:
        a = self.network.architecture
        return (
            f"<LanguageModel: {a.cell.upper()} {'-'.join(map(str, a.hidden_sizes))}, "
            f"{len(self.vocabulary):,} vocabulary rows, trained on each {self.context}>"
        )

    @classmethod
    def of(cls, saved: SavedModel) -> "LanguageModel":
        return cls(saved.network, saved.vocabulary, saved.pipeline, saved.context)

    def score(self, text: str) -> SentenceScore:
        """Natural-log probability of `text` and END, given START; the empty text is P(END | START)."""
        return next(self.score_lines([text]))

    def score_lines(
        self, lines: Iterable[str], context: str = "sentence", *, detailed: bool = False
    ) -> Iterator[SentenceScore]:
        """A score for every line, in order, read as they are asked for.

        `context=sentence` starts each line from the zero state; `document` carries the state on.
        `detailed` scores have each word's rank and the entropy before it.
        """
        if context not in CONTEXTS:
            raise ConfigError(f"unknown context {context!r}; choose from {', '.join(CONTEXTS)}")
        to_score, to_show = tee(map(self._read, _several(lines)))
        score = scoring.score_sentences if context == "sentence" else scoring.score_document
        measure = scoring.with_entropy_and_rank if detailed else scoring.log_prob_only
        scored = score(self.network, (ids for _, _, ids in to_score), measure)
        return (_sentence_score(*shown, row) for row, shown in zip(scored, to_show, strict=False))

    def log_probs(self, texts: Sequence[str], *, open_vocabulary: int | None = None) -> list[float]:
        """The log_prob of each text's score; beginnings that texts share are computed once.

        With an `open_vocabulary` of N words, UNK's probability is shared out equally among those of them that
        the model lacks. Raises ConfigError if there are none.
        """
        ids = [self._read(text)[2] for text in _several(texts)]
        log_probs = score_prefix_tree(self.network, ids)
        if open_vocabulary is None:
            return log_probs
        share = evaluation.log_share_of_unk(len(self.vocabulary.words), open_vocabulary)
        return [log_prob + share * one.count(UNK_ID) for log_prob, one in zip(log_probs, ids, strict=True)]

    def _read(self, line: str) -> tuple[str, list[str], list[int]]:
        words = self.pipeline.tokenize(line)
        return line, words, self.pipeline.encode(words, self.vocabulary)

    def evaluate_lines(self, lines: Iterable[str], context: str | None = None) -> Likelihood:
        """The likelihood of a text with a sentence a line; lines without words are no sentences.

        `context` None means the one that the model was trained in.
        """
        full = (line for line in _several(lines) if line.strip())
        scores = self.score_lines(full, context or self.context)
        return sum((score.likelihood for score in scores), start=evaluation.NOTHING)

    def evaluate_ids(self, ids: IdArray, context: str | None = None) -> Likelihood:
        """The likelihood of an encoded split, made with this model's vocabulary."""
        context = context or self.context
        columns = 1 if context == "document" else EVALUATION_SENTENCES
        windows = evaluation.evaluation_windows(ids, context, columns)
        return evaluation.evaluate_windows(self.network, windows)

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
    ) -> list[SampledSentence]:
        """`n` sentences; the same seed gives the same ones, and the same first ones where more are asked for;
        None gives different ones each time.

        None has a word of `ban`, which must be known words or are left aside, and all have every word of
        `include`: sentences without are drawn again. With `copies`, each carries its longest run of words of
        that text, and those with a run of more than `most_copied` are drawn again. `rare_words` are for the
        unk policy `copy-rare`: those that stand for UNK, drawn in proportion to their counts.
        Raises ConfigError for a prefix that leaves no room and for an unknown word to include,
        SamplingError when nothing can be drawn.
        """
        drawn = self.draw(
            n, seed=seed, prefix=prefix, settings=settings, ban=ban, include=include, copies=copies,
            most_copied=most_copied, rare_words=rare_words,
        )  # fmt: skip
        return [sentence for sentence, _ in drawn]

    def draw(
        self,
        n: int,
        *,
        seed: int | None = None,
        prefix: str = "",
        settings: SamplingSettings = SamplingSettings(),
        ban: Sequence[str] = (),
        include: Sequence[str] = (),
        copies: CopiedRuns | None = None,
        most_copied: int | None = None,
        rare_words: Vocabulary | None = None,
    ) -> Iterator[tuple[SampledSentence, int]]:
        """The sentences of `sample` as they come, each with how many had been drawn by then."""
        if n < 0:
            raise ConfigError(f"cannot draw {n} sentences")
        if seed is not None and not 0 <= (seed := index(seed)) <= MAX_SEED:
            raise ConfigError(f"seed must be between 0 and {MAX_SEED}, got {seed}")
        words, prefix_ids = self._prefix(prefix, settings)
        if settings.unk == "copy-rare" and not (rare_words and rare_words.words):
            raise ConfigError("copy-rare needs words that fell outside the vocabulary, and there are none")
        demands = [includes(self._known(word), word) for word in _several(include)]
        named = {word: self.spelled(word) for word in _several(ban)}
        demands += [avoids(ids, word, len(prefix_ids)) for word, ids in named.items() if len(ids) > 1]
        if most_copied is not None:
            if copies is None:
                raise ConfigError("a limit on what is copied needs the text: give copies too")
            if copies.longest_run(prefix_ids) > most_copied:
                raise ConfigError(f"the prefix copies more than {most_copied} words; shorten it")
            demands.append(copies_at_most(copies, most_copied))
        generator, filling = torch.Generator(), torch.Generator()
        if seed is None:
            seed = generator.seed() % (MAX_SEED + 1)
        generator.manual_seed(seed)
        filling.manual_seed(MAX_SEED - seed)
        drawn = sample_ids(
            self.network, n, settings,
            prefix=prefix_ids, banned=[ids[0] for ids in named.values() if len(ids) == 1], demands=demands,
            balance=Balance.of(self.vocabulary) if settings.balance else None, generator=generator,
        )  # fmt: skip
        for one, tries in drawn:
            sentence = worded(one, words, self.pipeline, self.vocabulary)
            if copies is not None:
                sentence = replace(sentence, longest_copied_run=copies.longest_run(one.ids))
            if settings.unk == "copy-rare" and rare_words is not None:
                sentence = filled(sentence, one.ids, len(prefix_ids), rare_words, self.pipeline, filling)
            yield sentence, tries

    def likeliest(
        self,
        width: int,
        *,
        prefix: str = "",
        settings: SamplingSettings = SamplingSettings(),
        ban: Sequence[str] = (),
    ) -> list[SampledSentence]:
        """Up to `width` sentences by beam search of that width, likeliest first; nothing is drawn."""
        words, prefix_ids = self._prefix(prefix, settings)
        named = {word: self.spelled(word) for word in _several(ban)}
        for word, ids in named.items():
            if len(ids) > 1:
                raise ConfigError(f"{word!r} is {len(ids)} words here; beam search bans single ones")
        banned = [id for ids in named.values() for id in ids]
        found = beam_search(self.network, width, settings, prefix=prefix_ids, banned=banned)
        return [worded(one, words, self.pipeline, self.vocabulary) for one in found]

    def spelled(self, word: str) -> list[int]:
        """The ids of what a user names, several where the tokenizer cuts it; none for an unknown word."""
        return spelled(word, self.pipeline, self.vocabulary)

    def unknown_words(self, words: Sequence[str]) -> list[str]:
        """Those of a tokenized text that are read as UNK; what the corpus itself calls unknown is not."""
        read = zip(words, self.pipeline.encode(_several(words), self.vocabulary), strict=True)
        return [word for word, id in read if id == UNK_ID and not self.pipeline.means_unknown(word)]

    def _known(self, word: str) -> list[int]:
        ids = self.spelled(word)
        if not ids or ids == [UNK_ID]:
            raise ConfigError(f"the word {word!r} is not in the vocabulary; no sentence can have it")
        return ids

    def _prefix(self, prefix: str, settings: SamplingSettings) -> tuple[list[list[str]], list[int]]:
        """The words of each sentence of a prefix, and its ids, END between two sentences."""
        texts = [prefix] if prefix else []
        if prefix and settings.sentences > 1:
            texts = [sentence.text for sentence in read_sentences([prefix], self.pipeline)]
        sentences = [self.pipeline.tokenize(text) for text in texts]
        most = settings.length + 1 if settings.length else settings.max_length
        if sentences and len(sentences[-1]) >= most:
            flag = "length" if settings.length else "max length"
            raise ConfigError(
                f"the prefix has {len(sentences[-1])} words; {flag} is {settings.length or most}, raise it"
            )
        if len(sentences) > settings.sentences:
            raise ConfigError(f"the prefix has {len(sentences)} sentences; raise --sentences")
        ids: list[int] = []
        for number, words in enumerate(sentences):
            ids += [END_ID] if number else []
            ids += self.pipeline.encode(words, self.vocabulary)
        return sentences, ids

    @torch.inference_mode()
    def hidden_states(self, text: str) -> HiddenStates:
        """The hidden states after each word of `text`, START read first, and the final state.

        Raises ConfigError for a network whose layers differ in size: they do not fit one array.
        """
        sizes = self.network.architecture.hidden_sizes
        if len(set(sizes)) > 1:
            raise ConfigError(f"the layers have {', '.join(map(str, sizes))} units; no one array holds them")
        words = self.pipeline.tokenize(text)
        outputs, state = self.network.hidden_states(self.pipeline.encode(words, self.vocabulary))
        sequence_TLH = torch.stack(outputs, dim=1)[1:]
        final = [torch.cat(part).cpu().numpy() for part in zip(*state, strict=True)]
        return HiddenStates(
            tuple(words), sequence_TLH.cpu().numpy(), final[0], final[1] if len(final) > 1 else None
        )

    @torch.inference_mode()
    def next_words(self, context: str = "", k: int = 10) -> list[NextWord]:
        """The `k` likeliest continuations of a sentence that begins with `context`, likeliest first."""
        if k < 1:
            raise ConfigError(f"k must be at least 1, got {k}")
        ids = self.pipeline.encode(self.pipeline.tokenize(context), self.vocabulary)
        hidden_1O, _ = self.network.read(ids)
        log_probs = log_probabilities(hidden_1O, self.network.output_weight, self.network.output_bias)[0]
        # START, which has no probability, sorts last.
        best = log_probs.cpu().topk(min(k, len(self.vocabulary) - 1))
        return [
            NextWord(self.vocabulary.word_of(id), log_prob)
            for id, log_prob in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]


def load(path: str | Path, device: str = "cpu") -> LanguageModel:
    """The best model of a run directory, or the model in a `.safetensors` file.

    `device` is `auto`, `cpu`, `cuda` or `cuda:N`. Raises ModelFileError for a file, ConfigError
    for a device that cannot be used.
    """
    return LanguageModel.of(load_model(model_path(Path(path)), choose_device(device)))
