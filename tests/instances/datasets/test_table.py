import numpy as np
import pytest

from vnnbench.instances.datasets.csv_table import parse_csv
from vnnbench.instances.datasets.table import Table, check_classes
from vnnbench.instances.errors import DataError


def table(n_classes):
    labels = np.arange(n_classes)
    return Table("t", ("x",), tuple(f"c{k}" for k in labels), labels[:, None].astype(np.float64), labels)


@pytest.mark.parametrize(("n_classes", "neurons"), [(2, 1), (3, 2), (4, 2), (5, 3), (7, 3), (8, 3), (9, 4), (2, 4096)])
def test_n_neurons_tell_two_to_the_n_classes_apart(n_classes, neurons):
    check_classes(table(n_classes), neurons)


@pytest.mark.parametrize(("n_classes", "neurons"), [(3, 1), (5, 2), (9, 3), (100, 6)])
def test_too_many_classes_for_the_neurons_are_refused(n_classes, neurons):
    needed = neurons + 1
    with pytest.raises(DataError, match=rf"data set t: class 'c{2**neurons}' is one too many.*to at least {needed}"):
        check_classes(table(n_classes), neurons)
    check_classes(table(n_classes), needed)


def test_the_first_line_of_a_class_too_many_is_named():
    read = parse_csv(b"x,kind\n1,b\n2,b\n\n3,c\n4,a\n5,d\n", "t", "file.csv", "kind")
    with pytest.raises(
        DataError, match=r"file.csv, line 6, column 'kind': class 'a' is one too many: of the 4 classes"
    ):
        check_classes(read, 1)


def test_arrays_must_fit_and_are_read_only():
    values, labels = np.zeros((2, 1)), np.array([0, 1])
    assert not Table("t", ("x",), ("a", "b"), values, labels).values.flags.writeable
    with pytest.raises(ValueError, match="the labels are not all of 0 to 2"):
        Table("t", ("x",), ("a", "b", "c"), values, labels)
    with pytest.raises(ValueError, match="do not fit"):
        Table("t", ("x", "y"), ("a", "b"), values, labels)
    with pytest.raises(TypeError, match="not float64 and int64"):
        Table("t", ("x",), ("a", "b"), values.astype(np.float32), labels)
