import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnnbench.instances.datasets.builtin_tables import BUILTIN_TABLES, wine
from vnnbench.instances.datasets.csv_table import parse_csv
from vnnbench.instances.datasets.labelled_data import GRID
from vnnbench.instances.datasets.splits import make_split
from vnnbench.instances.datasets.table import Table
from vnnbench.instances.errors import DataError
from vnnbench.instances.randomness import random_permutation


def table(values, labels, name="t"):
    values, labels = np.array(values, dtype=np.float64), np.array(labels, dtype=np.int64)
    features = tuple(f"x{j}" for j in range(values.shape[1]))
    return Table(name, features, tuple(f"c{k}" for k in range(labels.max() + 1)), values, labels)


def numbered(n_samples, labels=None):
    """A table whose only feature is the sample's number."""
    return table(np.arange(n_samples)[:, None], np.arange(n_samples) % 2 if labels is None else labels)


@pytest.mark.parametrize("name", BUILTIN_TABLES)
@pytest.mark.parametrize("number", [0, 9])
def test_half_of_the_samples_are_for_training_and_each_is_used_once(name, number):
    whole = BUILTIN_TABLES[name]()
    split = make_split(whole, number)
    assert (split.dataset, split.number, split.features, split.classes) == (name, number, whole.features, whole.classes)
    assert split.training.n_samples == whole.n_samples // 2
    assert split.training.n_samples + split.test.n_samples == whole.n_samples
    assert len(np.unique(split.training.classes)) == whole.n_classes
    used = np.concatenate([split.training.classes, split.test.classes])
    assert (np.bincount(used) == np.bincount(whole.labels)).all()


def test_samples_keep_their_classes():
    whole = numbered(40)
    split = make_split(whole, 3)
    numbers = np.rint(split.training.inputs[:, 0] / split.training.inputs.max() * 39)
    order = random_permutation("split/t/3/0", 40)
    assert (split.training.classes == whole.labels[order[:20]]).all()
    assert (split.test.classes == whole.labels[order[20:]]).all()
    assert (np.argsort(numbers, kind="stable") == np.argsort(order[:20])).all()


def test_a_split_is_fixed_by_name_and_number():
    one, same = (make_split(numbered(30), 4) for _ in range(2))
    assert (one.training.inputs == same.training.inputs).all()
    others = [make_split(numbered(30), 5), make_split(table(np.arange(30)[:, None], np.arange(30) % 2, "u"), 4)]
    for other in others:
        assert (one.training.inputs != other.training.inputs).any()


def test_splits_never_change():
    split = make_split(wine(), 0)
    assert (split.training.inputs[0] * GRID).tolist() == [
        845,
        265,
        515,
        391,
        453,
        703,
        644,
        111,
        791,
        437,
        641,
        732,
        994,
    ]
    assert split.training.classes[:12].tolist() == [0, 0, 2, 0, 0, 0, 2, 2, 1, 1, 2, 1]


@given(
    st.lists(st.lists(st.floats(-1e15, 1e15), min_size=2, max_size=2), min_size=4, max_size=12),
    st.booleans(),
    st.integers(0, 3),
)
def test_inputs_are_on_their_grid_and_span_it(values, integer, number):
    split = make_split(table(values, np.arange(len(values)) % 2), number, integer=integer)
    steps, top = (1, 10) if integer else (GRID, 1)
    for data in (split.training, split.test):
        assert (data.inputs * steps == np.rint(data.inputs * steps)).all()
        assert ((data.inputs >= 0) & (data.inputs <= top)).all()
    for column in split.training.inputs.T:
        assert column.min() == 0
        assert column.max() in (0, top)


def test_inputs_are_scaled_by_the_training_samples_and_rounded():
    whole = table([[5], [7], [9], [6], [100], [-100]], [0, 1, 0, 1, 0, 1])
    number = next(n for n in range(1000) if set(random_permutation(f"split/t/{n}/0", 6)[:3]) == {0, 1, 2})
    split = make_split(whole, number)
    assert sorted(split.training.inputs[:, 0]) == [0, 0.5, 1]
    assert sorted(split.test.inputs[:, 0]) == [0, 0.25, 1], "-100 and 100 are clipped"
    assert sorted(make_split(whole, number, integer=True).test.inputs[:, 0]) == [0, 2, 10], "2.5 is rounded to even"


def test_a_feature_that_is_constant_in_training_is_zero_everywhere():
    values = np.stack([np.full(20, 3.7), np.arange(20)], axis=1)
    split = make_split(table(values, np.arange(20) % 2), 0)
    assert not split.training.inputs[:, 0].any()
    assert not split.test.inputs[:, 0].any()


@pytest.mark.parametrize("lowest", [5e-324, 1e-310, 1e15])
def test_tiny_and_huge_ranges_are_scaled_without_overflow(lowest):
    values = [[0.0], [lowest], [0.0], [lowest], [1e15], [-1e15]]
    for number in range(20):
        split = make_split(table(values, [0, 1] * 3), number)
        assert set(split.training.inputs[:, 0]) | set(split.test.inputs[:, 0]) <= {0, 0.5, 1}


@pytest.mark.parametrize("training_samples", [2, 7, 19])
def test_another_number_of_training_samples(training_samples):
    split = make_split(numbered(20), 1, training_samples=training_samples)
    assert split.training.n_samples == training_samples
    assert split.test.n_samples == 20 - training_samples


@pytest.mark.parametrize("training_samples", [0, 1, 20, -3])
def test_every_class_needs_a_training_sample_and_testing_needs_one(training_samples):
    with pytest.raises(DataError, match=rf"data set t: {training_samples} training samples of 20: there must be"):
        make_split(numbered(20), 1, training_samples=training_samples)


@pytest.mark.parametrize("number", range(10))
def test_a_class_of_one_sample_is_always_in_training(number):
    labels = np.zeros(30, dtype=np.int64)
    labels[17] = 1
    split = make_split(numbered(30, labels), number)
    assert 1 in split.training.classes


def test_a_division_without_a_class_is_drawn_again():
    labels = np.zeros(30, dtype=np.int64)
    labels[17] = 1

    def chosen(number, draw):
        return random_permutation(f"split/t/{number}/{draw}", 30)[:15]

    number = next(n for n in range(100) if 17 not in chosen(n, 0) and 17 in chosen(n, 1))
    assert make_split(numbered(30, labels), number).training.classes.tolist() == labels[chosen(number, 1)].tolist()


def test_classes_that_are_too_rare_are_refused_with_the_line_of_the_rarest():
    text = "x,kind\n" + "".join(f"{i},{i % 10}\n" for i in range(10)) + "".join(f"{i},0\n" for i in range(190))
    read = parse_csv(text.encode(), "t", "file.csv", "kind")
    with pytest.raises(
        DataError, match=r"file.csv, line 3, column 'kind': class '1' has 1 of 200 samples: none of 1000"
    ):
        make_split(read, 0, training_samples=10)
