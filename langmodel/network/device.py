"""Which processor runs the network."""

import ctypes
import os
import sys
import warnings

import torch

from langmodel.cores import environment_number, usable_cores
from langmodel.errors import ConfigError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of malloc.h."""


def choose_device(name: str) -> torch.device:
    """`auto` takes CUDA, else the CPU; any other name is taken at its word.

    Raises ConfigError for a device that this machine or this PyTorch does not have.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, colon, number = name.partition(":")
    numbered = kind == "cuda" and number.isascii() and number.isdecimal()
    if kind not in ("cpu", "cuda", "mps") or (colon and not numbered):
        raise ConfigError(f"unknown device {name!r}; choose from auto, cpu, cuda, cuda:N, mps")
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise ConfigError(
                f"--device {name}: no usable CUDA GPU (PyTorch {torch.__version__}); "
                "use --device auto, or install PyTorch's CUDA build"
            )
        if number and int(number) >= torch.cuda.device_count():
            raise ConfigError(f"--device {name}: this machine has {torch.cuda.device_count()} CUDA GPU(s)")
        _prepare_cuda()
    if kind == "mps":
        raise ConfigError("--device mps: sums are float64, which MPS lacks; use --device cpu")
    return torch.device(kind, int(number)) if number else torch.device(kind)


def _prepare_cuda() -> None:
    """Exact float32 in recurrent layers, where cuDNN would take TF32, and one order of cuBLAS's sums."""
    torch.backends.cudnn.allow_tf32 = False
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    # Weights that are dropped out anew at every step cannot lie in one block; copying them is quick.
    warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")


def prepare_cpu(threads: int | None) -> None:
    """Set the thread count, on which the bits of a result depend, and flush denormals, which are slow.

    None: what OMP_NUM_THREADS says, or as many threads as there are usable cores. Processes that torchrun
    starts, which sets that variable to 1 for all, share the cores.
    """
    processes, asked = (environment_number(name) for name in ("LOCAL_WORLD_SIZE", "OMP_NUM_THREADS"))
    share = max(1, usable_cores() // processes) if processes else asked or usable_cores()
    torch.set_num_threads(threads or share)
    torch.set_flush_denormal(True)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Have glibc keep the large blocks that are freed: a step that gets them anew spends up to a quarter of
    its time in page faults. Blocks over 32 MiB, glibc's limit, still come and go.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 2**25)
        mallopt(M_TRIM_THRESHOLD, 2**30)
