"""What a person wants to know about a model and its losses, as text."""

from pathlib import Path
from typing import Any

from langmodel.configuration import shown_value
from langmodel.display.reports import rows_as_text
from langmodel.network.architecture import Architecture
from langmodel.network.likelihood import perplexity
from langmodel.storage.model_file import LAST, SavedModel
from langmodel.training.config import TrainingConfig

PRODUCTS = ("MKL", "oneDNN", "MKL, bfloat16", "oneDNN, bfloat16")


def shown_perplexity(loss: float) -> str:
    """The perplexity of a loss in nats per token, short even when training has exploded."""
    value = perplexity(loss, 1)
    return f"{value:,.2f}" if value < 1e6 else f"{value:.3g}"


def model_report(path: Path, saved: SavedModel) -> str:
    resumes = "yes" if saved.training is not None else f"the run can, from {LAST}"
    if saved.training is None and not path.with_name(LAST).exists():
        resumes = "no"
    return rows_as_text([("model", str(path)), *model_facts(saved), ("can resume", resumes)])


def model_facts(saved: SavedModel) -> list[tuple[str, str]]:
    """What a model is: a label and a value each."""
    a = saved.network.architecture
    provenance = saved.provenance
    config = provenance.get("config", {})
    vocabulary = saved.vocabulary
    return [
        (
            "network",
            f"{a.cell.upper()}, layers {' + '.join(map(str, a.hidden_sizes))}, "
            f"embedding {a.embedding_size or 'none (one-hot)'}, {'tied' if a.tied else 'untied'}, "
            f"{saved.network.parameter_count:,} parameters",
        ),
        ("softmax", shown_softmax(a)),
        (
            "n-grams",
            "none"
            if saved.ngrams is None
            else f"{saved.ngrams.ngrams.size:,} of up to "
            f"{saved.ngrams.ngrams.order} words, mixed with the network word by word",
        ),
        ("vocabulary", f"{len(vocabulary):,} rows, {vocabulary.words[0]!r} to {vocabulary.words[-1]!r}"),
        ("tokenizer", f"{saved.pipeline.tokenizer}, {saved.pipeline.shown_case}"),
        ("context", saved.context if saved.direction == "forward" else f"{saved.context}, read backward"),
        (
            "trained",
            f"{_shown_count(provenance.get('step', 0))} steps, "
            f"{_shown_count(provenance.get('tokens', 0))} tokens{_shown_machine(provenance)}",
        ),
        ("best loss", _shown_loss(provenance.get("best_loss"))),
        ("settings", _shown_settings(config)),
        ("corpus", f"sha256 {provenance.get('corpus_sha256', 'unknown')}"),
    ]


def shown_softmax(a: Architecture) -> str:
    if not a.bands:
        return "exact"
    bands = ", ".join(f"{band.stop - band.start:,} of {band.size}" for band in a.bands)
    return f"adaptive: {a.head_rows:,} rows of width {a.embedding_size}, {bands}"


def _shown_machine(provenance: dict[str, Any]) -> str:
    """Where it was trained: the same bits come only from the same."""
    device, products = provenance.get("device"), provenance.get("products")
    if device != "cpu" or products not in PRODUCTS:
        return ""
    return f", on a CPU with {_shown_count(provenance.get('threads'))} threads and {products}"


def _shown_count(count: Any) -> str:
    return f"{count:,}" if type(count) is int else "unknown"


def _shown_loss(loss: Any) -> str:
    return f"{loss:.4f} nats, perplexity {shown_perplexity(loss)}" if type(loss) is float else "-"


def _shown_settings(config: Any) -> str:
    """Those that differ from the defaults."""
    if not isinstance(config, dict):
        return "unknown"
    defaults = TrainingConfig().to_dict()
    chosen = {name: value for name, value in config.items() if name in defaults and defaults[name] != value}
    return ", ".join(f"{name} {shown_value(value)}" for name, value in chosen.items()) or "the defaults"
