"""Attack every reader and verb: whatever the bytes, an answer or one line of error, and nothing lost.

python scripts/attack.py --attempts 500 --seed 1

Each attempt damages one file of a small corpus, run, model, text, table or list (cut short, bytes changed,
put in, repeated, replaced by random ones, JSON values exchanged) and runs a command on it; or gives a
command a name that no sane person gives a file; or kills a writer at a random moment, or fills its disk, and
looks at what is left. It fails if the command raises, ends with another exit code than 0, 1 or 2, says more
than a few lines or anything that moves a cursor, or takes a minute; or if what was there before a kill or a
full disk is gone.
"""

import argparse
import contextlib
import io
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from langmodel.cli.main import run

LONGEST_SECONDS = 60.0
MOST_ERROR_LINES = 12

TEXT = "The cat sat on the mat. The dog saw Anna, and she saw the cat.\n" * 30

TRAIN = "train corpus -o run --epochs 1 --hidden-size 8 --embedding-size 8 --batch-size 2 --threads 1"

LABELLED = "train-classifier labels.txt -o labelled --epochs 1 --hidden-size 4 --embedding-size 4 --threads 1"

NEW_RUN = "train corpus -o other --epochs 1 --hidden-size 4 --embedding-size 4 --no-baselines --threads 1"

TARGETS = (
    ("run/best.safetensors", "info run"),
    ("run/best.safetensors", "score run text.txt --per-word"),
    ("run/last.safetensors", "train corpus -o run --resume --epochs 2 --threads 1 --no-baselines"),
    ("run/run.json", "evaluate run"),
    ("run/run.json", "compare run"),
    ("run/run.json", "train corpus -o run --resume --threads 1"),
    ("run/metrics.jsonl", "train corpus -o run --resume --epochs 2 --threads 1 --no-baselines"),
    ("corpus/corpus.json", "info corpus"),
    ("corpus/corpus.json", NEW_RUN),
    ("corpus/vocabulary.json", "info corpus"),
    ("corpus/shards.json", "info corpus"),
    ("corpus/rare_words.json", "sample run -n 2 --seed 1 --unk copy-rare"),
    ("corpus/train.npy", NEW_RUN),
    ("corpus/valid.npy", "evaluate run"),
    ("text.txt", "preprocess text.txt -o made"),
    ("text.txt", "evaluate run text.txt"),
    ("table.csv", "preprocess table.csv -o made --column review"),
    ("rows.jsonl", "score run rows.jsonl"),
    ("archive.zip", "preprocess archive.zip -o made"),
    ("text.txt", "sample run -n 1 --seed 1 --max-length 5 --prefixes text.txt"),
    ("list.nbest", "rescore run list.nbest --format moses"),
    ("items.csv", "stimuli run items.csv"),
    ("config.toml", "train corpus -o other --config config.toml --no-baselines"),
    ("x.arpa", f"{NEW_RUN} --ngrams x.arpa"),
    ("run/best.safetensors", "export-web run -o page.html"),
    ("run/best.safetensors", "export-arpa run -o y.arpa"),
    ("run/best.safetensors", "sample run -n 2 --seed 1 --max-length 9"),
    ("run/best.safetensors", "next run"),
    ("labels.txt", f"{LABELLED} --no-compare --overwrite"),
    ("labels.csv", f"{LABELLED.replace('txt', 'csv')} --no-compare --overwrite"),
    ("rows.jsonl", "evaluate-classifier labelled rows.jsonl"),
    ("labelled/best.safetensors", "classify labelled text.txt --format jsonl"),
    ("labelled/best.safetensors", "info labelled"),
    ("labelled/last.safetensors", f"{LABELLED} --no-compare --resume"),
    ("run/best.safetensors", f"{LABELLED} --no-compare --overwrite --from run"),
)
"""A file that is damaged, and the command that reads it."""


def prepare(folder: Path) -> None:
    """Valid files of every kind, in the current directory."""
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    (folder / "table.csv").write_text('id;review\n1;"good; very"\n2;bad\n' * 9, encoding="utf-8")
    (folder / "rows.jsonl").write_text('{"text": "the cat sat .", "label": "a"}\n' * 9, encoding="utf-8")
    (folder / "labels.txt").write_text("a +++$+++ the cat sat .\nb +++$+++ a dog\n" * 9, encoding="utf-8")
    (folder / "labels.csv").write_text('label,text\na,"the cat, sat"\nb,a dog\n' * 5, encoding="utf-8")
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        archive.writestr("a.txt", TEXT)
    (folder / "list.nbest").write_text("0 ||| the cat ||| LM= -4 ||| -6.5\n0 ||| a cat ||| LM= -5 ||| -7\n")
    (folder / "items.csv").write_text("item,condition,regions\n1,a,The cat|sat\n1,b,The dog|sat\n")
    (folder / "config.toml").write_text("epochs = 1\nhidden-size = 4\nembedding_size = 4\ndropout = [0.1]\n")
    assert run("preprocess text.txt -o corpus --vocabulary-size 12".split()) == 0
    assert run(TRAIN.split()) == 0
    assert run("export-arpa run -o x.arpa".split()) == 0
    assert run(f"{LABELLED} --no-compare".split()) == 0


ODD = (b"\n" * 999, b"\0", b"[" * 5_000, b'"', b"\xff\xfe", b"-1e999", b"9" * 400)


def cut(data: bytes, random: random.Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def change(data: bytes, random: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 3, 30))):
        if changed:
            changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def insert(data: bytes, random: random.Random) -> bytes:
    at = random.randrange(len(data) + 1)
    what = random.choice((random.randbytes(9), *ODD))
    return data[:at] + what + data[at:]


def repeat(data: bytes, random: random.Random) -> bytes:
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.choice((1, 20, 500)))
    return data[:end] + data[start:end] * random.choice((1, 50)) + data[end:]


def replace(data: bytes, random: random.Random) -> bytes:
    return random.choice((b"", b"[]", b"{}", b"null", b"\x89PNG\r\n", random.randbytes(300), b"1" * 5_000))


VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**400,
    2**63,
    0.5,
    -1e308,
    "",
    "x\x1b[2J\n",
    [],
    {},
    [[]],
    {"a": [1]},
    "9" * 50,
)


def exchange(data: bytes, random: random.Random) -> bytes:
    """One value of a JSON document, or of a line of JSON lines, becomes another; other files are changed."""
    try:
        parts = data.decode().splitlines() if b"\n{" in data else [data.decode()]
        lines = [json.loads(part) for part in parts]
    except (ValueError, RecursionError):
        return change(data, random)
    holders = [holder for line in lines for holder in _holders(line)]
    if not holders:
        return replace(data, random)
    holder = random.choice(holders)
    key = random.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[key] = random.choice(VALUES)
    return "\n".join(json.dumps(line) for line in lines).encode()


def _holders(value: Any) -> list[Any]:
    """Every list and object in a JSON value that has something in it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [value] if isinstance(value, dict | list) and value else []
    return found + [holder for one in inner for holder in _holders(one)]


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    cut,
    change,
    insert,
    repeat,
    replace,
    exchange,
)


def attempt(place: Path, file: str, command: str, data: bytes) -> str:
    """What went wrong; empty if nothing did."""
    (place / file).write_bytes(data)
    return said_wrong(command.split())


def said_wrong(arguments: list[str]) -> str:
    """What is wrong with how a command ends; empty if nothing is."""
    output, error, begun = io.StringIO(), io.StringIO(), time.monotonic()
    stdin = io.TextIOWrapper(io.BytesIO(b"the cat\n"))
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(error), put(sys, "stdin", stdin):
        try:
            code = run(arguments)
        except BaseException:
            return traceback.format_exc()
    if code not in (0, 1, 2):
        return f"exit code {code}"
    said = error.getvalue()
    if code and (said.count("\n") > MOST_ERROR_LINES or "langmodel: error: " not in said):
        return f"exit code {code}, and said:\n{said[:2_000]}"
    shown = (
        said if arguments[0] == "score" else said + output.getvalue()
    )  # score gives back its input as it is
    if "\x1b" in shown:
        return f"moved the cursor: {shown[:500]!r}"
    seconds = time.monotonic() - begun
    return f"{seconds:.0f} seconds" if seconds > LONGEST_SECONDS else ""


@contextlib.contextmanager
def put(module: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


NAMES = (
    "a\nb",
    "\x1b[2J\x1b[31mred",
    "-n",
    "--help",
    "..",
    ".",
    " ",
    "a b'\"$(id)",
    "日本語.txt",
    "x" * 250,
    "x" * 5_000,
    "%s%n{0}",
    "tab\there",
    "a/../text.txt",
    "text.txt/",
    "/dev/null",
    "nltk:../../etc",
    "pydoc:\x1b",
    "\u202egnp.exe",
    "corpus",
    "run",
    "http://127.0.0.1:9/x",
    "x.csv",
    "x.zip",
)

NAMED = (
    ["preprocess", "{}", "-o", "made"],
    ["preprocess", "text.txt", "-o", "{}"],
    ["info", "{}"],
    ["score", "run", "{}"],
    ["score", "{}", "text.txt"],
    ["evaluate", "run", "{}"],
    ["compare", "run", "{}"],
    ["train", "{}", "-o", "other"],
    ["sample", "run", "-n", "1", "--seed", "1", "--prefixes", "{}"],
    ["sample", "run", "-n", "1", "--seed", "1", "--max-length", "9", "--prefix", "{}"],
    ["export-web", "run", "-o", "{}"],
    ["export-arpa", "run", "-o", "{}"],
    ["rescore", "run", "{}", "--format", "moses"],
    ["stimuli", "run", "{}"],
    ["import-tutorial", "{}", "text.txt", "-o", "made.safetensors"],
    ["classify", "labelled", "{}"],
    ["train-classifier", "{}", "-o", "made"],
    ["train-classifier", "labels.txt", "-o", "made", "--epochs", "1", "--from", "{}"],
    [*NEW_RUN.split(), "--ngrams", "{}"],
    [*NEW_RUN.split(), "--from", "{}"],
)


def hostile_name(chance: random.Random) -> tuple[str, str]:
    """What was done, and what went wrong."""
    name = chance.choice(NAMES)
    arguments = [part.replace("{}", name) for part in chance.choice(NAMED)]
    if len(name) < 200 and "/" not in name and chance.random() < 0.5:
        with contextlib.suppress(OSError):
            shutil.copy("text.txt", name)
    return f"langmodel {arguments!r:.200}", said_wrong(arguments)


WRITERS = (
    ("preprocess text.txt -o corpus --vocabulary-size 20", "info corpus"),
    (f"{TRAIN.replace('--epochs 1', '--epochs 3')} --resume", "evaluate run"),
    (NEW_RUN, "info corpus"),
    ("export-arpa run -o x.arpa --overwrite", f"{NEW_RUN} --overwrite --ngrams x.arpa"),
    ("export-web run -o page.html --overwrite", "info run"),
    (f"{LABELLED} --no-compare --overwrite", "info run"),
    (f"{LABELLED} --no-compare --resume", "classify labelled text.txt"),
)
"""What writes, and what must answer afterwards, however the writer ended."""


def stopped_writer(chance: random.Random, *, killed: bool) -> tuple[str, str]:
    """A writer in a process of its own, killed at a random moment or with room for a few bytes only.

    Then what is left is read, and the writer is run again.
    """
    writer, reader = chance.choice(WRITERS)
    room = chance.choice((0, 100, 5_000, 40_000))

    def leave_little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    child = subprocess.Popen(
        [sys.executable, "-m", "langmodel", *writer.split()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=None if killed else leave_little_room,
    )
    if killed:
        time.sleep(1 + 2 * chance.random())
        child.kill()
    status = child.wait(LONGEST_SECONDS)
    what = f"`{writer}` {'killed' if killed else 'on a full disk'} (exit code {status}), then "
    if status not in (0, 1, 2, -signal.SIGKILL):
        return what, f"exit code {status}"
    again = writer if writer.startswith("preprocess") else f"{writer} --overwrite"
    if "--resume" in writer:
        again = "train corpus -o run --resume --threads 1"
    for command in (reader, again):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as error:
            code = run(command.split())
        if code:
            return what + f"`{command}`", f"exit code {code}: {error.getvalue()[:500]}"
    return what, ""


def one_attempt(place: Path, chance: random.Random) -> tuple[str, str, str]:
    """Of which kind, what was done, and what went wrong."""
    kind = chance.random()
    if kind < 0.02:
        return "kill", *stopped_writer(chance, killed=True)
    if kind < 0.035:
        return "full disk", *stopped_writer(chance, killed=False)
    if kind < 0.25:
        return "hostile name", *hostile_name(chance)
    file, command = chance.choice(TARGETS)
    damage = chance.choice(DAMAGES)
    data = damage((place / file).read_bytes(), chance)
    return damage.__name__, f"{file}, then `langmodel {command}`", attempt(place, file, command, data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--attempts", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)  # noqa: S311
    begun, failures, made = time.monotonic(), 0, Counter[str]()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        whole, place = Path(folder, "whole"), Path(folder, "place")
        whole.mkdir()
        with contextlib.chdir(whole), contextlib.redirect_stdout(sys.stderr):
            prepare(whole)
        for number in range(options.attempts):
            if time.monotonic() - begun > options.seconds:
                break
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(whole, place)
            with contextlib.chdir(place):
                kind, what, wrong = one_attempt(place, chance)
            made[kind] += 1
            if wrong:
                failures += 1
                print(f"attempt {number}: {kind}: {what}:\n{wrong}\n")
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(made.items()))
    print(f"{made.total()} attempts ({kinds}) in {time.monotonic() - begun:.0f} s: {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
