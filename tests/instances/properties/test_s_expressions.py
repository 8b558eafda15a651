import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties.s_expressions import MAX_DEPTH, Form, Word, parse_forms


def test_lists_words_and_lines():
    text = "; one (comment\n(a (b 1.5)\n  ; another\n  c)(d) ; end"
    first, second = parse_forms(text)
    assert first == Form((Word("a", 2), Form((Word("b", 2), Word("1.5", 2)), 2), Word("c", 4)), 2)
    assert second == Form((Word("d", 4),), 4)
    assert (first.head, first.items[1].head, Form((), 1).head) == ("a", "b", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(a\n(b)", "line 1: a parenthesis is never closed"),
        ("(a)\n)", "line 2: a closing parenthesis without"),
        ("(a)\n\nb", "line 3: 'b' is outside"),
        ("\n" + "(" * (MAX_DEPTH + 1), f"line 2: more than {MAX_DEPTH} parentheses"),
    ],
)
def test_errors_are_named_with_their_line(text, message):
    with pytest.raises(PropertyError, match=message):
        list(parse_forms(text))


def test_lists_of_the_greatest_depth_are_read():
    (form,) = parse_forms("(" * MAX_DEPTH + ")" * MAX_DEPTH)
    for _ in range(MAX_DEPTH - 1):
        (form,) = form.items
    assert form.items == ()


@given(st.text(alphabet="()ab; \n\r\t", max_size=60))
def test_any_text_is_read_or_named(text):
    try:
        forms = list(parse_forms(text))
    except PropertyError as error:
        assert str(error).startswith("line ")
    else:
        assert all(isinstance(form, Form) for form in forms)
