"""What is wrong with a corpus, or could be better: findings, each with the flag that mends it."""

# N = tokens of a stream

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import IdArray
from langmodel.runs.budget import step_time
from langmodel.runs.suiting import suited_settings
from langmodel.text.corpus import Corpus
from langmodel.text.corpus_files import SPLITS
from langmodel.text.tokenizers import SPELLED
from langmodel.text.vocabulary import END_ID, UNK_ID
from langmodel.training.trainer import Trainer

SIZES = (4_000, 8_000, 16_000, 32_000, 64_000)
"""Rows of vocabularies that are compared."""

LEAST_WORDS = 5
"""Shorter sentences repeat by themselves: "Yes." is no duplicate."""

OFTEN = 10
"""A sentence that recurs so often is boilerplate, or a refrain."""

LONG_SENTENCE = 250
"""Words; longer ones are lists, or were not split."""

MOJIBAKE = re.compile("Ã[\x80-\xbf]|â€|Â[\xa0-\xbf]|\ufffd")
"""UTF-8 that was read as Latin-1 or cp1252, and characters that were lost."""

PROBE_SECONDS = 3.0

MOST_SENTENCES = 2_000_000
"""Of a corpus, so many are looked at for duplicates."""


@dataclass(frozen=True)
class Finding:
    """One line for a person; `is_fault` marks what should be mended."""

    text: str
    is_fault: bool = False


def examine(corpus: Corpus) -> Iterator[Finding]:
    """Everything that is looked at, in the order in which a person would."""
    yield from _unknown(corpus)
    yield from _duplicates(corpus)
    yield from _lengths(corpus)
    yield from _characters(corpus)
    yield _time(corpus)


def _unknown(corpus: Corpus) -> Iterator[Finding]:
    """Share of the training split that would be unknown, by rows of the vocabulary."""
    counts = np.sort(np.array([*corpus.vocabulary.counts, *corpus.rare_words().counts], np.int64))[::-1]
    total = int(counts.sum())
    if not total:
        return
    shown = ", ".join(
        f"{size:,} rows {counts[size - 3 :].sum() / total:.1%}" for size in SIZES if size - 3 <= len(counts)
    )
    more = f"; with {len(counts) + 3:,} rows and --min-count 1, none" if len(counts) <= SIZES[-1] else ""
    yield Finding(f"unknown words by --vocabulary-size, of training: {shown or 'all words fit'}{more}")
    for name in ("valid", "test"):
        split = corpus.statistics[name]
        if split.tokens and split.unknown > 0.15 * split.tokens:
            yield Finding(
                f"{name}: {split.unknown / split.tokens:.1%} of the words are unknown; raise "
                "--vocabulary-size, or use another --tokenizer",
                is_fault=True,
            )


def _sentences(ids: IdArray) -> list[bytes]:
    """Those of LEAST_WORDS words or more without an unknown one, as bytes to compare."""
    ends = np.flatnonzero(ids == END_ID)[:MOST_SENTENCES]
    found, start = [], 0
    for end in ends.tolist():
        sentence = ids[start:end]
        if len(sentence) >= LEAST_WORDS and not (sentence == UNK_ID).any():
            found.append(sentence.tobytes())
        start = end + 1
    return found


def _duplicates(corpus: Corpus) -> Iterator[Finding]:
    seen = {name: _sentences(corpus.split(name)) for name in SPLITS}
    train = Counter(seen["train"])
    repeated = sum(n - 1 for n in train.values())
    if train and repeated > 0.01 * len(seen["train"]):
        yield Finding(
            f"{repeated / len(seen['train']):.1%} of the training sentences (of {LEAST_WORDS} words or more) "
            "are duplicates; remove copies from the text",
            is_fault=True,
        )
    for name in ("valid", "test"):
        shared = sum(sentence in train for sentence in seen[name])
        if seen[name] and shared > 0.03 * len(seen[name]):
            yield Finding(
                f"{name}: {shared / len(seen[name]):.1%} of its sentences also occur in train, so its "
                "perplexity is too good; use --split-by document, or a --" + name + " text of its own",
                is_fault=True,
            )
    refrains = [(n, text) for text, n in train.items() if n >= OFTEN]
    for n, text in sorted(refrains, reverse=True)[:3]:
        ids = np.frombuffer(text, corpus.split("train").dtype)
        words = corpus.pipeline.detokenize(corpus.pipeline.decode(ids.tolist(), corpus.vocabulary))
        yield Finding(f"recurs {n:,} times: {words[:70]!r}; if it is boilerplate, remove it (--clean)", True)


def _lengths(corpus: Corpus) -> Iterator[Finding]:
    split = corpus.statistics["train"]
    mean = split.tokens / max(1, split.sentences)
    yield Finding(f"sentences: {mean:.1f} words on average, the longest {split.longest_sentence:,}")
    if split.longest_sentence > LONG_SENTENCE:
        yield Finding(
            f"a sentence of {split.longest_sentence:,} words: a list, or not split; see --sentences",
            is_fault=True,
        )
    if mean < 3 and corpus.pipeline.tokenizer not in SPELLED:
        yield Finding(
            "sentences of under three words on average: try another --sentences or --tokenizer", True
        )


def _characters(corpus: Corpus) -> Iterator[Finding]:
    """Words that tell of a wrong encoding, or hold what nobody can see."""
    vocabulary = corpus.vocabulary
    counted = zip(vocabulary.words, vocabulary.counts, strict=True)
    broken, invisible = Counter[str](), Counter[str]()
    for word, count in counted:
        if MOJIBAKE.search(word):
            broken[word] = count
        elif any(unicodedata.category(character) in ("Cc", "Cf", "Co") for character in word):
            invisible[word] = count
    for found, what in (
        (broken, "a wrong encoding; preprocess again with --encoding"),
        (invisible, "invisible characters; remove them from the text"),
    ):
        if found:
            words = ", ".join(repr(word) for word, _ in found.most_common(3))
            yield Finding(f"{found.total():,} words such as {words} point to {what}", is_fault=True)


def _time(corpus: Corpus) -> Finding:
    """Minutes per epoch of the default network on this machine, from a few seconds of training."""
    config, _ = suited_settings(corpus, {}, plans_epochs=False)
    train = corpus.split("train")
    if len(train) <= config.batch_size:
        return Finding("training: too little text to measure")
    network = RecurrentLM(
        config.architecture(len(corpus.vocabulary), corpus.vocabulary.counts),
        torch.Generator().manual_seed(1),
    )
    probe = Trainer(network, train, corpus.split("valid"), config)
    seconds, _ = step_time(probe, PROBE_SECONDS)
    return Finding(
        f"training: {seconds * probe.steps_of(1) / 60:.2g} minutes per epoch for the default network on this "
        "machine (train --minutes plans with it)"
    )
