"""Bags of words on the same texts, to compare a classifier with: naive Bayes and NB-SVMs, by scikit-learn.

Wang and Manning (2012), Baselines and Bigrams: words and pairs of words, each counted once per text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from langmodel.intervals import Interval, wilson_interval

SMOOTHING = 1.0


@dataclass(frozen=True)
class NBSVM:
    """A linear SVM on words and pairs, each weighted by its log-count ratio."""

    cost: float
    """The SVM's C."""
    interpolation: float
    """The paper's β: this share of the weights is the SVM's own, the rest their mean size."""
    unit_length: bool
    """Whether the weighted features of a text are scaled to a Euclidean norm of one."""

    def margins(self, x: Any, is_class: npt.NDArray[Any], x_others: Any) -> npt.NDArray[np.float64]:
        """Of the other texts, shape (N); of both, the weighted features."""
        from sklearn.preprocessing import normalize
        from sklearn.svm import LinearSVC

        if self.unit_length:
            x, x_others = normalize(x), normalize(x_others)
        svm = LinearSVC(C=self.cost, random_state=0).fit(x, is_class)
        own = svm.coef_.ravel()
        weights = (1 - self.interpolation) * np.abs(own).mean() + self.interpolation * own
        return np.asarray(x_others @ weights + svm.intercept_[0])


NB_SVMS = {
    "NB-SVM": NBSVM(cost=1.0, interpolation=0.25, unit_length=False),
    "unit-length NB-SVM": NBSVM(cost=10.0, interpolation=1.0, unit_length=True),
}
"""The paper's own, and one in which a long text counts no more than a short one: better on documents."""


@dataclass(frozen=True)
class BagResult:
    """What a bag of words reached on held-out texts."""

    name: str
    accuracy: float
    interval: Interval
    probabilities: npt.NDArray[np.float64]
    """Of the held-out texts, shape (N, C)."""
    valid_probabilities: npt.NDArray[np.float64]
    """The same for the validation texts."""


def features(sentences: Sequence[Sequence[str]]) -> list[str]:
    """The words and the pairs of neighbours of a text; no pair crosses a sentence."""
    found: list[str] = []
    for words in sentences:
        found += words
        found += map("\t".join, pairwise(words))
    return found


def bags_of_words(
    train: Sequence[Sequence[Sequence[str]]],
    train_labels: npt.NDArray[Any],
    held_out: Sequence[Sequence[Sequence[str]]],
    held_out_labels: npt.NDArray[Any],
    valid: Sequence[Sequence[Sequence[str]]],
    valid_labels: npt.NDArray[Any],
    classes: int,
    *,
    refit: bool = False,
) -> list[BagResult]:
    """Multinomial naive Bayes and every one of NB_SVMS, learnt from tokenized texts and tried on others.

    With `refit`, what they say of the held-out texts is learnt from the validation texts too. Raises
    ImportError where scikit-learn is missing.
    """
    found = _learnt(train, train_labels, [*held_out, *valid], classes)
    if refit:
        again = _learnt([*train, *valid], np.concatenate([train_labels, valid_labels]), held_out, classes)
        found = {name: np.concatenate([again[name], both[len(held_out) :]]) for name, both in found.items()}
    return [_result(name, probabilities, held_out_labels) for name, probabilities in found.items()]


def _learnt(
    train: Sequence[Sequence[Sequence[str]]],
    labels: npt.NDArray[Any],
    others: Sequence[Sequence[Sequence[str]]],
    classes: int,
) -> dict[str, npt.NDArray[np.float64]]:
    """By name, the probabilities of the other texts, shape (N, C)."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    vectorizer = CountVectorizer(analyzer=features, binary=True)
    x, x_others = vectorizer.fit_transform(train), vectorizer.transform(others)
    bayes = MultinomialNB(alpha=SMOOTHING).fit(x, labels)
    probabilities = np.zeros((x_others.shape[0], classes))
    probabilities[:, bayes.classes_] = bayes.predict_proba(x_others)
    margins = _nb_svm_margins(x, labels, x_others, classes)
    return {"naive Bayes": probabilities} | {name: _softmax(each) for name, each in margins.items()}


def _nb_svm_margins(
    x: Any, labels: npt.NDArray[Any], x_others: Any, classes: int
) -> dict[str, npt.NDArray[np.float64]]:
    """By name, those of the other texts, shape (N, C): one class against the rest."""
    margins = {name: np.full((x_others.shape[0], classes), -np.inf) for name in NB_SVMS}
    for c in [1] if classes == 2 else np.unique(labels):
        is_c = labels == c
        with_c = SMOOTHING + np.asarray(x[is_c].sum(0)).ravel()
        without = SMOOTHING + np.asarray(x[~is_c].sum(0)).ravel()
        ratio = np.log((with_c / with_c.sum()) / (without / without.sum()))
        weighted, weighted_others = (each.multiply(ratio).tocsr() for each in (x, x_others))
        for name, settings in NB_SVMS.items():
            margins[name][:, c] = settings.margins(weighted, is_c, weighted_others)
            if classes == 2:
                margins[name][:, 0] = -margins[name][:, 1]
    return margins


def _softmax(margins_NC: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Margins are no log-probabilities; this keeps their order and makes rows that sum to one."""
    powers = np.exp(margins_NC - margins_NC.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def _result(name: str, probabilities: npt.NDArray[Any], labels: npt.NDArray[Any]) -> BagResult:
    """The held-out texts stand first."""
    held_out, valid = np.split(probabilities, [len(labels)])
    right = int((held_out.argmax(1) == labels).sum())
    return BagResult(name, right / len(labels), wilson_interval(right, len(labels)), held_out, valid)
