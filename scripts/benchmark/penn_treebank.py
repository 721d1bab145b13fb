"""The time that presets take on Penn Treebank, beside six epochs of the plain PyTorch example's recipe.

Both are the number of steps times the time of a step, measured in turn; evaluation is left out of both.
"""

from collections.abc import Iterator

from plain import BATCH, BPTT, PlainModel
from timing import Row
from training import mean_steps

from langmodel.runs.suiting import suited_to
from langmodel.training.config import make_config

VOCABULARY_SIZE = 10_001
TOKENS = 929_589
WINDOWS = -(-(TOKENS // BATCH) // BPTT)
PLAIN_EPOCHS = 6
PRESETS = ("small", None, "laptop")
"""None: what suits a corpus of this size."""


def penn_treebank() -> Iterator[Row]:
    for preset in PRESETS:
        given = suited_to(TOKENS, VOCABULARY_SIZE) if preset is None else {}
        config = make_config(preset, None, given)
        assert (config.batch_size, config.bptt) == (BATCH, BPTT), "the same windows"
        model = PlainModel("lstm", VOCABULARY_SIZE, 200, 2)
        our_step, their_step, _ = mean_steps(config, model, VOCABULARY_SIZE)
        our_time = our_step * WINDOWS * config.epochs
        their_time = their_step * WINDOWS * PLAIN_EPOCHS
        name = (
            f"PTB, {preset or 'defaults'}, {config.epochs} epochs, beside {PLAIN_EPOCHS} of plain LSTM 2x200"
        )
        yield Row(name, our_time, "s", their_time, their_time / our_time)
