"""Which processor runs the network."""

import os

import torch

from langmodel.cores import usable_cores
from langmodel.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """`auto` takes CUDA, else the CPU; any other name is taken at its word.

    Raises ConfigError for a device that this machine or this PyTorch does not have.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not (kind == "cuda" and number.isdecimal())):
        raise ConfigError(f"unknown device {name!r}; choose from auto, cpu, cuda, cuda:N, mps")
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise ConfigError(
                f"--device {name}: no usable CUDA GPU (PyTorch {torch.__version__}); "
                "use --device auto, or install PyTorch's CUDA build"
            )
        if number and int(number) >= torch.cuda.device_count():
            raise ConfigError(f"--device {name}: this machine has {torch.cuda.device_count()} CUDA GPU(s)")
    if kind == "mps":
        raise ConfigError("--device mps: sums are float64, which MPS lacks; use --device cpu")
    return torch.device(name)


def prepare_cpu(threads: int | None) -> None:
    """Set the thread count, on which the bits of a result depend, and flush denormals, which are slow.

    None: as many threads as there are usable cores; processes that torchrun starts share them.
    """
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    torch.set_num_threads(threads or max(1, usable_cores() // processes))
    torch.set_flush_denormal(True)
