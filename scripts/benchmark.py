"""How fast langmodel is, beside the plain way of doing the same, in one run on this machine.

    python scripts/benchmark.py [--text FILE] [--threads N] [--json FILE] [--only NAME]

Pairs are timed in turn (ours, theirs, ours, theirs, …) and medians compared, so that a machine whose
speed drifts still gives honest ratios. --text is prose for preprocessing; without it, the built-in
corpus. Networks are untrained and ids are drawn from Zipf's law: the arithmetic is that of real text.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from langmodel.cores import usable_cores
from langmodel.inference.language_model import LanguageModel
from langmodel.inference.settings import SamplingSettings
from langmodel.network.architecture import Architecture
from langmodel.network.device import prepare_cpu
from langmodel.network.products import product
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import DocumentWindows, IdArray
from langmodel.text.pipeline import Pipeline
from langmodel.text.preprocess import PreprocessConfig, preprocess
from langmodel.text.sentences import PUNKT_TRAINING_CHARACTERS, learn_punkt, prose_passages
from langmodel.text.sources import read_documents
from langmodel.text.vocabulary import END_ID, Vocabulary
from langmodel.training.config import TrainingConfig
from langmodel.training.trainer import Trainer

BATCH, BPTT = 20, 35


@dataclass(frozen=True)
class Row:
    """`value` and `baseline` in `unit`; `ratio` says how many times better ours is."""

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float


def paired(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int
) -> tuple[float, float, float]:
    """Median seconds of each, and the median of the ratios theirs / ours, taken in turn after a warm-up."""
    times: list[tuple[float, float]] = []
    for turn in range(rounds + 1):
        pair = []
        for run in (ours, theirs):
            start = time.perf_counter()
            run()
            pair.append(time.perf_counter() - start)
        if turn:
            times.append((pair[0], pair[1]))
    return (
        statistics.median(a for a, _ in times),
        statistics.median(b for _, b in times),
        statistics.median(b / a for a, b in times),
    )


def rate_row(name: str, unit: str, amount: float, times: tuple[float, float, float]) -> Row:
    ours, theirs, ratio = times
    return Row(name, amount / ours, unit, amount / theirs, ratio)


# Preprocessing.


def plain_nltk(passages: list[str]) -> int:
    """Learning Punkt, splitting, tokenizing and counting as one would write it with NLTK alone."""
    from nltk.tokenize.destructive import NLTKWordTokenizer

    pipeline = Pipeline(punkt=learn_punkt(_beginning(passages)))
    tokenizer = NLTKWordTokenizer()
    counts: Counter[str] = Counter()
    for passage in passages:
        for sentence in pipeline.split_sentences(passage):
            counts.update(word.lower() for word in tokenizer.tokenize(sentence))
    return counts.total()


def _beginning(passages: list[str]) -> list[str]:
    """As much of the text as langmodel learns Punkt from."""
    characters = 0
    for count, passage in enumerate(passages, start=1):
        characters += len(passage)
        if characters > PUNKT_TRAINING_CHARACTERS:
            return passages[:count]
    return passages


def preprocessing(text: str) -> Iterator[Row]:
    passages = [p for document in read_documents(text) for p in prose_passages(document.lines)]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "text.txt"
        source.write_text("\n".join(passages), encoding="utf-8")

        start = time.perf_counter()
        words = plain_nltk(passages)
        theirs = time.perf_counter() - start
        for workers in (1, 2):
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                list(pool.map(abs, range(workers)))
                start = time.perf_counter()
                config = PreprocessConfig(sentences="punkt")
                preprocess([str(source)], Path(folder) / "c", config, executor=pool if workers > 1 else None)
                ours = time.perf_counter() - start
            name = f"preprocess, {workers} worker{'s' if workers > 1 else ''}, beside the NLTK loop"
            yield rate_row(name, "words/s", words, (ours, theirs, theirs / ours))


# Training.


def zipf_ids(count: int, vocabulary_size: int) -> IdArray:
    """Ids by Zipf's law with an END every 22 or so."""
    random = np.random.default_rng(1)
    weights = 1 / np.arange(1, vocabulary_size - 2)
    ids = random.choice(np.arange(3, vocabulary_size), size=count, p=weights / weights.sum())
    ids[random.random(count) < 1 / 22] = END_ID
    return ids.astype(np.uint16)


class PlainModel(nn.Module):
    """The language model of PyTorch's tutorials: nn.LSTM, log_softmax, NLLLoss."""

    def __init__(self, cell: str, vocabulary_size: int, size: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, size)
        kind: Any = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.rnn = kind(size, size, layers)
        self.output = nn.Linear(size, vocabulary_size)

    def forward(self, inputs: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        hidden, state = self.rnn(self.embedding(inputs), state)
        return torch.log_softmax(self.output(hidden.flatten(0, 1)), dim=1), state


def plain_steps(model: PlainModel, ids: IdArray) -> Iterator[None]:
    """A training step each time it is asked for: backward, clip, SGD."""
    criterion = nn.NLLLoss()
    state: Any = None
    epoch = 0
    while True:
        for window in DocumentWindows(ids, batch_size=BATCH, bptt=BPTT).epoch(epoch):
            if state is not None:
                state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
            model.zero_grad()
            log_probs, state = model(window.inputs_TB, state)
            loss = criterion(log_probs, window.targets_N)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.25)
            with torch.no_grad():
                for parameter in model.parameters():
                    assert parameter.grad is not None
                    parameter.add_(parameter.grad, alpha=-1.0)
            loss.item()
            yield
        epoch += 1


def our_steps(config: TrainingConfig, vocabulary_size: int, ids: IdArray) -> Iterator[None]:
    network = RecurrentLM(config.architecture(vocabulary_size), torch.Generator().manual_seed(1))
    trainer = Trainer(network, ids, ids[:0], config)
    network.train()
    epoch = 0
    while True:
        for window in DocumentWindows(ids, batch_size=BATCH, bptt=BPTT).epoch(epoch):
            trainer.train_step(window)
            yield
        epoch += 1


NETWORKS = (("rnn", 8_000, 100, 1), ("lstm", 10_000, 200, 2), ("gru", 10_000, 200, 2))


def training() -> Iterator[Row]:
    for cell, vocabulary_size, size, layers in NETWORKS:
        ids = zipf_ids(BATCH * BPTT * 40, vocabulary_size)
        config = TrainingConfig(
            cell=cell, embedding_size=size, hidden_size=(size,), layers=layers, tied=False, dropout=(0.0,),
            optimizer="sgd", schedule="constant", learning_rate=1.0, batch_size=BATCH, bptt=BPTT,
        )  # fmt: skip
        ours = our_steps(config, vocabulary_size, ids)
        theirs = plain_steps(PlainModel(cell, vocabulary_size, size, layers), ids)
        times = paired(lambda o=ours: next(o), lambda t=theirs: next(t), rounds=30)  # type: ignore[misc]
        name = f"train {cell} {layers}x{size}, V {vocabulary_size:,}, beside the plain PyTorch loop"
        yield rate_row(name, "tokens/s", BATCH * BPTT, times)


def products() -> Iterator[Row]:
    hidden, weight = torch.randn(700, 200), torch.randn(10_000, 200)
    operations = 2 * hidden.numel() * weight.shape[0] / 1e9
    times = paired(lambda: product(hidden, weight), lambda: hidden @ weight.t(), rounds=20)
    yield rate_row("product 700x200 by 200x10,000, beside torch.mm", "GFLOP/s", operations, times)


# Scoring and sampling.


def random_model() -> LanguageModel:
    vocabulary = Vocabulary([f"w{n}" for n in range(9_997)], [1] * 9_997)
    network = RecurrentLM(
        Architecture(vocabulary_size=10_000, embedding_size=200, hidden_sizes=(200, 200)),
        torch.Generator().manual_seed(1),
    )
    with torch.no_grad():
        assert network.output_bias is not None
        network.output_bias[END_ID] += 6.0  # sentences of about 22 words
    return LanguageModel(network, vocabulary, Pipeline(tokenizer="whitespace", sentences="line"))


def inference() -> Iterator[Row]:
    lm = random_model()
    texts = [str(sentence) for sentence in lm.sample(1_000, seed=1)]
    alone = texts[:50]

    def one_by_one() -> None:
        for text in alone:
            lm.score(text)

    ours, theirs, _ = paired(lambda: list(lm.score_lines(texts)), one_by_one, rounds=3)
    value, baseline = len(texts) / ours, len(alone) / theirs
    yield Row("score LSTM 2x200, batched beside one by one", value, "sentences/s", baseline, value / baseline)

    def one_at_a_time() -> None:
        for seed in range(20):
            lm.sample(1, seed=seed, settings=SamplingSettings())

    ours, theirs, _ = paired(lambda: lm.sample(1_000, seed=1), one_at_a_time, rounds=3)
    value, baseline = 1_000 / ours, 20 / theirs
    yield Row(
        "sample LSTM 2x200, batched beside one by one", value, "sentences/s", baseline, value / baseline
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", default="pydoc:", help="prose to preprocess [default: pydoc:]")
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--only", choices=["preprocessing", "products", "training", "inference"])
    arguments = parser.parse_args()
    prepare_cpu(arguments.threads)
    suites: dict[str, Callable[[], Iterator[Row]]] = {
        "preprocessing": lambda: preprocessing(arguments.text),
        "products": products,
        "training": training,
        "inference": inference,
    }
    print(f"{arguments.threads} threads, PyTorch {torch.__version__}")
    rows = []
    for name, suite in suites.items():
        if arguments.only in (None, name):
            for row in suite():
                rows.append(row)
                print(
                    f"{row.name:<62} {row.value:>12,.0f} {row.unit:<12} "
                    f"baseline {row.baseline:>10,.0f}   ratio {row.ratio:.2f}",
                    flush=True,
                )
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
