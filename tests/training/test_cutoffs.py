import pytest

from langmodel.errors import ConfigError
from langmodel.network.architecture import Architecture
from langmodel.training.config import TrainingConfig
from langmodel.training.cutoffs import choose_cutoffs

ZIPF = [1_000_000 // rank for rank in range(1, 60_001)]


def test_cut_offs_fit_the_vocabulary_and_leave_most_tokens_in_the_head():
    cutoffs = choose_cutoffs(ZIPF, len(ZIPF) + 3, 256, 2)
    Architecture(vocabulary_size=len(ZIPF) + 3, cutoffs=cutoffs)
    assert sum(ZIPF[: cutoffs[0]]) > 0.6 * sum(ZIPF)


def test_the_more_even_the_words_the_larger_the_head():
    even = [10] * 60_000
    assert choose_cutoffs(even, 60_003, 256, 2)[0] >= choose_cutoffs(ZIPF, 60_003, 256, 2)[0]


def test_words_without_counts_follow_zipfs_law():
    assert choose_cutoffs((), 60_003, 256, 2) == choose_cutoffs([0] * 60_000, 60_003, 256, 2)
    assert choose_cutoffs((), 60_003, 256, 2) == choose_cutoffs(ZIPF, 60_003, 256, 2)


def test_a_small_vocabulary_is_not_cut():
    assert choose_cutoffs([1] * 900, 903, 256, 2) == ()
    with pytest.raises(ConfigError, match="903 rows are too few"):
        TrainingConfig(softmax="adaptive").architecture(903, [1] * 900)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"softmax": "adaptive", "sampled_softmax": True}, "cannot also be sampled"),
        ({"cutoffs": (100,)}, "for --softmax adaptive"),
        ({"band_factor": 4}, "for --softmax adaptive"),
        ({"softmax": "adaptive", "tied": False, "cutoffs": (100,)}, "shares the embedding"),
        ({"softmax": "hierarchical"}, "one of exact, adaptive"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        TrainingConfig(**settings)
