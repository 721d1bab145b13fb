"""Windows that are copied to a device many at a time are the windows that they were."""

import pytest
import torch
from test_trainer import IDS, TINY, make_trainer

from langmodel.network.windows import DocumentWindows, SentenceWindows
from langmodel.training import batching
from langmodel.training.batching import ResidentWindows, resident

CPU = torch.device("cpu")

ALL = {
    "document": DocumentWindows(IDS, batch_size=3, bptt=7, shuffle_seed=1, length_seed=2),
    "sentences": SentenceWindows(IDS, batch_size=3, bptt=3, shuffle_seed=1),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("start", [0, 3])
@pytest.mark.parametrize("together", [1, 4, 10_000])
def test_resident_windows_are_the_same(monkeypatch, name, start, together):
    monkeypatch.setattr(batching, "RESIDENT_WINDOWS", together)
    windows = ALL[name]
    there = ResidentWindows(windows, CPU)
    assert (there.tokens, there.count(1)) == (windows.tokens, windows.count(1))
    pairs = list(zip(there.epoch(1, start), windows.epoch(1, start), strict=True))
    assert len(pairs) == windows.count(1) - start
    padded = [window.positions_N is not None for _, window in pairs]
    assert any(padded) == (name == "sentences")
    for found, expected in pairs:
        assert torch.equal(found.inputs_TB, expected.inputs_TB)
        assert torch.equal(found.targets_N, expected.targets_N)
        assert found.fresh == expected.fresh
        assert (found.positions_N is None) == (expected.positions_N is None)
        if expected.positions_N is not None:
            assert torch.equal(found.positions_N, expected.positions_N)


def test_a_cpu_copies_nothing():
    assert resident(ALL["document"], CPU) is ALL["document"]
    assert isinstance(resident(ALL["document"], torch.device("meta")), ResidentWindows)
    assert isinstance(make_trainer(TINY)._windows, DocumentWindows)
