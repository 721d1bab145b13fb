"""Several processes started by torchrun: who owns which columns, and what all of them agree on."""

import gc
import os
import platform
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from langmodel.cores import environment_number
from langmodel.errors import ConfigError
from langmodel.network.cells import State
from langmodel.network.dropout import Dropout, DropoutRates


@dataclass(frozen=True)
class Ranks:
    """One process among `count`; of a batch's columns, each owns an equal run, in order of rank."""

    rank: int = 0
    count: int = 1

    @property
    def is_first_here(self) -> bool:
        """Whether it is the first process of its machine."""
        return self.count == 1 or not environment_number("LOCAL_RANK")

    @property
    def writes(self) -> bool:
        """Only the first process touches files and the terminal."""
        return self.rank == 0

    def share_out(self, objective: nn.Module) -> nn.Module:
        """The same objective, whose gradients are averaged over the processes as they are made."""
        return objective if self.count == 1 else DistributedDataParallel(objective)

    def dropout(self, rates: DropoutRates, generator: torch.Generator) -> Dropout:
        return Dropout(rates, generator, self.rank, self.count)

    def sums(self, *values: float) -> list[float]:
        """Each value summed over all processes, in float64."""
        if self.count == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=_device())
        distributed.all_reduce(total)
        return [float(value) for value in total.tolist()]

    def whole_state(self, state: State) -> State:
        """The state of all columns, from every process's own."""
        if self.count == 1:
            return state
        return tuple(tuple(self._all_rows(part) for part in layer) for layer in state)

    def own_state(self, state: State) -> State:
        """This process's columns of a state of all."""
        return tuple(tuple(part.chunk(self.count)[self.rank].clone() for part in layer) for layer in state)

    def refuse_disagreement(self, digest: str, what: str) -> None:
        """Raises ConfigError in all processes unless all have the same hexadecimal digest."""
        own = float(int(digest[:12], 16))  # 48 bits: exact in float64
        (first,) = self.sums(own if self.rank == 0 else 0.0)
        (others,) = self.sums(own != first)
        if own != first:
            raise ConfigError(f"{what}, on {platform.node()}, is not the one that process 0 has")
        if others:
            raise ConfigError(f"{what} is another one in {int(others)} of {self.count} processes")

    def _all_rows(self, part_BH: torch.Tensor) -> torch.Tensor:
        parts = [torch.empty_like(part_BH) for _ in range(self.count)]
        distributed.all_gather(parts, part_BH.contiguous())
        return torch.cat(parts)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            distributed.barrier()


ALONE = Ranks()


TORCHRUN_SETS = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells each process beside their number."""


def _device() -> torch.device:
    return torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")


def started_by_torchrun() -> bool:
    return _number_of("WORLD_SIZE") > 1


def _number_of(variable: str) -> int:
    if variable not in os.environ:
        return 1
    number = environment_number(variable)
    if not number:
        raise ConfigError(
            f"{variable} is {os.environ[variable]!r}, which is not a number of processes; unset it, or use "
            "torchrun"
        )
    return number


def _meeting_place() -> dict[str, Any]:
    """Where the processes find each other: torchrun's store, in a part that no earlier start has used.

    On one machine torchrun keeps its store when it starts the processes again, and what a lost one left there
    sends the new ones to addresses that are gone. Several machines count their starts apart, and get the
    default.
    """
    restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT")
    if restarts is None or os.environ.get("LOCAL_WORLD_SIZE") != os.environ["WORLD_SIZE"]:
        return {}
    store, rank, count = next(iter(rendezvous("env://")))
    return {
        "store": PrefixStore(f"start-{restarts}", store),
        "rank": rank,
        "world_size": count,
    }


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the process at once, as a handler in Python cannot while PyTorch waits for others.

    torchrun sends it where one of them is lost, and would wait half a minute before it kills the rest.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def process_group(device: torch.device) -> Iterator[tuple[Ranks, torch.device]]:
    """This process's rank, and its device: on CUDA, the card with its local number.

    Without torchrun there is one process, and nothing is set up.
    """
    if not started_by_torchrun():
        yield ALONE, device
        return
    missing = [name for name in TORCHRUN_SETS if name not in os.environ]
    if missing:
        raise ConfigError(f"WORLD_SIZE is set but {', '.join(missing)} not; use torchrun, or unset it")
    options: dict[str, Any] = {}
    if device.type == "cuda":
        local = int(os.environ["LOCAL_RANK"])
        if local >= torch.cuda.device_count():
            raise ConfigError(
                f"process {local + 1} of this machine has no GPU: there are {torch.cuda.device_count()}; "
                "lower --nproc-per-node"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
        options["device_id"] = device
    with _ended_by_sigterm():
        distributed.init_process_group(
            "nccl" if device.type == "cuda" else "gloo", **_meeting_place(), **options
        )
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size()), device
        distributed.barrier()  # a process that goes while others still talk takes them down
    finally:
        gc.collect()  # what still holds the group would end its threads too late, and abort
        distributed.destroy_process_group()
