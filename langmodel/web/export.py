"""A model as one HTML file that samples, suggests and judges offline, in any browser."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from langmodel.inference.balance import Balance
from langmodel.inference.language_model import LanguageModel
from langmodel.web.javascript import pipeline_data
from langmodel.web.packing import packed_weights
from langmodel.web.pages import page_by_itself
from langmodel.web.served import ServedModel


@dataclass(frozen=True)
class ExportedPage:
    html: str
    lm: LanguageModel
    """The model as the page has it: its weights rounded."""


def export_page(
    model: ServedModel, title: str, form: str, notes: Sequence[tuple[str, str]] = ()
) -> ExportedPage:
    """The page. `form` is how weights are kept: int8, or float16. `notes` are said about it, beside the
    model's own facts. Raises ConfigError for a tokenizer that is Python code.
    """
    lm = model.lm
    lm.network.architecture.needs_exact_softmax("a page by itself")
    blob, tensors, network = packed_weights(lm.network, form)
    a = lm.network.architecture
    balance = Balance.of(lm.vocabulary)
    curve = model.curve and f"data:image/svg+xml;base64,{base64.b64encode(model.curve).decode()}"
    data: dict[str, object] = {
        "name": title,
        "facts": [*model.facts, *notes],
        "curve": curve,
        "words": lm.vocabulary.words,
        "text": pipeline_data(lm.pipeline, lm.vocabulary),
        "balance": {"closers": list(balance.closers.items()), "strict": sorted(balance.strict)},
        "network": {"cell": a.cell, "layers": a.hidden_sizes, "tied": a.tied, "tensors": tensors},
    }
    rounded = LanguageModel(network, lm.vocabulary, lm.pipeline, lm.context)
    return ExportedPage(page_by_itself(title, data, blob), rounded)
