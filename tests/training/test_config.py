import pytest

from langmodel.errors import ConfigError
from langmodel.training import config as training_config
from langmodel.training.config import PRESETS, TrainingConfig, make_config


@pytest.mark.parametrize(
    "changes",
    [
        {"bptt": 0},
        {"batch_size": 0},
        {"epochs": 0},
        {"layers": 0},
        {"patience": -1},
        {"seed": -1},
        {"learning_rate": -1.0},
        {"learning_rate": float("nan")},
        {"clip": float("inf")},
        {"context": "paragraph"},
        {"optimizer": "magic"},
        {"schedule": "magic"},
        {"cell": "magic"},
        {"dropout": (1.0,)},
        {"dropout": (-0.1,)},
        {"dropout": (0.1, 0.2)},
        {"word_dropout": 1.0},
        {"ar": -1.0},
        {"context": "sentence", "partial_shuffle": True},
        {"average": "magic"},
        {"hidden_size": (3, 4), "layers": 3},
        {"hidden_size": (0,)},
        {"embedding_size": 0, "tied": True},
        {"weight_decay": -1.0},
    ],
)
def test_settings_out_of_range_are_refused(changes):
    with pytest.raises(ConfigError):
        TrainingConfig(**changes)


def test_one_rate_of_dropout_stands_for_three():
    assert TrainingConfig(dropout=(0.4,)).dropout_rates == (0.4, 0.4, 0.4)
    assert TrainingConfig(dropout=(0.4, 0.25, 0.1)).dropout_rates == (0.4, 0.25, 0.1)


def test_the_tutorials_network_has_the_tutorials_number_of_parameters():
    from langmodel.network.recurrent_lm import RecurrentLM

    architecture = make_config("tutorial", None, {}).architecture(8_000)
    assert RecurrentLM(architecture).parameter_count == 1_610_000  # 2HC + H²


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("learning-rate = 1\nepochs = 9\nhidden-size = [5, 6]\n")
    config = make_config("classic", file, {"epochs": 2})
    assert (config.learning_rate, config.epochs, config.hidden_size) == (1.0, 2, (5, 6))
    assert config.optimizer == "sgd"


@pytest.mark.parametrize(
    "text",
    ["speed = 3", "epochs = 'many'", "epochs = true", "hidden_size = ['a']", "hidden_size = []", "= 3"],
)
def test_a_config_file_is_checked_by_name_and_type(tmp_path, text):
    file = tmp_path / "c.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"c\.toml"):
        make_config(None, file, {})


def test_a_missing_config_file_and_an_unknown_preset_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        make_config(None, tmp_path / "none.toml", {})
    with pytest.raises(ConfigError, match="tutorial"):
        make_config("huge", None, {})


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_valid_config_and_survives_json(preset):
    config = make_config(preset, None, {})
    settings = training_config.config_from_mapping(config.to_dict(), "here")
    assert TrainingConfig(**settings) == config
