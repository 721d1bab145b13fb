"""The original tutorial's numbers, beside ours, on any preprocessed corpus.

    langmodel preprocess mytext.txt -o corpora/mine
    python scripts/reproduce_tutorial.py corpora/mine [--json FILE]

Network: RNN of 100 units, one-hot input, no biases, BPTT truncated at 4, SGD at 0.005, a sentence a step.
"""

import argparse
import itertools
import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from langmodel.cores import usable_cores
from langmodel.inference.language_model import LanguageModel
from langmodel.inference.settings import SamplingSettings
from langmodel.network.device import prepare_cpu
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import SentenceWindows
from langmodel.reference import ReferenceLM, to_network, train_with_sgd
from langmodel.reference.training import Pair, sgd_step
from langmodel.text.corpus import Corpus, open_corpus
from langmodel.text.vocabulary import END_ID, START_ID
from langmodel.training.config import make_config
from langmodel.training.trainer import Trainer

HIDDEN = 100
SMALL_SET, EPOCHS, RATE, TRUNCATE = 100, 10, 0.005, 4
SAMPLED, MIN_WORDS = 5, 7


@dataclass(frozen=True)
class Line:
    what: str
    tutorial: str
    here: str


def first_sentences(corpus: Corpus, count: int) -> list[Pair]:
    """(words, targets) of the first training sentences: START w1 … wn, and w1 … wn END."""
    ids = corpus.split("train")
    pairs: list[Pair] = []
    start = 0
    while len(pairs) < count and start < len(ids):
        end = start
        while ids[end] != END_ID:
            end += 1
        targets = [int(id) for id in ids[start : end + 1]]
        pairs.append(([START_ID, *targets[:-1]], targets))
        start = end + 1
    return pairs


def median_milliseconds(run: Callable[[int], object], count: int) -> float:
    times = []
    for index in range(count):
        start = time.perf_counter()
        run(index)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[1:])


def torch_step_milliseconds(corpus: Corpus, device: torch.device, count: int) -> float:
    """One SGD step on one sentence, by langmodel's trainer."""
    config = make_config("tutorial", None, {})
    network = RecurrentLM(config.architecture(len(corpus.vocabulary))).to(device).train()
    ids = corpus.split("train")
    trainer = Trainer(network, ids, ids[:0], config)
    # A long window: the whole sentence is one step, as in the tutorial.
    windows = SentenceWindows(ids[:20_000], batch_size=1, bptt=1_000, shuffle_seed=1).epoch(0)
    steps = [window.to(device) for _, window in zip(range(count), windows, strict=False)]
    return median_milliseconds(lambda index: trainer.train_step(steps[index]), len(steps))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="made by `langmodel preprocess`")
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--json", type=Path, help="write the table here")
    arguments = parser.parse_args()
    prepare_cpu(arguments.threads)
    corpus = open_corpus(arguments.corpus)
    V = len(corpus.vocabulary)
    pairs = first_sentences(corpus, SMALL_SET)

    model = ReferenceLM(V, (HIDDEN,), banned=[START_ID], dtype=np.float32)
    lines = [
        Line(f"parameters, 2HC + H² with C = {V:,}", "1,610,000", f"{model.parameter_count:,}"),
        Line(f"untrained loss; ln {V:,} = {math.log(V):.3f}", "8.987", f"{model.loss(pairs):.3f}"),
    ]
    numpy_ms = median_milliseconds(
        lambda index: sgd_step(model, pairs[index % len(pairs)], learning_rate=RATE, bptt_truncate=TRUNCATE),
        21,
    )
    lines.append(Line("one SGD step in NumPy, ms (median of 20)", "about 350", f"{numpy_ms:.1f}"))
    cpu_ms = torch_step_milliseconds(corpus, torch.device("cpu"), 101)
    lines.append(Line("one SGD step in langmodel, CPU, ms", "-", f"{cpu_ms:.2f}"))
    if torch.cuda.is_available():
        gpu_ms = torch_step_milliseconds(corpus, torch.device("cuda"), 101)
        lines.append(Line("one SGD step on a GPU, ms", "about 70 (Theano)", f"{gpu_ms:.2f}"))
    else:
        lines.append(Line("one SGD step on a GPU, ms", "about 70 (Theano)", "no GPU here"))

    fresh = ReferenceLM(V, (HIDDEN,), banned=[START_ID], dtype=np.float32)
    print(f"{len(pairs)} sentences, {EPOCHS} epochs:")
    losses = train_with_sgd(
        fresh,
        pairs,
        learning_rate=RATE,
        epochs=EPOCHS,
        bptt_truncate=TRUNCATE,
        on_evaluation=lambda epoch, loss, rate: print(f"  epoch {epoch:2}: loss {loss:.4f}, rate {rate}"),
    )
    falls = all(after < before for before, after in itertools.pairwise(losses))
    lines.append(Line("loss falls at every evaluation", "yes", "yes" if falls else "no"))
    rates: list[float] = []
    train_with_sgd(
        ReferenceLM(V, (HIDDEN,), banned=[START_ID], dtype=np.float32),
        pairs[:10],
        learning_rate=5.0,
        epochs=3,
        bptt_truncate=TRUNCATE,
        on_evaluation=lambda epoch, loss, rate: rates.append(rate),
    )
    halved = "yes, " + " → ".join(map(str, rates)) if rates[-1] < 5.0 else "the loss never rose"
    lines.append(Line("rate halves when the loss rises (from 5.0)", "yes", halved))

    lm = LanguageModel(to_network(fresh), corpus.vocabulary, corpus.pipeline)
    settings = SamplingSettings(min_length=MIN_WORDS, max_length=40)
    sentences = lm.sample(SAMPLED, seed=1, settings=settings)
    good = all(len(s.words) >= MIN_WORDS and "<unk>" not in s.words for s in sentences)
    lines.append(
        Line(f"{SAMPLED} sentences of {MIN_WORDS} words or more without UNK", "yes", "yes" if good else "no")
    )

    width = max(len(line.what) for line in lines)
    print(f"\n{'':<{width}}  {'tutorial':<18} here")
    for line in lines:
        print(f"{line.what:<{width}}  {line.tutorial:<18} {line.here}")
    print("\nsampled:")
    for sentence in sentences:
        print(f"  {sentence}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")


if __name__ == "__main__":
    main()
