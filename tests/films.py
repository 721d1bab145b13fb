"""Film reviews of a small world: an adjective decides, a sentence in three has another word between."""

from pathlib import Path

import numpy as np

GOOD, BAD = "fine lovely great".split(), "dull awful bad".split()
FILMS = "film story plot picture".split()


def review(label: str, chance: np.random.Generator) -> str:
    words = GOOD if label == "good" else BAD
    adjective, film = str(chance.choice(words)), str(chance.choice(FILMS))
    return f"a {adjective} {film} ." if chance.random() < 0.6 else f"the {film} is , I say , {adjective} ."


def reviews(count: int, seed: int) -> list[tuple[str, str]]:
    chance = np.random.default_rng(seed)
    return [(label := "good" if n % 2 else "bad", review(label, chance)) for n in range(count)]


def write(file: Path, rows: list[tuple[str, str]]) -> Path:
    file.write_text("".join(f"{label} +++$+++ {text}\n" for label, text in rows))
    return file
