"""Peak memory of training steps at a large vocabulary, each way in a process of its own."""

from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from plain import BPTT, PlainModel, plain_steps
from timing import Row
from training import our_steps, plain_equivalent, zipf_ids

from langmodel.network.device import prepare_cpu

VOCABULARY_SIZE, SIZE, LAYERS, STEPS = 50_000, 200, 2, 4
THREADS, BATCH = 2, 80


def _peak_bytes() -> int:
    """Of this process alone; getrusage would begin at its parent's peak."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def step_bytes(ours: bool) -> float:
    """By how much the process's peak grows over steps, once the network and its gradients are there."""
    if ours:
        prepare_cpu(THREADS)
    ids = zipf_ids(BATCH * BPTT * (STEPS + 1), VOCABULARY_SIZE)
    network = PlainModel("lstm", VOCABULARY_SIZE, SIZE, LAYERS)
    config = replace(plain_equivalent("lstm", SIZE, LAYERS), batch_size=BATCH)
    steps = our_steps(config, VOCABULARY_SIZE, ids) if ours else plain_steps(network, ids, THREADS, BATCH)
    parameters = 4 * sum(parameter.numel() for parameter in network.parameters())
    before = _peak_bytes()
    for _ in range(STEPS):
        next(steps)
    # What both need: a gradient for every parameter, and for ours, the network made after the mark.
    return _peak_bytes() - before - parameters * (2 if ours else 1)


def memory() -> Iterator[Row]:
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        ours, theirs = (pool.apply(step_bytes, (which,)) for which in (True, False))
    block = 4 * BATCH * BPTT * VOCABULARY_SIZE
    name = f"step memory, V {VOCABULARY_SIZE:,}, where a block of logits is {block / 1e6:.0f} MB"
    yield Row(name, ours / 1e6, "MB", theirs / 1e6, theirs / ours)
