"""The time that presets take on Penn Treebank, beside six epochs of the plain PyTorch example's recipe.

Both are the number of steps times the time of a step, measured in turn; evaluation is left out of both.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from plain import BATCH, BPTT, PlainModel, plain_steps
from timing import Row, elsewhere, paired
from training import our_steps, zipf_ids

from langmodel.runs.suiting import suited_to
from langmodel.training.config import make_config
from langmodel.training.sampled_softmax import STAGE_BOUNDS

VOCABULARY_SIZE = 10_001
TOKENS = 929_589
WINDOWS = -(-(TOKENS // BATCH) // BPTT)
PLAIN_EPOCHS = 6
PRESETS = ("small", None, "laptop")
"""None: what suits a corpus of this size."""


def penn_treebank() -> Iterator[Row]:
    ids = zipf_ids(BATCH * BPTT * 40, VOCABULARY_SIZE)
    for preset in PRESETS:
        given = suited_to(TOKENS, VOCABULARY_SIZE) if preset is None else {}
        config = make_config(preset, None, given)
        assert (config.batch_size, config.bptt) == (BATCH, BPTT), "the same windows"
        our_step = their_step = 0.0
        for begin, end in pairwise(STAGE_BOUNDS if config.sampled_softmax else (0.0, 1.0)):
            ours = our_steps(config, VOCABULARY_SIZE, ids, done=begin)
            model = PlainModel("lstm", VOCABULARY_SIZE, 200, 2)
            with elsewhere(plain_steps, model, ids, torch.get_num_threads()) as theirs:
                times = paired(lambda o=ours: next(o), theirs, rounds=30)  # type: ignore[misc]
            our_step += (end - begin) * times[0]
            their_step += (end - begin) * times[1]
        our_time = our_step * WINDOWS * config.epochs
        their_time = their_step * WINDOWS * PLAIN_EPOCHS
        name = (
            f"PTB, {preset or 'defaults'}, {config.epochs} epochs, beside {PLAIN_EPOCHS} of plain LSTM 2x200"
        )
        yield Row(name, our_time, "s", their_time, their_time / our_time)
