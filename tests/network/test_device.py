import warnings

import pytest
import torch

from langmodel.errors import ConfigError
from langmodel.network.device import choose_device, prepare_cpu


@pytest.fixture
def two_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.parametrize(("name", "device"), [("auto", "cuda"), ("cuda:1", "cuda:1"), ("cpu", "cpu")])
def test_a_gpu_is_taken_where_there_is_one_and_its_copies_of_weights_are_not_complained_of(
    two_cards, name, device
):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert choose_device(name) == torch.device(device)
        warnings.warn("RNN module weights are not part of single contiguous chunk of memory.", stacklevel=1)
    assert len(said) == (device == "cpu")


def test_without_a_gpu_auto_is_the_cpu_and_cuda_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match="no usable CUDA GPU"):
        choose_device("cuda")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cuda:2", "has 2 CUDA"),
        ("cuda:x", "unknown device"),
        ("cpu:", "unknown"),
        ("cuda:²", "unknown"),
        ("tpu", "unknown device"),
        ("mps", "float64"),
    ],
)
def test_a_device_that_is_not_there_is_refused(two_cards, name, says):
    with pytest.raises(ConfigError, match=says):
        choose_device(name)


@pytest.mark.parametrize(
    ("processes", "asked", "threads"),
    [("2", "", 2), ("0", "", 4), ("many", "", 4), ("2", "1", 2), ("", "3", 3), ("", "0", 4), ("", "all", 4)],
)
def test_cores_are_shared_by_the_processes_of_a_machine_and_taken_as_asked(
    monkeypatch, processes, asked, threads
):
    monkeypatch.setattr("langmodel.network.device.usable_cores", lambda: 4)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    prepare_cpu(None)
    assert torch.get_num_threads() == threads
    prepare_cpu(3)
    assert torch.get_num_threads() == 3
