"""An adaptive softmax is one exact distribution, in training and in every verb."""

import json
import math

import numpy as np
import pytest
import torch
from conftest import make_model, make_network, out, saved_model

from langmodel.cli.main import run
from langmodel.errors import ConfigError
from langmodel.inference.adaptation import ADAPTATIONS
from langmodel.network.architecture import Architecture
from langmodel.storage.model_file import load_model, save_model
from langmodel.text.vocabulary import START_ID

SHAPES = {"vocabulary_size": 14, "embedding_size": 8, "tied": True, "cutoffs": (5, 9)}

WORDS = tuple("abcdefghijk")


def adaptive_network(dtype=torch.float32, **changes):
    return make_network(**{**SHAPES, **changes}).to(dtype)


def by_hand(network, hidden_O):
    """log p of every word, one softmax after the other, from the raw weights in float64."""
    weights = {name: tensor.detach().double() for name, tensor in network.state_dict().items()}
    bias_V = weights["output_bias"]
    head = torch.cat([weights["embedding"], weights["adaptive.rows"]]) @ hidden_O
    head += torch.cat([bias_V[:5], weights["adaptive.row_biases"]])
    head[START_ID] = -math.inf
    log_head = head - head.logsumexp(0)
    log_probs = log_head[:5].tolist()
    for number, (start, stop) in enumerate([(5, 9), (9, 14)]):
        vectors, widening = weights[f"adaptive.vectors.{number}"], weights[f"adaptive.widening.{number}"]
        band = torch.stack([(widening @ vector) @ hidden_O for vector in vectors]) + bias_V[start:stop]
        log_probs += (log_head[5 + number] + band - band.logsumexp(0)).tolist()
    return torch.tensor(log_probs, dtype=torch.double)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_the_distribution_is_what_its_softmaxes_give_one_after_the_other(cell):
    network = adaptive_network(cell=cell)
    hidden, _ = network.read([3, 7, 13])
    log_probs = network.output_layer.log_probabilities(hidden)[0]
    torch.testing.assert_close(log_probs.double(), by_hand(network, hidden[0].double()), rtol=1e-5, atol=1e-5)
    assert log_probs[START_ID] == -math.inf
    assert float(log_probs.double().exp().sum()) == pytest.approx(1, abs=1e-6)


def test_a_target_costs_what_the_distribution_says_and_the_sum_is_the_sum():
    layer = adaptive_network(torch.double).output_layer
    hidden = torch.randn(13, 8, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([0, *range(2, 14)])
    expected = -layer.log_probabilities(hidden).gather(1, targets.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(layer.token_nll(hidden, targets), expected)
    torch.testing.assert_close(layer.nll_sum(hidden, targets), expected.sum())
    torch.testing.assert_close(layer.token_details(hidden, targets)[:, 0], expected)
    only_head = torch.tensor([2, 3, 4])
    torch.testing.assert_close(
        layer.token_nll(hidden[:3], only_head),
        -layer.log_probabilities(hidden[:3]).gather(1, only_head.unsqueeze(1)).squeeze(1),
    )


def test_the_gradient_of_every_weight_is_right_also_of_a_band_that_no_target_is_in():
    network = adaptive_network(torch.double)
    names, parameters = zip(*network.named_parameters(), strict=True)
    inputs = torch.tensor([[1, 3], [4, 6], [5, 0]])
    targets = torch.tensor([4, 6, 5, 0, 2, 8])  # the last band has none

    def loss(*values):
        own = {f"network.{name}": value for name, value in zip(names, values, strict=True)}
        return torch.func.functional_call(_Loss(network), own, (inputs, targets))

    assert torch.autograd.gradcheck(loss, [p.detach().clone().requires_grad_() for p in parameters])
    _Loss(network)(inputs, targets).backward()
    assert all(parameter.grad is not None for parameter in parameters)
    assert not network.adaptive.vectors[1].grad.any()


class _Loss(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, inputs, targets):
        read, _ = self.network(inputs, self.network.zero_state(2))
        return self.network.output_layer.nll_sum(read.flatten(0, 1), targets)


def test_an_input_word_of_a_band_is_its_widened_vector():
    network = adaptive_network()
    vectors = network.word_vectors(torch.tensor([[3, 10], [5, 4]]))
    band = network.adaptive.widening[1] @ network.adaptive.vectors[1][1]
    torch.testing.assert_close(vectors[0, 1], band)
    torch.testing.assert_close(vectors[0, 0], network.embedding[3])
    torch.testing.assert_close(vectors[1, 0], network.adaptive.widening[0] @ network.adaptive.vectors[0][0])


@pytest.mark.parametrize("name", ADAPTATIONS)
def test_adaptations_take_it(name):
    network = adaptive_network()
    ids = np.random.default_rng(1).integers(2, 14, 60).astype(np.uint16)
    adapted = ADAPTATIONS[name](network, None, ids, ids)
    assert np.isfinite(adapted.log_probs(ids)).all()


def test_a_temperature_is_one_over_the_whole_distribution():
    layer = adaptive_network().output_layer
    hidden = torch.ones(1, 8)
    sharp = layer.tempered(0.5).log_probabilities(hidden)[0].double().exp()
    plain = layer.log_probabilities(hidden)[0].double().exp()
    torch.testing.assert_close(sharp, plain**2 / (plain**2).sum(), rtol=1e-5, atol=1e-7)


def test_its_file_is_the_model_again(tmp_path):
    lm = make_model(words=WORDS, embedding_size=8, tied=True, cutoffs=(5, 9))
    save_model(tmp_path / "m.safetensors", saved_model(lm))
    again = load_model(tmp_path / "m.safetensors").network
    assert again.architecture == lm.network.architecture
    ids = [3, 8, 12]
    torch.testing.assert_close(again.read(ids)[0], lm.network.read(ids)[0], rtol=0, atol=0)


def test_a_sentence_is_as_probable_as_its_words_and_samples_hold_no_unk():
    lm = make_model(words=WORDS, embedding_size=8, tied=True, cutoffs=(5, 9))
    sentence = lm.score("a h k")
    ids = [lm.vocabulary.id_of(word) for word in "ahk"]
    total = 0.0
    for place, id in enumerate([*ids, 2]):
        read, _ = lm.network.read(ids[:place])
        total += float(lm.network.output_layer.log_probabilities(read)[0, id])
    assert sentence.log_prob == pytest.approx(total, abs=1e-5)
    drawn = " ".join(str(sentence) for sentence in lm.sample(200, seed=1)).split()
    assert "<unk>" not in drawn
    assert set(drawn) == set(WORDS)


def test_a_run_is_trained_resumed_and_used_by_the_verbs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(5)
    words = [f"w{rank}" for rank in range(40)]
    weights = 1 / np.arange(1, 41)
    lines = [" ".join(draw.choice(words, 8, p=weights / weights.sum())) for _ in range(300)]
    (tmp_path / "text.txt").write_text("\n".join(lines))
    out(capsys, "preprocess text.txt -o corpus --tokenizer whitespace --sentences line")
    train = (
        "train corpus --softmax adaptive --cutoffs 12,25 --band-factor 4 --embedding-size 8 --hidden-size 8 "
        "--batch-size 4 --bptt 5 --no-baselines --threads 1 --evaluate-every 40 "
    )
    assert run([*train.split(), "-o", "whole", "--epochs", "2"]) == 0
    assert "softmax adaptive: 12 rows of width 8, 13 of 2, " in capsys.readouterr().err
    out(capsys, train + "-o parts --epochs 1 --schedule constant")
    report = out(capsys, "info whole")
    assert "adaptive: 12 rows of width 8, 13 of 2, " in report
    rows = (tmp_path / "whole/metrics.jsonl").read_text().splitlines()
    losses = [json.loads(row)["valid_loss"] for row in rows]
    assert losses[-1] < math.log(43)
    for verb in ("evaluate whole corpus", "sample whole -n 2 --seed 1", "score whole text.txt "):
        out(capsys, verb)
    out(capsys, "train corpus -o more --from whole --epochs 1 --no-baselines --threads 1")
    assert load_model(tmp_path / "more/best.safetensors").network.architecture.cutoffs == (12, 25)
    older = load_model(tmp_path / "parts/last.safetensors")
    del older.training.values["config"]["band_factor"]  # as before there was a choice
    save_model(tmp_path / "parts/last.safetensors", older)
    before = (tmp_path / "parts/last.safetensors").read_bytes()
    out(capsys, "train corpus -o parts --resume --epochs 2 --no-baselines")
    assert (tmp_path / "parts/last.safetensors").read_bytes() != before
    for refused in ("export-web whole -o page.html", "train corpus -o no --softmax adaptive"):
        assert run(refused.split()) == 2
    error = capsys.readouterr().err
    assert "needs a model with an exact softmax; this one's is adaptive" in error
    assert "too few for an adaptive softmax" in error


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tied": False}, "shares the embedding"),
        ({"cutoffs": (9, 5)}, "must rise"),
        ({"cutoffs": (2,)}, "from 4 at least"),
        ({"cutoffs": (14,)}, "under 14 rows"),
        ({"cutoffs": tuple(range(4, 13))}, "at most 8 bands"),
    ],
)
def test_impossible_bands_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        Architecture(**{**SHAPES, **changes})


def test_an_architecture_from_before_there_were_cut_offs_is_exact():
    data = Architecture(vocabulary_size=9).to_dict()
    del data["cutoffs"], data["band_factor"]
    assert Architecture.from_dict(data).cutoffs == ()


def test_bands_from_before_there_was_a_choice_are_a_quarter_as_wide():
    data = Architecture(**{**SHAPES, "embedding_size": 32}).to_dict()
    assert [band.size for band in Architecture.from_dict(data).bands] == [16, 8]
    del data["band_factor"]
    assert [band.size for band in Architecture.from_dict(data).bands] == [8, 2]
