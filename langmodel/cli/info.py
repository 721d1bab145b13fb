"""`langmodel info`: what a corpus, a run or a model is."""

import json
from pathlib import Path

import click

from langmodel.cli.report import corpus_report, rows_as_text, shown_perplexity
from langmodel.storage.model_file import SavedModel, load_model, model_path
from langmodel.text.corpus import is_corpus, open_corpus


def model_report(path: Path, saved: SavedModel) -> str:
    a = saved.network.architecture
    provenance = saved.provenance
    config = provenance.get("config", {})
    vocabulary = saved.vocabulary
    best = provenance.get("best_loss")
    rows = [
        ("model", str(path)),
        ("network", f"{a.cell.upper()}, layers {' + '.join(map(str, a.hidden_sizes))}, "
         f"embedding {a.embedding_size or 'none (one-hot)'}, {'tied' if a.tied else 'untied'}, "
         f"{saved.network.parameter_count:,} parameters"),
        ("vocabulary", f"{len(vocabulary):,} rows, {vocabulary.words[0]!r} to {vocabulary.words[-1]!r}"),
        ("tokenizer", saved.pipeline.tokenizer + (", lower-cased" if saved.pipeline.lowercase else "")),
        ("context", saved.context),
        ("trained", f"{provenance.get('step', 0):,} steps, {provenance.get('tokens', 0):,} tokens"),
        ("best loss", "-" if best is None else f"{best:.4f} nats, perplexity {shown_perplexity(best)}"),
        ("settings", json.dumps(config)),
        ("corpus", f"sha256 {provenance.get('corpus_sha256', 'unknown')}"),
        ("can resume", "yes" if saved.training is not None else "no; last.safetensors can"),
    ]  # fmt: skip
    return rows_as_text(rows)


@click.command("info")
@click.argument("path", type=click.Path(path_type=Path))
def command(path: Path) -> None:
    """Describe a corpus directory, a run directory or a .safetensors file."""
    if is_corpus(path):
        print(corpus_report(open_corpus(path)))
        return
    file = model_path(path)
    print(model_report(file, load_model(file)))
