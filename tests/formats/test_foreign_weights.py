"""Models of pytorch/examples and of neural-complexity: the same perplexity, and what is refused."""

import math
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from langmodel.cli.main import run
from langmodel.inference.language_model import load

WORDS = ["the", "<eos>", "cat", "<unk>", "sat", "dog"]


class RNNModel(nn.Module):
    """The shape that both programs give their model."""

    def __init__(self, kind: str, ninp: int, nhid: int, nlayers: int, tied: bool) -> None:
        super().__init__()
        self.encoder = nn.Embedding(len(WORDS), ninp)
        self.rnn = getattr(nn, kind)(ninp, nhid, nlayers)
        self.decoder = nn.Linear(nhid, len(WORDS))
        if tied:
            self.decoder.weight = self.encoder.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.rnn(self.encoder(ids))
        return self.decoder(hidden)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return tmp_path


def import_(*more: str) -> int:
    return run(["import-model", "w.pt", "--vocabulary", "vocab.txt", "-o", "m.safetensors", *more])


@pytest.mark.parametrize(
    ("kind", "layers", "tied"),
    [
        ("LSTM", 2, False),
        ("LSTM", 1, True),
        ("GRU", 1, False),
        ("RNN", 2, True),
    ],
)
def test_the_imported_perplexity_is_the_original_s(place, capsys, kind, layers, tied):
    torch.manual_seed(1)
    model = RNNModel(kind, 7, 7, layers, tied)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.7)
    torch.save(model.state_dict(), "w.pt")
    assert import_() == 0
    text = ["the cat sat", "the zebra dog", "cat"]
    stream = [1]
    for line in text:
        stream += [WORDS.index(word) if word in WORDS else 3 for word in line.split()] + [1]
    ids = torch.tensor(stream).unsqueeze(1)
    nll = F.cross_entropy(model(ids[:-1]).flatten(0, 1), ids[1:].flatten())
    (place / "text").write_text("\n".join(text) + "\n")
    capsys.readouterr()
    found = load("m.safetensors").evaluate("text")
    assert found.tokens == len(stream) - 1
    assert found.perplexity == pytest.approx(math.exp(nll.item()), rel=1e-5)
    assert load("m.safetensors").network.architecture.tied is tied


def test_a_model_without_an_unknown_word_gives_it_no_probability(place):
    words = [word if word != "<unk>" else "rare" for word in WORDS]
    (place / "vocab.txt").write_text("\n".join(words) + "\n")
    torch.save(RNNModel("GRU", 3, 4, 1, False).state_dict(), "w.pt")
    assert import_("--lowercase") == 0
    lm = load("m.safetensors")
    assert lm.score("zebra").words[0].log_prob < -1_000
    assert lm.score("THE").words[0].oov is False


def test_a_pickled_module_is_refused_with_the_way_to_convert_it_and_runs_nothing(place, capsys):
    code = (
        "import torch, pathlib\n"
        "class Bomb:\n"
        "    def __reduce__(self): return (pathlib.Path.touch, (pathlib.Path('exploded'),))\n"
        "torch.save({'x': Bomb()}, 'w.pt')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=place)
    assert import_() == 2
    error = capsys.readouterr().err
    assert "holds more than weights" in error and ".state_dict()" in error and error.count("\n") == 1
    assert not (place / "exploded").exists()


GOOD = RNNModel("LSTM", 3, 4, 1, False).state_dict()


@pytest.mark.parametrize(
    ("weights", "vocabulary", "said"),
    [
        (b"junk", WORDS, ("not a file of torch.save", "holds more than weights")),
        ([1, 2], WORDS, ("not a state dictionary",)),
        ({"a": torch.zeros(1)}, WORDS, ("no weights of a recurrent",)),
        ({**GOOD, "rnn.weight_hh_l0": torch.zeros(5, 4)}, WORDS, ("does not fit an RNN",)),
        ({**GOOD, "rnn.weight_ih_l0": torch.zeros(16, 9)}, WORDS, ("do not fit",)),
        (GOOD, ["a", "<eos>"], ("6 vectors, but 2",)),
        (GOOD, list("abcdef"), ("has no <eos>",)),
        (GOOD, ["a", "a", "c", "d", "<eos>", "f"], ("twice",)),
        (None, WORDS, ("no such file",)),
    ],
)
def test_files_and_vocabularies_that_do_not_fit(place, capsys, weights, vocabulary, said):
    if isinstance(weights, bytes):
        (place / "w.pt").write_bytes(weights)
    elif weights is not None:
        torch.save(weights, "w.pt")
    (place / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    assert import_() == 2
    error = capsys.readouterr().err
    assert any(part in error for part in said), error
    assert error.count("\n") == 1
