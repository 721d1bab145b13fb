import pytest
from conftest import make_model

from langmodel.inference.results import Samples, shortened


def test_samples_are_a_list_in_a_notebook():
    drawn = make_model(words=("<b>", "a")).sample(2, seed=1, max_length=3)
    page = Samples(drawn)._repr_html_()
    assert page.startswith("<ol><li>")
    assert page.endswith("</li></ol>")
    assert page.count("<li>") == 2
    assert "<b>" not in page


@pytest.mark.parametrize(("length", "shown"), [(39, 39), (40, 40), (41, 40)])
def test_a_long_text_is_shortened_to_forty_characters(length, shown):
    found = shortened("x" * length)
    assert len(found) == shown
    assert found.endswith("…") == (length > 40)
