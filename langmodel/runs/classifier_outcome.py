"""What a classifier's training led to: the best network judged beside the bags of words, and with them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from langmodel.classification.judging import judge
from langmodel.classification.prediction import class_probabilities
from langmodel.classification.referee import NB_SVMS, BagResult, bags_of_words
from langmodel.classification.texts import tokenized
from langmodel.classification.together import Predictions, accuracy_together
from langmodel.classification.trainer import ClassifierTrainer
from langmodel.display.classifier_reports import comparison
from langmodel.display.narration import Narrator
from langmodel.runs.classifier_data import EncodedSplits, TextSplits

Floats = npt.NDArray[np.float64]


def outcome(
    trainer: ClassifierTrainer,
    splits: TextSplits,
    encoded: EncodedSplits,
    narrator: Narrator,
    *,
    compare: bool,
) -> dict[str, Any]:
    """Judge the best network on the test texts, or without any on those of validation; the result of a run.

    With `compare`, beside the bags of words, and with each NB-SVM as one.
    """
    if splits.test:
        on_held_out, labels = class_probabilities(trainer.network, encoded.test), encoded.test.labels
    else:
        on_held_out, labels = trainer.validation_probabilities(), encoded.data.valid.labels
    found = judge(on_held_out, labels, splits.labels)
    best = trainer.progress
    narrator.tell(
        f"best validation accuracy {best.best_accuracy:.1%}, "
        + (f"in round {best.best_round}" if best.best_round else f"after epoch {best.best_epoch}")
        + ("; the final network has learnt from the validation texts too" if best.refit else "")
    )
    bags = _bags(splits, encoded, narrator, refit=trainer.config.refit) if compare else []
    on_valid = trainer.validation_probabilities() if bags and splits.test else on_held_out
    together = {
        bag.name: _together(encoded, on_valid, on_held_out, bag) for bag in bags if bag.name in NB_SVMS
    }
    if bags or splits.test:
        narrator.tell(comparison(found, together, bags, "test" if splits.test else "validation"))
    return {
        "judged_on": "test" if splits.test else "valid",
        "network": found.to_dict(),
        **{bag.name: bag.accuracy for bag in bags},
        **{f"network and {name}": accuracy for name, accuracy in together.items()},
    }


def _together(encoded: EncodedSplits, on_valid: Floats, on_held_out: Floats, bag: BagResult) -> float:
    """The accuracy of the network and the bag as one."""
    valid = Predictions(on_valid, bag.valid_probabilities, encoded.data.valid.labels)
    if not len(encoded.test):
        return accuracy_together(valid)
    return accuracy_together(valid, Predictions(on_held_out, bag.probabilities, encoded.test.labels))


def _bags(splits: TextSplits, encoded: EncodedSplits, narrator: Narrator, *, refit: bool) -> list[BagResult]:
    """Judged by the test texts, or without any by those of validation."""
    train, valid, test = (
        [tokenized(each.text, encoded.pipeline) for each in part]
        for part in (splits.train, splits.valid, splits.test)
    )
    data = encoded.data
    try:
        return bags_of_words(
            train,
            data.train.labels,
            test or valid,
            encoded.test.labels if test else data.valid.labels,
            valid,
            data.valid.labels,
            len(splits.labels),
            refit=refit and bool(test),
        )
    except ImportError:
        narrator.say(
            "no comparison with a bag of words; it needs scikit-learn: pip install 'langmodel[classify]'"
        )
        return []
