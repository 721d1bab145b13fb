"""The machine: how many processors there are to use, and which, and what the environment says; no torch."""

import os
import platform
from pathlib import Path


def usable_cores() -> int:
    """The processors that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def environment_number(variable: str) -> int | None:
    """The whole number in an environment variable; None if it is not set, or holds anything else."""
    value = os.environ.get(variable, "")
    return int(value) if value.isascii() and value.isdecimal() else None


VECTOR_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")


def processor() -> str:
    """Its name and the vector instructions that it has, where Linux tells them."""
    lines = _cpuinfo()
    flags = [flag for flag in VECTOR_FLAGS if flag in lines.get("flags", "").split()]
    name = lines.get("model name") or platform.processor() or platform.machine()
    return f"{name} ({', '.join(flags)})" if flags else name


def is_intel() -> bool:
    """Whether Intel made it."""
    return "GenuineIntel" in _cpuinfo().get("vendor_id", platform.processor())


def _cpuinfo() -> dict[str, str]:
    """What Linux tells of the processors, one standing for all."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
