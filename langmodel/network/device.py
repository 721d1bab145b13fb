"""Which processor runs the network."""

import torch

from langmodel.cores import usable_cores
from langmodel.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU; any other name is taken at its word.

    Raises ConfigError for a device that this machine or this PyTorch does not have.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
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
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("--device mps: not available here; use --device auto")
    return torch.device(name)


def prepare_cpu(threads: int | None) -> None:
    """Set the thread count, on which the bits of a result depend, and flush denormals, which are slow.

    None: as many threads as there are usable cores.
    """
    torch.set_num_threads(threads or usable_cores())
    torch.set_flush_denormal(True)
