"""Kill one process of a run under torchrun, again and again: the run goes on and ends with the same bits.

    python scripts/lost_ranks.py [--kills 20] [--seconds 600]

Each round trains with two processes, `--max-restarts 3` and `--resume auto`. At a random moment one of them
gets SIGKILL. torchrun must notice and start both again; the run must end with the bytes of one undisturbed.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEXT = "the cat sat on the mat .\nthe dog saw the cat .\na cat ran from the dog .\na bird sang .\n" * 60

PREPROCESS = ("--tokenizer", "whitespace", "--sentences", "line")

TRAIN = (
    "--embedding-size",
    "24",
    "--hidden-size",
    "24",
    "--batch-size",
    "4",
    "--bptt",
    "7",
    "--epochs",
    "6",
    "--evaluate-every",
    "9",
    "--patience",
    "0",
    "--ngrams",
    "0",
    "--no-baselines",
    "--threads",
    "1",
    "--resume",
    "auto",
)


def start(corpus: Path, output: Path, log: Path) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "--max-restarts",
        "3",
        "-m",
        "langmodel",
        "train",
        str(corpus),
        "-o",
        str(output),
        *TRAIN,
    ]
    with log.open("ab") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, "OMP_NUM_THREADS": "1"})


def trainers_of(parent: int) -> list[int]:
    """The processes that torchrun has started."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, rest = file.read_text().partition(" ")[0], file.read_text().rpartition(")")[2].split()
            command = (file.parent / "cmdline").read_bytes()
            if int(rest[1]) == parent and b"langmodel" in command:
                found.append(int(pid))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)  # noqa: S311
    deadline = time.monotonic() + arguments.seconds
    kills, slowest = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "text.txt").write_text(TEXT)
        langmodel = [sys.executable, "-m", "langmodel"]
        subprocess.run(
            [*langmodel, "preprocess", str(place / "text.txt"), "-o", str(place / "corpus"), *PREPROCESS],
            check=True,
            capture_output=True,
        )
        begun = time.monotonic()
        if start(place / "corpus", place / "whole", place / "whole.log").wait():
            print((place / "whole.log").read_text(), file=sys.stderr)
            return 1
        whole = time.monotonic() - begun
        while kills < arguments.kills and time.monotonic() < deadline:
            output, log = place / f"round{kills}", place / f"round{kills}.log"
            process = start(place / "corpus", output, log)
            end = time.monotonic() + chance.uniform(0.2, 0.9) * whole
            while process.poll() is None and (time.monotonic() < end or not trainers_of(process.pid)):
                time.sleep(0.01)
            alive = trainers_of(process.pid)
            if process.poll() is None and alive:
                os.kill(chance.choice(alive), signal.SIGKILL)
                kills += 1
            lost = time.monotonic()
            if process.wait(timeout=400):
                print(
                    f"after {kills} kills torchrun gave up; it had said\n{log.read_text()}", file=sys.stderr
                )
                return 1
            slowest = max(slowest, time.monotonic() - lost)
            for name in ("best.safetensors", "last.safetensors"):
                if (output / name).read_bytes() != (place / "whole" / name).read_bytes():
                    print(f"after {kills} kills: {name} differs from that of the whole run", file=sys.stderr)
                    return 1
    print(
        f"{kills} lost processes in as many runs, each with the bytes of the run that lost none: 0 failed; "
        f"{whole:.0f} s undisturbed, at most {slowest:.0f} s after a loss"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
