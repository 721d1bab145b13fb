"""Training steps beside plain PyTorch, beside NumPy, and beside what the machine's products allow."""

import math
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from plain import BATCH, BPTT, PlainModel, TutorialRNN, plain_steps
from timing import Row, elsewhere, paired, rate_row

from langmodel.network.products import HAS_BFLOAT16, product
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import DocumentWindows, IdArray
from langmodel.text.vocabulary import END_ID, START_ID
from langmodel.training.config import TrainingConfig
from langmodel.training.sampled_softmax import stages
from langmodel.training.trainer import Trainer


def zipf_ids(count: int, vocabulary_size: int) -> IdArray:
    """Ids by Zipf's law with an END every 22 or so."""
    random = np.random.default_rng(1)
    weights = 1 / np.arange(1, vocabulary_size - 2)
    ids = random.choice(np.arange(3, vocabulary_size), size=count, p=weights / weights.sum())
    ids[random.random(count) < 1 / 22] = END_ID
    return ids.astype(np.uint16)


def our_steps(
    config: TrainingConfig, vocabulary_size: int, ids: IdArray, device: str = "cpu", done: float = 0.0
) -> Iterator[None]:
    """Steps as they are after this part of a run."""
    network = RecurrentLM(config.architecture(vocabulary_size), torch.Generator().manual_seed(1))
    trainer = Trainer(network.to(device), ids, ids[:0], config)
    network.train()
    epoch = 0
    while True:
        for window in DocumentWindows(ids, batch_size=config.batch_size, bptt=config.bptt).epoch(epoch):
            trainer.progress.step = math.ceil(done * trainer.total_steps)
            trainer.train_step(window)
            yield
        epoch += 1


NETWORKS = (("rnn", 8_000, 100, 1), ("lstm", 10_000, 200, 2), ("gru", 10_000, 200, 2))


def plain_equivalent(cell: str, size: int, layers: int) -> TrainingConfig:
    """Our settings for the arithmetic of PlainModel."""
    return TrainingConfig(
        cell=cell,
        embedding_size=size,
        hidden_size=(size,),
        layers=layers,
        tied=False,
        dropout=(0.0,),
        optimizer="sgd",
        schedule="constant",
        learning_rate=1.0,
        batch_size=BATCH,
        bptt=BPTT,
    )


def mean_steps(
    config: TrainingConfig, model: PlainModel, vocabulary_size: int, rounds: int = 30
) -> tuple[float, float, float]:
    """Seconds of our step and of the plain one, each the mean over the stages of our softmax; their ratio."""
    ids = zipf_ids(BATCH * BPTT * 40, vocabulary_size)
    ours = theirs = 0.0
    for begin, end in stages(config.sampled_softmax):
        steps = our_steps(config, vocabulary_size, ids, done=begin)
        with elsewhere(plain_steps, model, ids, torch.get_num_threads()) as plain_step:
            times = paired(lambda s=steps: next(s), plain_step, rounds)  # type: ignore[misc]
        ours += (end - begin) * times[0]
        theirs += (end - begin) * times[1]
    return ours, theirs, theirs / ours


def training() -> Iterator[Row]:
    for cell, vocabulary_size, size, layers in NETWORKS:
        config = plain_equivalent(cell, size, layers)
        name = f"train {cell} {layers}x{size}, V {vocabulary_size:,}, beside the plain PyTorch loop"
        model = PlainModel(cell, vocabulary_size, size, layers)
        yield rate_row(name, "tokens/s", BATCH * BPTT, mean_steps(config, model, vocabulary_size))
    for vocabulary_size, sampled, rounds in ((10_000, True, 30), (100_000, False, 5), (100_000, True, 5)):
        config = replace(plain_equivalent("lstm", 200, 2), sampled_softmax=sampled)
        model = PlainModel("lstm", vocabulary_size, 200, 2)
        times = mean_steps(config, model, vocabulary_size, rounds)
        kind = "sampled softmax, mean of a run's stages" if sampled else "exact softmax"
        yield rate_row(f"train lstm 2x200, V {vocabulary_size:,}, {kind}", "tokens/s", BATCH * BPTT, times)


def products() -> Iterator[Row]:
    hidden, weight = torch.randn(700, 200), torch.randn(10_000, 200)
    operations = 2 * hidden.numel() * weight.shape[0] / 1e9
    for bfloat16 in (False, True) if HAS_BFLOAT16 else (False,):
        times = paired(
            lambda rounded=bfloat16: product(hidden, weight, bfloat16=rounded),  # type: ignore[misc]
            lambda: hidden @ weight.t(),
            rounds=20,
        )
        name = f"product 700x200 by 200x10,000{', of bfloat16' * bfloat16}, beside torch.mm"
        yield rate_row(name, "GFLOP/s", operations, times)


TUTORIAL_V, TUTORIAL_H = 8_000, 100


def tutorial() -> Iterator[Row]:
    """The tutorial's network, without embedding or biases: beside NumPy, and beside its products alone.

    These are timed one after the other: NumPy's threads still spin when ours begin.
    """
    ids = zipf_ids(BATCH * BPTT * 40, TUTORIAL_V)
    config = TrainingConfig(
        cell="rnn",
        embedding_size=0,
        hidden_size=(TUTORIAL_H,),
        tied=False,
        bias=False,
        dropout=(0.0,),
        optimizer="sgd",
        schedule="constant",
        learning_rate=0.005,
        clip=0.0,
        batch_size=BATCH,
        bptt=BPTT,
    )
    ours = our_steps(config, TUTORIAL_V, ids)
    tokens = BATCH * BPTT
    hidden, weight = torch.randn(tokens, TUTORIAL_H), torch.randn(TUTORIAL_V, TUTORIAL_H)
    error = torch.randn(tokens, TUTORIAL_V)

    def products_alone() -> None:
        product(hidden, weight)
        product(error, weight.t())
        product(hidden.t(), error.t())

    step, alone, _ = paired(lambda: next(ours), products_alone, rounds=60)
    rate = 6 * (TUTORIAL_H * TUTORIAL_V + TUTORIAL_H**2) * tokens / step / 1e9
    limit = 6 * TUTORIAL_H * TUTORIAL_V * tokens / alone / 1e9
    yield Row(
        f"train rnn {TUTORIAL_H}, V {TUTORIAL_V:,}, beside its three great products alone",
        rate,
        "GFLOP/s",
        limit,
        rate / limit,
    )

    sentences = [part.tolist() for part in np.split(ids, np.flatnonzero(ids == END_ID) + 1)[:60]]
    numpy_rnn = TutorialRNN(TUTORIAL_V, TUTORIAL_H)
    began = time.perf_counter()
    for sentence in sentences:
        numpy_rnn.step([START_ID, *sentence[:-1]], sentence)
    theirs = sum(map(len, sentences)) / (time.perf_counter() - began)
    yield Row(
        f"train rnn {TUTORIAL_H}, V {TUTORIAL_V:,}, beside NumPy, a sentence a step, word by word",
        tokens / step,
        "tokens/s",
        theirs,
        tokens / step / theirs,
    )
