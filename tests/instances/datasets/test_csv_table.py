import gzip
import os
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnnbench.instances.datasets import csv_table
from vnnbench.instances.datasets.csv_table import parse_csv, read_csv
from vnnbench.instances.errors import DataError


def parse(text, target="class", ignored=()):
    data = text if isinstance(text, bytes) else text.encode()
    return parse_csv(data, "name", "file.csv", target, ignored)


def test_features_and_classes_come_by_their_names():
    table = parse("a,class,b\n1,yes,2.5\n-3e-2,no,.5\n+4.,yes,true\n0,no,FALSE\n")
    assert table.name == "name"
    assert table.features == ("a", "b")
    assert table.values.tolist() == [[1, 2.5], [-0.03, 0.5], [4, 1], [0, 0]]
    assert table.classes == ("no", "yes")
    assert table.labels.tolist() == [1, 0, 1, 0]
    assert table.values.dtype == np.float64
    assert not table.values.flags.writeable


def test_without_a_target_the_last_column_holds_the_classes():
    assert parse("a,b\n1,x\n2,y\n", target=None).classes == ("x", "y")


def test_ignored_columns_may_hold_anything():
    assert parse("id,a,class\nfox,1,x\n,2,y\n", ignored=("id", "other")).features == ("a",)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["10", "9", "9.0", "1e1"], ("9", "10")),
        (["0.5", "-1", ".50", "-1.0"], ("-1", "0.5")),
        (["0", "-0.0", "1", "+1"], ("0", "1")),
        (["10", "9", "x"], ("10", "9", "x")),
        (["9007199254740993", "9007199254740992"], ("9007199254740992", "9007199254740993")),
        (["true", "false"], ("false", "true")),
    ],
)
def test_classes_that_are_all_numbers_are_sorted_and_merged_as_numbers(labels, classes):
    table = parse("a,class\n" + "".join(f"1,{label}\n" for label in labels))
    assert table.classes == classes


@given(st.lists(st.tuples(st.floats(-1e15, 1e15), st.floats(-1e15, 1e15), st.sampled_from("xyz")), min_size=1))
def test_numbers_are_read_bit_for_bit(samples):
    samples = [(0.0, 0.0, "v"), *samples]
    table = parse("a,b,class\n" + "".join(f"{a!r},{b!r},{label}\n" for a, b, label in samples))
    assert table.values.tobytes() == np.array([sample[:2] for sample in samples]).tobytes()
    assert [table.classes[k] for k in table.labels] == [sample[2] for sample in samples]


def test_blanks_quotes_empty_lines_and_line_ends_do_not_matter():
    plain = parse("a,b,class\n1,2,x\n3,4,y\n")
    other = parse('\ufeff a , "b", class\r\n\r\n1 , "2", "x"\r\n3,4, y\r\n\r\n')
    assert other.features == plain.features
    assert (other.values == plain.values).all()
    assert other.classes == plain.classes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "file.csv: is empty; line 1 must hold the names of the columns"),
        ("\n\n", "file.csv: is empty"),
        ("a,class\n", "file.csv: has no samples below its line of names"),
        ("a,b,c\n1,2,3\n", "file.csv, line 1: has no target column 'class'; its columns are 'a', 'b', 'c'"),
        ("\na;class\n1;2\n", "file.csv, line 2: separates columns by semicolons; they must be separated by commas"),
        ("a;b\n1,5;2,5\n", "file.csv, line 1: separates columns by semicolons"),
        ("a\tclass\n1\t2\n", "file.csv, line 1: separates columns by tabs"),
        ("1,2\n3,4\n", "file.csv, line 1: has no target column 'class'; its columns are '1', '2'"),
        ("a,b,Class\n", "no target column 'class'; did you mean 'Class'? Its columns are 'a', 'b', 'Class'"),
        ("a,b,clas\n", "no target column 'class'; did you mean 'clas'? Its columns are 'a', 'b', 'clas'"),
        ("a,b,c,d,e,f\n", "its columns are 'a', 'b', 'c', 'd', 'e' and 1 more"),
        ("a" * 200 + ",b\n", "its columns are 'aaaaaaaaaaaaaaaaaaaaaaaaaaa…aaaaaaaaaaaa', 'b'"),
        ("class\nx\ny\n", "file.csv, line 1: has no column beside 'class'; a table needs features"),
        (",a,class\n0,1,x\n", "file.csv, line 1: column 1 has no name; name it or leave it out"),
        ("a,b,a,class\n", "file.csv, line 1: column 'a' is there twice; rename or remove one"),
        ('"a\nb",class\n', "file.csv, line 2: the name of column 1 is not one line"),
        ("a\x00,class\n", "file.csv, line 1: the name of column 1 is not one line"),
        ("a" * 256 + ",class\n", "line 1: the name of column 1 is not one line of at most 255 characters"),
        ("a,class\n1,x\n2\n", "file.csv, line 3: has 1 fields, but there are 2 columns"),
        ("a,class\n1,x\n1,2,y\n", "file.csv, line 3: has 3 fields, but there are 2 columns"),
        ("a,class\n\n1,x\n,y\n", "file.csv, line 4, column 'a': is empty; fill it, or leave the sample or the column"),
        ("a,class\n1,x\n?,y\n", "file.csv, line 3, column 'a': has a gap (?)"),
        ("a,class\n1,x\nNaN,y\n", "file.csv, line 3, column 'a': has a gap (NaN)"),
        ("a,class\n1,x\nred,y\n", "line 3, column 'a': is the text 'red', but a feature is a number; encode it"),
        ("a,class\n1,x\n1_0,y\n", "file.csv, line 3, column 'a': is the text '1_0'"),
        ("a,class\n1,x\n٣,y\n", "file.csv, line 3, column 'a': is the text '٣'"),
        ("a,class\n1,x\n0x10,y\n", "file.csv, line 3, column 'a': is the text '0x10'"),
        ("a,class\n1,x\n1 000,y\n", "file.csv, line 3, column 'a': is the text '1 000'"),
        ("a,class\n1,x\n=2+3,y\n", "file.csv, line 3, column 'a': is the text '=2+3'"),
        ("a,class\n1,x\n-inf,y\n", "file.csv, line 3, column 'a': is infinite; give a finite number"),
        ("a,class\n1,x\n1e999,y\n", "file.csv, line 3, column 'a': is 1e999; numbers must lie within"),
        ("a,class\n1,x\n-1.1e15,y\n", "file.csv, line 3, column 'a': is -1.1e15; numbers must lie within"),
        ("a,class\n1,x\n1,\n", "file.csv, line 3, column 'class': is empty; every sample needs a class"),
        ("a,class\n1,?\n1,x\n", "file.csv, line 2, column 'class': has a gap (?); every sample needs a class"),
        ("a,class\n1,x\x07\n", "file.csv, line 2, column 'class': the name of the class is not one line"),
        (
            "a,class\n1,x\n2,x\n3,x\n",
            "file.csv, line 2, column 'class': all samples are of class 'x', as this one is; a table needs two",
        ),
        ("a,class\n1,1\n2,1.0\n", "file.csv, line 2, column 'class': all samples are of class '1'"),
        ('a,class\n1,"x\n2,y\n', "is not a line of a CSV file (unexpected end of data)"),
        ('a,class\n1,"x"y\n', "file.csv, line 2: is not a line of a CSV file"),
        ("a,class\n1," + "x" * 200_000, "file.csv, line 2: is not a line of a CSV file (field larger than"),
        (b"a,class\n1,x\n2,\xfc\n", "file.csv, line 3: is not UTF-8 text; save the table as CSV in UTF-8"),
        ("a,class\n1,x\n".encode("utf-16"), "file.csv, line 1: is not UTF-8 text"),
        (b"PK\x03\x04\x14\x00\x08\x08\x08\x00\xe6\x8a\xff\xfe", "file.csv, line 1: is not UTF-8 text"),
        (b"a,class\n1,\xe2\x82", "file.csv, line 2: is not UTF-8 text"),
    ],
)
def test_bad_input_is_one_line_that_names_file_line_and_column(text, message):
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        parse(text)
    assert str(caught.value).startswith("file.csv")
    assert str(caught.value).isprintable()


@given(st.one_of(st.binary(), st.text(alphabet='ab,"\n\r1.e-+ \x00é', max_size=60)))
def test_whatever_a_file_holds_there_is_a_table_or_a_data_error(text):
    try:
        table = parse(text, target=None)
    except DataError:
        return
    assert np.isfinite(table.values).all()


def test_the_limit_is_checked_before_the_file_is_parsed(monkeypatch):
    monkeypatch.setattr(csv_table, "MAX_TABLE_FIELDS", 6)
    parse("a,class\n1,x\n1,y\n")
    for text in ("a,class\n1,x\n1,y\n\n", "a,class\r\n1,x\r\n1,y", "not parsed: \xff" + "\n" * 7):
        with pytest.raises(DataError, match=r"file.csv: holds more than 6 fields, the most that is read"):
            parse(text)


def test_a_column_of_other_numbers_is_not_taken_for_classes():
    text = "a,price\n" + "".join(f"1,{i}.5\n" for i in range(1001))
    with pytest.raises(
        DataError, match=r"file.csv, line 1002, column 'price': '1000.5' is one class too many: a table"
    ):
        parse(text, target="price")
    assert len(parse(text.replace("1000.5", "0.5"), target="price").classes) == 1000


def test_a_table_of_too_many_columns_is_refused(monkeypatch):
    monkeypatch.setattr(csv_table, "MAX_INPUTS", 2)
    with pytest.raises(DataError, match=r"file.csv, line 1: has 3 columns; at most 2 are read"):
        parse("a,b,class\n1,2,x\n1,2,y\n")


def test_a_file_is_read_plain_and_zipped(tmp_path):
    data = b"a,class\n1,x\n2,y\n"
    (tmp_path / "t.csv").write_bytes(data)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(data))
    plain, zipped = (read_csv(tmp_path / name, "t", "class") for name in ("t.csv", "t.csv.gz"))
    assert (plain.values == zipped.values).all()
    assert plain.origin.file == str(tmp_path / "t.csv")
    assert plain.origin.first_lines == (2, 3)


def test_a_file_that_is_missing_too_large_or_not_a_file_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"none\.csv: cannot be read \(No such file or directory\)"):
        read_csv(tmp_path / "none.csv", "t", "class")
    with pytest.raises(DataError, match="is not a file"):
        read_csv(tmp_path, "t", "class")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="is not a file"):
        read_csv(tmp_path / "pipe.csv", "t", "class")
    monkeypatch.setattr(csv_table, "MAX_TABLE_BYTES", 100)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"a,class\n" * 1000))
    with pytest.raises(DataError, match=r"bomb\.csv\.gz: .*100 bytes"):
        read_csv(tmp_path / "bomb.csv.gz", "t", "class")
