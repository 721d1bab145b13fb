"""Kill a real training run at random moments, again and again: only work since the last save may be lost.

    python scripts/torture.py [--kills 200] [--seconds 120]

Each round trains in a fresh directory, is killed with SIGKILL and resumed until it is through, and must
then have the bytes of a run that was never touched. After every kill the directory must be readable.
"""

import argparse
import math
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import torch

from langmodel.display.narration import Narrator
from langmodel.errors import LangModelError
from langmodel.network.device import prepare_cpu
from langmodel.runs.run_directory import RunOptions, train_in
from langmodel.storage.model_file import BEST, LAST, load_model
from langmodel.storage.run_files import METRICS, RUN, read_metrics, read_run
from langmodel.text.corpus import Corpus
from langmodel.text.preprocess import PreprocessConfig, preprocess

TEXT = "the cat sat on the mat .\nthe dog saw the cat .\na cat ran from the dog .\na bird sang .\n" * 40

SETTINGS = (
    dict[str, Any](
        cell="gru",
        embedding_size=24,
        hidden_size=(24,),
        dropout=(0.2,),
        context="sentence",
        bptt=4,
        batch_size=2,
        epochs=4,
        evaluate_every=23,
        patience=0,
    ),
    dict[str, Any](
        cell="lstm",
        embedding_size=24,
        hidden_size=(32, 24),
        dropout=(0.2,),
        weight_drop=0.2,
        word_dropout=0.1,
        ar=1.0,
        tar=1.0,
        bptt=7,
        random_bptt=True,
        partial_shuffle=True,
        batch_size=2,
        epochs=4,
        evaluate_every=31,
        average="ema",
        patience=0,
    ),
    dict[str, Any](
        cell="rnn",
        embedding_size=24,
        hidden_size=(24,),
        dropout=(0.2,),
        optimizer="sgd",
        schedule="plateau",
        learning_rate=2.0,
        bptt=5,
        batch_size=2,
        epochs=6,
        evaluate_every=17,
        average="nt-asgd",
        patience=12,
    ),
)
"""They take turns: carried and fresh states, schedules, averages, shuffled and random windows, patience."""

LONGEST_LIFE = 2.0
"""Seconds after which a trainer is killed at the latest."""


def start_trainer(directory: Path, corpus: Corpus, settings: dict[str, Any]) -> int:
    """A child process that trains, resuming if there is something to resume; its process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        log = os.open(f"{directory}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        resume = (directory / LAST).exists()
        options = RunOptions(resume=resume, suit=False)
        given = {} if resume else settings
        code = train_in(directory, corpus, given, options, device=torch.device("cpu"), narrator=Narrator())
    except LangModelError as error:
        os.write(2, f"{error}\n".encode())
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def check_readable(directory: Path) -> None:
    """Every file that is there can be read whole."""
    for name in (LAST, BEST):
        if (directory / name).exists():
            load_model(directory / name)
    read_metrics(directory)
    read_run(directory)


def steps_of(directory: Path) -> list[float]:
    return [row["step"] for row in read_metrics(directory)]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    prepare_cpu(1)
    chance = random.Random(arguments.seed)  # noqa: S311
    deadline = time.monotonic() + arguments.seconds
    kills = rounds = 0
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        text.write_text(TEXT)
        config = PreprocessConfig(tokenizer="whitespace", sentences="line")
        corpus = preprocess([str(text)], Path(folder) / "corpus", config)
        for number, training in enumerate(SETTINGS):
            child = start_trainer(Path(folder) / f"untouched{number}", corpus, training)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        while kills < arguments.kills and time.monotonic() < deadline:
            number = rounds % len(SETTINGS)
            directory, untouched = Path(folder) / f"round{rounds}", Path(folder) / f"untouched{number}"
            while True:
                child = start_trainer(directory, corpus, SETTINGS[number])
                end = time.monotonic() + chance.uniform(0, LONGEST_LIFE)
                if time.monotonic() > deadline or kills >= arguments.kills:
                    end = math.inf  # enough: this one may finish
                finished = status = 0
                while not finished and time.monotonic() < end:
                    finished, status = os.waitpid(child, os.WNOHANG)
                    time.sleep(0.001)
                if not finished:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    kills += 1
                    if directory.exists():
                        check_readable(directory)
                    continue
                if os.waitstatus_to_exitcode(status):
                    said = Path(f"{directory}.log").read_text()
                    print(f"after {kills} kills the trainer failed; it had said\n{said}", file=sys.stderr)
                    return 1
                break
            for name in (BEST, LAST):
                if (directory / name).read_bytes() != (untouched / name).read_bytes():
                    print(
                        f"after {kills} kills: {name} differs from that of the untouched run", file=sys.stderr
                    )
                    return 1
            assert steps_of(directory) == steps_of(untouched), f"{METRICS} has lost or doubled rows"
            assert (directory / RUN).exists()
            rounds += 1
    print(f"{kills} kills in {rounds} runs, each with the bytes of the untouched run: 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
