"""Measure how langmodel grows; each command prints one table of docs/scaling.md.

    python scripts/scaling.py softmax            # tokens per second by vocabulary: exact, sampled, adaptive
    python scripts/scaling.py hidden             # tokens per second by hidden size
    python scripts/scaling.py batch CORPUS       # loss after the same tokens, by global batch
    torchrun --nproc-per-node 2 scripts/scaling.py --threads 1 processes
    python scripts/scaling.py simulate           # data-parallel training of up to 4,096 processes

Words follow Zipf's law. What is compared takes its steps in turn, in one process.
"""

import math
import statistics
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import cast

import click
import numpy as np
import torch
from measured import whole_numbers
from torch.nn.parallel import DistributedDataParallel

from langmodel.cores import processor
from langmodel.network.device import prepare_cpu
from langmodel.network.evaluation import evaluate_windows, evaluation_windows
from langmodel.network.products import CPU_PRODUCTS
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import IdArray
from langmodel.text.corpus import open_corpus
from langmodel.text.vocabulary import END_ID
from langmodel.training.config import TrainingConfig
from langmodel.training.distributed import process_group
from langmodel.training.trainer import Trainer


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--threads", type=int, default=torch.get_num_threads(), show_default=True)
def main(threads: int) -> None:
    prepare_cpu(threads)
    print(f"{threads} threads, {CPU_PRODUCTS}, {processor()}")


def zipf_ids(tokens: int, vocabulary_size: int, seed: int = 1) -> IdArray:
    """Ids by Zipf's law, with an END every 22 or so."""
    draw = np.random.default_rng(seed)
    weights = np.cumsum(1 / np.arange(1, vocabulary_size - 2))
    ids = np.searchsorted(weights, draw.random(tokens) * weights[-1]) + END_ID + 1
    ids[draw.random(tokens) < 1 / 22] = END_ID
    return np.asarray(ids, np.uint32)


def steps(config: TrainingConfig, ids: IdArray, vocabulary_size: int) -> Iterator[int]:
    """Training steps without end; the tokens of each."""
    network = RecurrentLM(config.architecture(vocabulary_size), torch.Generator().manual_seed(1)).train()
    trainer = Trainer(network, ids, ids[:0], config)
    epoch = 0
    while True:
        for window in trainer.windows(epoch):
            trainer.train_step(window)
            yield window.tokens
        epoch += 1


def rates(runs: list[Iterator[int]], rounds: int) -> list[float]:
    """Median tokens per second of each, taken in turn after a step to warm up."""
    found: list[list[float]] = [[] for _ in runs]
    for number in range(rounds + 1):
        for run, own in zip(runs, found, strict=True):
            start = time.perf_counter()
            tokens = next(run)
            if number:
                own.append(tokens / (time.perf_counter() - start))
    return [statistics.median(own) for own in found]


@main.command()
@click.option("--vocabularies", default="10000,33000,100000,250000", show_default=True)
@click.option("--hidden-size", type=int, default=384, show_default=True)
@click.option("--embedding-size", type=int, default=256, show_default=True)
@click.option("--rounds", type=int, default=8, show_default=True)
def softmax(vocabularies: str, hidden_size: int, embedding_size: int, rounds: int) -> None:
    """Tokens per second of the exact, the sampled and the adaptive softmax.

    The sampled one has a fifth of the other words, as in the first 57 % of a run.
    """
    print("| rows | exact | sampled | adaptive | adaptive over exact | head and bands |")
    print("| --- | --- | --- | --- | --- | --- |")
    for rows in whole_numbers(vocabularies):
        ids = zipf_ids(200_000, rows)
        base = TrainingConfig(hidden_size=(hidden_size,), embedding_size=embedding_size, epochs=1_000)
        configs = [base, replace(base, sampled_softmax=True), replace(base, softmax="adaptive")]
        exact, sampled, adaptive = rates([steps(config, ids, rows) for config in configs], rounds)
        a = configs[2].architecture(rows)
        parts = " + ".join(f"{count:,}" for count in (a.head_rows, *(b.stop - b.start for b in a.bands)))
        ratio = adaptive / exact
        print(f"| {rows:,} | {exact:,.0f} | {sampled:,.0f} | {adaptive:,.0f} | {ratio:.1f} | {parts} |")


@main.command()
@click.option("--hidden-sizes", default="100,256,512,1024,2048", show_default=True)
@click.option("--vocabulary", type=int, default=10_000, show_default=True)
@click.option("--rounds", type=int, default=6, show_default=True)
def hidden(hidden_sizes: str, vocabulary: int, rounds: int) -> None:
    """Tokens per second of an LSTM of one layer, embedding and hidden size alike."""
    print("| hidden | parameters | exact | sampled |")
    print("| --- | --- | --- | --- |")
    ids = zipf_ids(200_000, vocabulary)
    for size in whole_numbers(hidden_sizes):
        base = TrainingConfig(hidden_size=(size,), embedding_size=size, epochs=1_000)
        configs = [base, replace(base, sampled_softmax=True)]
        exact, sampled = rates([steps(config, ids, vocabulary) for config in configs], rounds)
        parameters = RecurrentLM(configs[0].architecture(vocabulary)).parameter_count
        print(f"| {size:,} | {parameters:,} | {exact:,.0f} | {sampled:,.0f} |")


@main.command()
@click.option("--columns", type=int, default=20, show_default=True, help="Of each process.")
@click.option("--rounds", type=int, default=20, show_default=True)
def processes(columns: int, rounds: int) -> None:
    """A step of several processes, with and without the exchange of gradients, taken in turn.

    Start it with torchrun --nproc-per-node N scripts/scaling.py --threads 1 processes.
    """
    with process_group(torch.device("cpu")) as (ranks, _):
        config = TrainingConfig(batch_size=columns * ranks.count, epochs=1_000)
        network = RecurrentLM(config.architecture(10_000), torch.Generator().manual_seed(1)).train()
        ids = zipf_ids(200_000 * ranks.count, 10_000)
        trainer = Trainer(network, ids, ids[:0], config, ranks=ranks)
        objective = trainer.objective
        times: dict[bool, list[float]] = {True: [], False: []}
        windows = trainer.windows(0)
        for number in range(2 * rounds + 2):
            exchanges = number % 2 == 0
            apart = not exchanges and isinstance(objective, DistributedDataParallel)
            quiet = cast(DistributedDataParallel, objective).no_sync() if apart else nullcontext()
            window = next(windows)
            start = time.perf_counter()
            with quiet:
                trainer.train_step(window)
            if number > 1:
                times[exchanges].append(time.perf_counter() - start)
        exchanged, without = (statistics.median(times[kind]) for kind in (True, False))
        if ranks.writes:
            tokens = 35 * columns * ranks.count
            print(
                f"{ranks.count} processes: {exchanged * 1e3:.1f} ms per step, {without * 1e3:.1f} without "
                f"the exchange ({1 - without / exchanged:.0%} of the time), "
                f"{tokens / exchanged:,.0f} tokens per second, "
                f"{4e-6 * network.parameter_count:.1f} MB of gradients"
            )


@main.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--columns", default="20,40,80,160,320,640", show_default=True)
@click.option("--tokens", type=float, default=2e6, show_default=True)
@click.option("--learning-rate", type=float, default=4e-3, show_default=True, help="At 20 columns.")
@click.option("--hidden-size", type=int, default=128, show_default=True)
def batch(corpus: Path, columns: str, tokens: float, learning_rate: float, hidden_size: int) -> None:
    """Validation perplexity after the same number of tokens, by columns in a step. The rate grows with the
    square root of the columns (AdamW).
    """
    opened = open_corpus(corpus)
    train, valid = opened.split("train"), opened.split("valid")
    print("| columns | steps | perplexity | processes of 20 columns |")
    print("| --- | --- | --- | --- |")
    for count in whole_numbers(columns):
        config = TrainingConfig(
            hidden_size=(hidden_size,),
            embedding_size=hidden_size,
            dropout=(0.0,),
            batch_size=count,
            learning_rate=learning_rate * math.sqrt(count / 20),
            epochs=tokens / len(train),
        )
        network = RecurrentLM(config.architecture(len(opened.vocabulary)), torch.Generator().manual_seed(1))
        trainer = Trainer(network, train, valid, config)
        taken = 0
        network.train()
        for epoch in range(math.ceil(config.epochs)):
            for window in trainer.windows(epoch):
                if taken < trainer.total_steps:
                    trainer.train_step(window)
                    taken += 1
        found = evaluate_windows(network, evaluation_windows(valid, "document", columns=20))
        print(f"| {count} | {taken:,} | {found.perplexity:.1f} | {count // 20} |", flush=True)


@main.command()
@click.option("--step", type=float, required=True, help="Measured seconds of a step of one process.")
@click.option("--megabytes", type=float, required=True, help="Of gradients that each step exchanges.")
@click.option("--bandwidth", type=float, default=10.0, show_default=True, help="Gigabits per second.")
@click.option("--latency", type=float, default=50e-6, show_default=True, help="Seconds per message.")
@click.option("--save", type=float, default=1.0, show_default=True, help="Seconds to save.")
@click.option("--restart", type=float, default=30.0, show_default=True, help="Seconds to start again.")
@click.option("--days", type=float, default=365.0, show_default=True, help="Between failures of one.")
@click.option("--counts", default="1,2,4,16,64,256,1024,4096", show_default=True, help="Of processes.")
def simulate(
    step: float,
    megabytes: float,
    bandwidth: float,
    latency: float,
    save: float,
    restart: float,
    days: float,
    counts: str,
) -> None:
    """Data-parallel training of a fixed batch per process.

    Gradients are exchanged by a ring after each step: 2 (n - 1) messages, which move 2 (n - 1) / n of them
    over every link. Saves come at Young's interval, sqrt(2 · save · time between failures); a failure loses
    half an interval and the restart.
    """
    print("| processes | seconds per step | share of communication | save every | useful time | speed-up |")
    print("| --- | --- | --- | --- | --- | --- |")
    for count in whole_numbers(counts):
        moved = 2 * (count - 1) / count * megabytes * 8e6 / (bandwidth * 1e9)
        exchange = moved + 2 * (count - 1) * latency if count > 1 else 0.0
        between = days * 86_400 / count
        interval = math.sqrt(2 * save * between)
        useful = 1 / (1 + save / interval) * max(0.0, 1 - (interval / 2 + restart) / between)
        whole = step + exchange
        print(
            f"| {count:,} | {whole:.3f} | {exchange / whole:.1%} | {interval / 60:,.1f} min | {useful:.1%} | "
            f"{count * step / whole * useful:,.1f} |"
        )


if __name__ == "__main__":
    main()
