"""How fast the playground answers, and how well the exported page agrees with Python.

    python scripts/measure_pages.py RUN CORPUS

needs the extras of the tests, and Chromium for the exported page.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from langmodel.inference.language_model import LanguageModel, load
from langmodel.network.device import prepare_cpu
from langmodel.runs.run_corpus import open_matching_corpus
from langmodel.text.vocabulary import END_ID
from langmodel.web.export import export_page
from langmodel.web.served import open_model

CLIENTS = 200
SENTENCES = 200


@contextmanager
def server(model: Path) -> Iterator[tuple[str, int]]:
    """Its address and its process's number."""
    command = [sys.executable, "-m", "langmodel", "serve", str(model), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        found = next(found for line in process.stderr if (found := re.search(r"http://\S+", line)))
        yield found[0], process.pid
    finally:
        process.terminate()
        process.wait()


def asked(address: str, call: str, fields: dict[str, Any]) -> tuple[int, float]:
    """Status and seconds of one request on a connection of its own."""
    request = urllib.request.Request(  # noqa: S310
        f"{address}api/{call}", json.dumps(fields).encode(), {"content-type": "application/json"}
    )
    begun = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            answer.read()
            return answer.status, time.perf_counter() - begun
    except urllib.error.HTTPError as error:
        return error.code, time.perf_counter() - begun


def resident_megabytes(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) / 1000 if found else float("nan")


def measure_server(model: Path, sentence: str) -> None:
    words = sentence.split()
    with server(model) as (address, process):
        first = asked(address, "next", {"text": words[0]})[1]
        typed = [
            asked(address, "next", {"text": " ".join(words[: 1 + n % len(words)])})[1] for n in range(100)
        ]
        print(
            f"next word: first answer {1e3 * first:.1f} ms, then {1e3 * median(typed):.1f} ms in the median"
        )
        before = resident_megabytes(process)
        for round_ in (1, 2, 3):
            with ThreadPoolExecutor(CLIENTS) as clients:
                found = list(
                    clients.map(lambda _: asked(address, "next", {"text": sentence}), range(CLIENTS))
                )
            statuses = Counter(status for status, _ in found)
            answered = [seconds for status, seconds in found if status == 200]
            print(
                f"{CLIENTS} at once, round {round_}: {dict(statuses)}, "
                f"p95 {1e3 * quantiles(answered, n=20)[-1]:.0f} ms, "
                f"memory {before:.0f} -> {resident_megabytes(process):.0f} MB"
            )


def measure_page(model: Path, lm: LanguageModel, texts: list[str], form: str) -> None:
    from playwright.sync_api import sync_playwright

    made = export_page(open_model(model, "cpu", set()), "page", form)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        page_file = Path(folder) / "page.html"
        page_file.write_text(made.html, encoding="utf-8")
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(page_file.as_uri())
        page.wait_for_selector("html[data-ready]")
        rows = page.evaluate("text => engine.score({text})", "\n".join(texts))["sentences"]
        pairs = [
            (found["log_prob"], word.log_prob, rounded.log_prob)
            for row, score, other in zip(rows, lm.score(texts), made.lm.score(texts), strict=True)
            for found, word, rounded in zip(row["words"], score.words, other.words, strict=True)
        ]
        drawn = page.evaluate(
            "async () => { let words = 0; const begun = performance.now();"
            "await engine.sample({n: 40, seed: 1}, row => { words += row.words.length });"
            "return words / (performance.now() - begun) * 1000; }"
        )
        browser.close()
    print(
        f"{form}: {len(made.html.encode()) / 1e6:.2f} MB, {drawn:.0f} words per second drawn; largest "
        f"difference of a log-probability over {len(texts)} sentences ({len(pairs)} tokens): "
        f"{max(abs(a - b) for a, b, _ in pairs):.1e} from the model, "
        f"{max(abs(a - c) for a, _, c in pairs):.1e} from Python with the same rounded weights"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    arguments = parser.parse_args()
    prepare_cpu(None)
    lm = load(arguments.model)
    ids = open_matching_corpus(lm, arguments.corpus).split("valid")
    sentences: list[list[int]] = [[]]
    for id in ids[:20_000].tolist():
        if id == END_ID:
            sentences.append([])
        else:
            sentences[-1].append(id)
    texts = [" ".join(lm.pipeline.decode(sentence, lm.vocabulary)) for sentence in sentences[:SENTENCES]]
    measure_server(arguments.model, max(texts[:20], key=len))
    for form in ("float16", "int8"):
        measure_page(arguments.model, lm, texts, form)


if __name__ == "__main__":
    main()
