"""Settings that carry their help and their limits; work shared out in order."""

import math
import os
from concurrent.futures import Executor, Future
from dataclasses import dataclass

import pytest

from langmodel.configuration import check_settings, readable, setting, settings, typed_settings
from langmodel.errors import ConfigError, LangModelError
from langmodel.processes import in_order, process_pool


@dataclass(frozen=True, kw_only=True)
class Config:
    size: int = setting(3, "How large.", least=1, most=9)
    rates: tuple[float, ...] = setting((0.1,), "How fast.", least=0, under=1)
    weight: float = setting(0.0, "How heavy.", least=0, finite=True)
    kind: str = setting("a", "Which.", choices=("a", "b"))
    top_k: int = setting(0, "Only so many.", least=0)
    plain: str = "no setting"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": 0}, "size must be from 1 to 9, got 0"),
        ({"rates": (0.5, 1.0)}, "rates must be at least 0 and under 1, got 1.0"),
        ({"rates": (math.nan,)}, "rates must be"),
        ({"weight": math.inf}, "weight must be at least 0 and finite"),
        ({"kind": "c"}, "kind must be one of a, b, got c"),
        ({"top_k": -1}, "top-k must be at least 0"),
    ],
)
def test_a_setting_out_of_its_limits_is_named_with_them(changes, said):
    with pytest.raises(ConfigError, match=said):
        check_settings(Config(**changes))
    check_settings(Config())


def test_settings_are_the_fields_that_were_made_as_such():
    assert list(settings(Config)) == ["size", "rates", "weight", "kind", "top_k"]
    assert settings(Config)["size"].metadata["about"] == "How large."
    assert (readable("batch_size"), readable("top_p")) == ("batch size", "top-p")


def test_values_from_files_are_checked_by_name_and_type():
    found = typed_settings(Config, {"size": 4, "rates": 1, "top-k": 2}, "c.toml")
    assert found == {"size": 4, "rates": (1.0,), "top_k": 2}
    for wrong in ({"speed": 1}, {"size": True}, {"size": 1.5}, {"rates": []}, {"kind": 3}):
        with pytest.raises(ConfigError, match=r"c\.toml"):
            typed_settings(Config, wrong, "c.toml")


class Immediately(Executor):
    """Does the work when it is handed in, and counts how far ahead that is."""

    def __init__(self) -> None:
        self.handed_in = 0

    def submit(self, function, /, *arguments, **more):
        self.handed_in += 1
        future: Future = Future()
        future.set_result(function(*arguments))
        return future


def test_results_come_in_order_and_work_is_taken_a_few_pieces_ahead():
    pool = Immediately()
    results = in_order(pool, 4, lambda n: n * n, iter(range(100)))
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    assert pool.handed_in == 3 + 2 * 2
    assert list(results) == [n * n for n in range(3, 100)]


def test_a_worker_that_dies_is_one_line():
    with process_pool(1) as pool, pytest.raises(LangModelError, match="a worker process died"):
        list(in_order(pool, 1, os._exit, [3]))
