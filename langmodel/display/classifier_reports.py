"""What a classifier is, and how it got on beside bags of words, as text."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from langmodel.classification.classifier_file import SavedClassifier
from langmodel.classification.judging import Judgement
from langmodel.classification.referee import NB_SVMS, BagResult
from langmodel.display.reports import rows_as_text

NETWORK = "this network"
WIDTH = max(len(f"network and {name}") for name in NB_SVMS)


def comparison(found: Judgement, together: Mapping[str, float], bags: Sequence[BagResult], name: str) -> str:
    """Accuracies with their 95 % intervals, and who won; `together`: of the network and an NB-SVM as one."""
    rows = [(NETWORK, found.accuracy, found.accuracy_interval)]
    rows += [(bag.name, bag.accuracy, bag.interval) for bag in bags]
    lines = [f"{name} accuracy ({found.texts:,} texts, 95 % interval)"]
    lines += [
        f"  {who:<{WIDTH}} {accuracy:6.1%}  {low:.1%} to {high:.1%}" for who, accuracy, (low, high) in rows
    ]
    lines += [f"  {f'network and {bag}':<{WIDTH}} {accuracy:6.1%}" for bag, accuracy in together.items()]
    if bags:
        best = max(bags, key=lambda bag: bag.accuracy)
        if best.accuracy > found.accuracy:
            lines.append(
                f"{best.name} is better than this network: for these texts, it may be enough; or give "
                "the network more to read (--semi pretrain --unlabelled, --from)"
            )
    return "\n".join(lines)


def spread(results: Sequence[dict[str, Any]]) -> str:
    """Mean and standard deviation over the folds."""
    rows = {NETWORK: [result["network"]["accuracy"] for result in results]}
    for name in ("naive Bayes", *NB_SVMS, *(f"network and {bag}" for bag in NB_SVMS)):
        if all(name in result for result in results):
            rows[name] = [result[name] for result in results]
    lines = [f"test accuracy over {len(results)} folds: mean, and standard deviation of a fold"]
    for name, values in rows.items():
        deviation = float(np.std(values, ddof=1))
        lines.append(
            f"  {name:<{WIDTH}} {np.mean(values):6.1%}  ± {deviation:.1%}, of the mean ± "
            f"{deviation / math.sqrt(len(values)):.1%}"
        )
    return "\n".join(lines)


def classifier_report(path: Path, saved: SavedClassifier) -> str:
    a, provenance = saved.network.architecture, saved.provenance
    accuracy = provenance.get("valid_accuracy")
    shown = ", ".join(saved.labels[:20]) + (f" and {len(saved.labels) - 20:,} more" if a.classes > 20 else "")
    return rows_as_text(
        [
            ("classifier", str(path)),
            ("labels", shown),
            (
                "network" if a.networks == 1 else f"{a.networks} networks",
                f"{' and '.join(a.directions)} {a.cell.upper()}, "
                f"layers {' + '.join(map(str, a.hidden_sizes))}, embedding {a.embedding_size}, "
                f"{' + '.join(a.pooling)} pooled, {saved.network.parameter_count:,} parameters",
            ),
            ("vocabulary", f"{len(saved.vocabulary):,} rows"),
            ("tokenizer", f"{saved.pipeline.tokenizer}, {saved.pipeline.shown_case}"),
            ("cut after", f"{saved.max_words:,} words" if saved.max_words else "never"),
            ("validation", f"accuracy {accuracy:.1%}" if type(accuracy) is float else "-"),
            ("data", f"sha256 {provenance.get('data_sha256', 'unknown')}"),
        ]
    )
