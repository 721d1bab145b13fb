import pytest

from langmodel.text.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, naïve, 去", "plain, naïve, 去"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("a\u202eb\u2028c\x85", "a\\u202eb\\u2028c\\x85"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("no\u00a0break", "no\u00a0break"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_what_moves_or_hides_text_is_an_escape(text, shown):
    assert printable(text) == shown
