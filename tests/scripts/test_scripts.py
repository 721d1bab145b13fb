"""The scripts of the repository do what their headers say."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from langmodel.network.products import CPU_PRODUCTS, HAS_BFLOAT16
from langmodel.text.preprocess import PreprocessConfig, preprocess

ROOT = Path(__file__).parent.parent.parent

SCRIPTS = ROOT / "scripts"


def run_script(*arguments: object, cwd: Path) -> str:
    command = [sys.executable, str(SCRIPTS / str(arguments[0])), *map(str, arguments[1:])]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd, timeout=300).stdout


def test_the_tutorial_s_numbers_are_reproduced_on_a_small_corpus(tmp_path, poem):
    config = PreprocessConfig(tokenizer="whitespace", sentences="line", valid_fraction=0.0, test_fraction=0.0)
    preprocess([str(poem)], tmp_path / "corpus", config)
    out = run_script("reproduce_tutorial.py", "corpus", "--json", "table.json", cwd=tmp_path)
    rows = {row["what"]: row["here"] for row in json.loads((tmp_path / "table.json").read_text())}
    assert rows["loss falls at every evaluation"] == "yes"
    assert rows["rate halves when the loss rises (from 5.0)"].startswith("yes")
    assert rows["5 sentences of 7 words or more without UNK"] == "yes"
    assert "sampled:" in out


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_a_sine_wave_is_continued_and_drawn(tmp_path, cell):
    out = run_script("sine_wave.py", "--cell", cell, "--epochs", "12", "-o", "wave.svg", cwd=tmp_path)
    error = float(out.split("continued points ")[1].split()[0])
    assert error < 0.5
    assert "<svg" in (tmp_path / "wave.svg").read_text()


def test_the_benchmark_writes_its_rows(tmp_path):
    run_script("benchmark", "--only", "products", "--json", "rows.json", cwd=tmp_path)
    record = json.loads((tmp_path / "rows.json").read_text())
    assert record["products"] == CPU_PRODUCTS
    assert len(record["rows"]) == (2 if HAS_BFLOAT16 else 1)
    for row in record["rows"]:
        assert row["ratio"] == pytest.approx(row["value"] / row["baseline"], rel=0.5)
        assert row["unit"] == "GFLOP/s"


def test_a_simulation_of_one_process_is_what_was_measured_and_more_lose_to_talk_and_failures(tmp_path):
    printed = run_script("scaling.py", "simulate", "--step", "0.1", "--megabytes", "10", cwd=tmp_path)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if "|" in line]
    table = {int(row[0].replace(",", "")): row for row in rows[2:]}
    assert table[1][1:3] == ["0.100", "0.0%"]
    # Two processes: 10 MB over every link at 10 gigabits per second, and two messages.
    assert float(table[2][1]) == pytest.approx(0.1 + 10 * 8e6 / 10e9 + 2 * 50e-6, abs=1e-3)
    speedups = [float(row[5].replace(",", "")) / count for count, row in table.items()]
    assert speedups == sorted(speedups, reverse=True)


def test_the_page_of_the_speed_history_is_that_of_its_records():
    script = runpy.run_path(str(ROOT / "scripts" / "speed_history.py"))
    assert (ROOT / "docs" / "benchmarks.md").read_text() == script["page"](script["records"]())
