"""A reader of model files written from docs/formats.md alone, with NumPy and the standard library."""

import json
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CELLS, make_model, saved_model

from langmodel.network.mixture import Gate, NgramPart
from langmodel.ngrams.kneser_ney import KneserNey
from langmodel.ngrams.packed import packed
from langmodel.storage.model_file import save_model

UNK, START, END, FIRST_WORD = 0, 1, 2, 3


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def log_softmax(x):
    return x - np.log(np.exp(x - x.max()).sum()) - x.max()


def rnn(a, b, state):
    return (np.tanh(a + b),)


def gru(a, b, state):
    (a_r, a_z, a_n), (b_r, b_z, b_n) = np.split(a, 3), np.split(b, 3)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    return ((1 - z) * np.tanh(a_n + r * b_n) + z * state[0],)


def lstm(a, b, state):
    i, f, g, o = np.split(a + b, 4)
    c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def mingru(a, b, state):
    z, n = np.split(a + b, 2)
    return ((1 - sigmoid(z)) * state[0] + sigmoid(z) * n,)


STEPS = {"rnn": rnn, "gru": gru, "lstm": lstm, "mingru": mingru}


class Reader:
    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        self.document = json.loads(header.pop("__metadata__")["langmodel"])
        self.tensors = {}
        for name, entry in header.items():
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            kind = {"F32": "<f4", "U16": "<u2", "I32": "<i4"}[entry["dtype"]]
            values = np.frombuffer(data[start:end], kind).reshape(entry["shape"])
            self.tensors[name.removeprefix("model.")] = values.astype(float if kind == "<f4" else int)
        self.ids = {word: FIRST_WORD + n for n, word in enumerate(self.document["vocabulary"]["words"])}
        a = self.document["architecture"]
        self.cell, self.sizes, self.one_hot = a["cell"], a["hidden_sizes"], a["embedding_size"] == 0
        self.bands = list(pairwise([*a["cutoffs"], len(self.ids) + FIRST_WORD]))
        self.history: list[int] = []
        self.ngrams = self.read_ngrams() if self.document["ngrams"] else None

    def read_ngrams(self):
        """Context -> own parts by word, and what is left over."""
        found, names = {}, [(id,) for id in range(len(self.tensors["ngrams.unigrams"]))]
        for n in range(2, self.document["ngrams"]["order"] + 1):
            words, codes, children = (
                self.tensors[f"ngrams.{n}.{name}"] for name in ("words", "codes", "children")
            )
            above, at = [], 0
            for context, count in zip(names, children, strict=True):
                own = dict(zip(words[at : at + count], 2 ** (-codes[at : at + count] / 2048), strict=True))
                whole = sum(own.values())
                if whole > 1 - 1e-5:
                    own = {word: part / whole * (1 - 1e-5) for word, part in own.items()}
                if count:
                    found[context] = own, 1 - sum(own.values())
                above += [(*context, word) for word in own]
                at += count
            names = above
        return found

    def zero(self):
        return [tuple(np.zeros(size) for _ in range(2)) for size in self.sizes]

    def log_probs(self, id: int, states: list) -> np.ndarray:
        """Of every next word after reading an id; the states are brought up to date."""
        t = self.tensors
        x = self.vector(id)
        for n, state in enumerate(states):
            at = f"layers.{n}."
            a = x if n == 0 and self.one_hot else t[at + "weight_ih"] @ x + t.get(at + "bias_ih", 0)
            b = t[at + "weight_hh"] @ state[0] if at + "weight_hh" in t else 0
            b += t.get(at + "bias_hh", 0)
            states[n] = STEPS[self.cell](a, b, state)
            x = states[n][0]
        if "projection" in t:
            x = t["projection"] @ x
        network = self.network_log_probs(x)
        self.history = [START] if id == START else [*self.history, id]
        return network if self.ngrams is None else self.mixed(network, x)

    def vector(self, id: int) -> np.ndarray:
        for band, (start, stop) in reversed(list(enumerate(self.bands))):
            if start <= id < stop:
                widening = self.tensors[f"adaptive.widening.{band}"]
                return widening @ self.tensors[f"adaptive.vectors.{band}"][id - start]
        return self.tensors["embedding"][id]

    def network_log_probs(self, x: np.ndarray) -> np.ndarray:
        t = self.tensors
        bias = t.get("output_bias", np.zeros(len(self.ids) + FIRST_WORD))
        rows = t.get("output", t["embedding"])
        head = rows @ x + bias[: len(rows)]
        head[START] = -np.inf
        if not self.bands:
            return log_softmax(head)
        bands = t["adaptive.rows"] @ x + t.get("adaptive.row_biases", 0)
        head = log_softmax(np.concatenate([head, bands]))
        parts = [head[: len(rows)]]
        for band, (start, stop) in enumerate(self.bands):
            narrow = t[f"adaptive.widening.{band}"].T @ x
            within = log_softmax(t[f"adaptive.vectors.{band}"] @ narrow + bias[start:stop])
            parts.append(head[len(rows) + band] + within)
        return np.concatenate(parts)

    def mixed(self, network: np.ndarray, read: np.ndarray) -> np.ndarray:
        p, features = self.tensors["ngrams.unigrams"].copy(), list(read)
        for length in range(1, self.document["ngrams"]["order"]):
            context = tuple(self.history[-length:])
            own, left_over = self.ngrams.get(context, ({}, 1.0)) if len(context) == length else ({}, 1.0)
            p *= left_over
            for word, part in own.items():
                p[word] += part
            features += [float(bool(own)), np.log(left_over)]
        g = sigmoid(self.tensors["ngrams.gate.weight"] @ features + self.tensors["ngrams.gate.bias"])
        with np.errstate(divide="ignore"):
            return np.log(g * np.exp(network) + (1 - g) * p)

    def score(self, words: list[str], states: list) -> float:
        total, read = 0.0, START
        for id in [*(self.ids.get(word, UNK) for word in words), END]:
            total += self.log_probs(read, states)[id]
            read = id
        return total


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"tied": True, "hidden_sizes": (4, 3)},
        {"embedding_size": 0, "hidden_sizes": (4, 3)},
        {"bias": False, "hidden_sizes": (3,)},
        {"tied": True, "embedding_size": 9, "cutoffs": (4, 6)},
        {"tied": True, "bias": False, "cutoffs": (5,)},
    ],
    ids=str,
)
def test_the_page_suffices_to_score_a_sentence(tmp_path, cell, shape):
    lm = make_model(cell, **shape)
    save_model(tmp_path / "m.safetensors", saved_model(lm))
    reader = Reader(tmp_path / "m.safetensors")
    for text in ("a b e", "", "zzz a"):
        assert reader.score(text.split(), reader.zero()) == pytest.approx(lm.score(text).log_prob, abs=1e-5)
    states = reader.zero()
    document = [reader.score(text.split(), states) for text in ("a b", "c")]
    expected = [score.log_prob for score in lm.score_lines(["a b", "c"], "document")]
    assert document == pytest.approx(expected, abs=1e-5)
    assert np.exp(reader.log_probs(START, reader.zero())).sum() == pytest.approx(1)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_the_page_suffices_for_a_model_with_ngrams(tmp_path, order):
    lm = make_model(tied=True, hidden_sizes=(4, 3))
    ids = np.random.default_rng(1).integers(2, 8, 300)
    ngrams = packed(KneserNey(np.append(ids, END), 8, order), order)
    weight = torch.randn(5 + 2 * (order - 1), generator=torch.Generator().manual_seed(1))
    lm.ngrams = NgramPart(ngrams, Gate(weight, torch.tensor(0.2)))
    save_model(tmp_path / "m.safetensors", saved_model(lm, ngrams=lm.ngrams))
    reader = Reader(tmp_path / "m.safetensors")
    for text in ("a b e", "", "zzz a", "c c d d e"):
        assert reader.score(text.split(), reader.zero()) == pytest.approx(lm.score(text).log_prob, abs=1e-5)
    assert np.exp(reader.log_probs(START, reader.zero())).sum() == pytest.approx(1)
