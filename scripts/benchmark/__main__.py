"""How fast langmodel is, beside the plain way of doing the same, in one run on this machine.

    python scripts/benchmark [--text FILE] [--threads N] [--json FILE] [--only NAME]

Pairs are timed in turn (ours, theirs, ours, theirs, …) and medians compared, so that a machine whose
speed drifts still gives honest ratios; preprocessing is read once each way. --text is prose for
preprocessing; without it, the built-in corpus. Networks are untrained and ids are drawn from Zipf's law:
the arithmetic is that of real text.
"""

import argparse
import datetime
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from classification import classification
from gpu import gpu
from inference import inference
from memory import memory
from penn_treebank import penn_treebank
from preprocessing import preprocessing
from timing import Row
from training import products, training, tutorial

from langmodel.cores import processor, usable_cores
from langmodel.network.device import prepare_cpu
from langmodel.network.products import CPU_PRODUCTS

SUITES: dict[str, Callable[[str], Iterator[Row]]] = {
    "preprocessing": preprocessing,
    "products": lambda _: products(),
    "training": lambda _: training(),
    "penn-treebank": lambda _: penn_treebank(),
    "tutorial": lambda _: tutorial(),
    "memory": lambda _: memory(),
    "inference": lambda _: inference(),
    "classification": lambda _: classification(),
    "gpu": lambda _: gpu(),
}
"""Each is given the text to preprocess."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", default="pydoc:", help="prose to preprocess [default: pydoc:]")
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--only", choices=list(SUITES))
    arguments = parser.parse_args()
    prepare_cpu(arguments.threads)
    print(
        f"{arguments.threads} threads, PyTorch {torch.__version__}, {processor()}, products by {CPU_PRODUCTS}"
    )
    rows = []
    for name, suite in SUITES.items():
        if arguments.only in (None, name):
            for row in suite(arguments.text):
                rows.append(row)
                print(
                    f"{row.name:<84} {row.value:>12,.0f} {row.unit:<12} "
                    f"baseline {row.baseline:>10,.0f}   ratio {row.ratio:.2f}",
                    flush=True,
                )
    if arguments.json:
        record = {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "processor": processor(),
            "threads": arguments.threads,
            "torch": torch.__version__,
            "products": CPU_PRODUCTS,
            "rows": [asdict(row) for row in rows],
        }
        arguments.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
