"""The advice to use fewer threads: on a machine that is busy, and never on one that is not."""

import time

import pytest
import torch

from langmodel.runs import thread_watch
from langmodel.runs.thread_watch import ThreadWatch

CPU = torch.device("cpu")


class Machine:
    """A clock on which a step takes one second and the process gets so many processors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, threads: int, processors: float) -> None:
        self.now, self.processors = 0.0, processors
        monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
        monkeypatch.setattr(thread_watch.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(thread_watch.time, "process_time", lambda: self.now * self.processors)


@pytest.fixture
def said():
    return []


@pytest.mark.parametrize(
    ("threads", "processors", "advice"),
    [(2, 1.05, "--threads 1 "), (8, 4.2, "--threads 4 "), (4, 0.5, "--threads 1 ")],
)
def test_threads_that_do_not_run_are_told_once_how_many_could(monkeypatch, said, threads, processors, advice):
    machine = Machine(monkeypatch, threads, processors)
    watch = ThreadWatch(CPU, said.append)
    for machine.now in range(60):
        watch.on_step()
    (line,) = said
    assert advice in line and f"{processors / threads:.0%}" in line


@pytest.mark.parametrize(("threads", "processors"), [(2, 1.8), (8, 7.0), (1, 0.3)])
def test_nothing_is_said_where_they_run_or_where_there_is_one(monkeypatch, said, threads, processors):
    machine = Machine(monkeypatch, threads, processors)
    watch = ThreadWatch(CPU, said.append)
    for machine.now in range(60):
        watch.on_step()
    assert said == []


def test_an_evaluation_does_not_count(monkeypatch, said):
    machine = Machine(monkeypatch, 2, 0.5)
    watch = ThreadWatch(CPU, said.append)
    for machine.now in range(60):
        if machine.now % 9 == 0:
            watch.restart()
        watch.on_step()
    assert said == []


def test_a_process_that_sleeps_has_no_processor(monkeypatch, said):
    monkeypatch.setattr(thread_watch, "WINDOW_SECONDS", 0.1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    watch = ThreadWatch(CPU, said.append)
    time.sleep(0.2)
    watch.on_step()
    (line,) = said
    assert "--threads 1 " in line


@pytest.mark.parametrize(("device", "processes"), [("cuda", 1), ("cpu", 2)])
def test_a_gpu_and_several_processes_are_not_watched(monkeypatch, said, device, processes):
    machine = Machine(monkeypatch, 8, 0.9)
    watch = ThreadWatch(torch.device(device), said.append, processes)
    for machine.now in range(60):
        watch.on_step()
    assert said == []
