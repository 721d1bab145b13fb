"""Batches of texts: every text once an epoch, of like lengths, and never the same batches twice."""

import numpy as np
import pytest

from langmodel.classification.texts import EncodedTexts


def of_lengths(*lengths: int) -> EncodedTexts:
    return EncodedTexts.of([[1] * length for length in lengths], [0] * len(lengths))


LENGTHS = np.random.default_rng(1).integers(200, 2_000, 300).tolist()


@pytest.mark.parametrize("batch_size", [1, 7, 16, 100, 300, 400])
def test_an_epoch_has_every_text_once(batch_size):
    batches = of_lengths(*LENGTHS).shuffled(batch_size, (1, 0))
    assert sorted(row for batch in batches for row in batch) == list(range(len(LENGTHS)))
    assert max(map(len, batches)) <= batch_size


def test_few_texts_make_other_batches_in_every_epoch():
    """Sorted by length as a whole, they would make the same ones."""
    texts = of_lengths(*LENGTHS)
    epochs = [{frozenset(batch) for batch in texts.shuffled(16, (1, epoch))} for epoch in range(2)]
    assert len(epochs[0] & epochs[1]) <= 1
    assert texts.shuffled(16, (1, 0)) == texts.shuffled(16, (1, 0))


def test_little_is_filled_up():
    batches = of_lengths(*LENGTHS).shuffled(16, (1, 0))
    read = sum(len(batch) * max(LENGTHS[row] for row in batch) for batch in batches)
    assert read < 1.3 * sum(LENGTHS)
    unsorted = [range(start, start + 16) for start in range(0, 288, 16)]
    assert sum(16 * max(LENGTHS[row] for row in batch) for batch in unsorted) > 1.5 * sum(LENGTHS[:288])
