"""What is chosen for a corpus by its size, and when a person's own settings stand alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.runs.budget import step_time
from langmodel.runs.suiting import suited_settings
from langmodel.text.vocabulary import Vocabulary
from langmodel.training.config import TrainingConfig
from langmodel.training.sampled_softmax import share_at
from langmodel.training.trainer import Trainer


def of_size(corpus, tokens, rows):
    statistics = {**corpus.statistics, "train": replace(corpus.statistics["train"], tokens=tokens)}
    words = Vocabulary([str(number) for number in range(rows - 3)], [1] * (rows - 3))
    return replace(corpus, statistics=statistics, vocabulary=words)


@pytest.mark.parametrize(
    ("tokens", "rows", "flags"),
    [
        (50_000, 8_000, "--dropout 0.5 --epochs 20"),
        (100_000, 8_000, "--dropout 0.5 --epochs 12"),
        (900_000, 8_000, "--sampled-softmax --weight-decay 0.05 --epochs 11"),
        (900_000, 1_999, ""),
    ],
)
def test_size_decides(poem_corpus, tokens, rows, flags):
    config, line = suited_settings(of_size(poem_corpus, tokens, rows), {}, plans_epochs=False)
    assert flags in line and bool(flags) == bool(line)
    assert config.sampled_softmax == ("sampled" in flags)


def test_what_a_person_gives_wins_and_a_choice_of_recipe_stands_alone(poem_corpus):
    large = of_size(poem_corpus, 900_000, 8_000)
    config, line = suited_settings(large, {"epochs": 3, "cell": "gru"}, plans_epochs=False)
    assert (config.epochs, config.cell, config.weight_decay) == (3, "gru", 0.05)
    assert "--epochs" not in line
    assert "--epochs" not in suited_settings(large, {}, plans_epochs=True)[1]
    for given in ({"optimizer": "sgd"}, {"sampled_softmax": False}, {"learning_rate": 1e-3}):
        assert suited_settings(large, given, plans_epochs=False) == (TrainingConfig(**given), "")


def test_the_time_of_a_step_is_measured_over_all_stages_of_a_sampled_softmax(monkeypatch):
    config = TrainingConfig(embedding_size=4, hidden_size=(4,), epochs=1_000, sampled_softmax=True)
    ids = np.full(2_000, 5, np.uint16)
    trainer = Trainer(RecurrentLM(config.architecture(9), torch.Generator().manual_seed(1)), ids, ids, config)
    taken = []
    step = trainer.train_step
    monkeypatch.setattr(
        trainer,
        "train_step",
        lambda window: taken.append(share_at(trainer.progress.step / trainer.total_steps)) or step(window),
    )
    seconds, tokens = step_time(trainer, 0.4)
    assert set(taken) == {0.2, 0.28, 0.49, None}
    assert seconds > 0 and 0 < tokens <= 20 * 35
