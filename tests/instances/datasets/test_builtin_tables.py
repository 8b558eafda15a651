import hashlib

import numpy as np
import pytest
from scipy.optimize import linprog

from vnnbench.instances.datasets.builtin_tables import BUILTIN_TABLES, breast_cancer, corner, digits_pair, spiral, wine
from vnnbench.instances.datasets.labelled_data import GRID
from vnnbench.instances.datasets.splits import make_split


def one_plane_separates(points, labels):
    """Return whether some plane has one class on each side, by a linear program without an objective."""
    signs = np.where(labels == 1, 1.0, -1.0)
    rows = -signs[:, None] * np.hstack([points, np.ones((len(points), 1))])
    free = [(None, None)] * rows.shape[1]
    return linprog(np.zeros(rows.shape[1]), A_ub=rows, b_ub=-np.ones(len(rows)), bounds=free).status == 0


@pytest.mark.parametrize(
    ("make", "counts", "n_features", "classes"),
    [
        (wine, [59, 71, 48], 13, ("class_0", "class_1", "class_2")),
        (breast_cancer, [212, 357], 30, ("malignant", "benign")),
        (digits_pair, [183, 174], 64, ("3", "8")),
        (corner, [64, 36], 2, ("rest", "corner")),
        (spiral, [60, 60], 2, ("first", "second")),
    ],
)
def test_sizes_and_names(make, counts, n_features, classes):
    table = make()
    assert BUILTIN_TABLES[table.name] is make
    assert np.bincount(table.labels).tolist() == counts
    assert table.values.shape == (sum(counts), n_features)
    assert len(set(table.features)) == n_features
    assert table.classes == classes


def test_wine_is_that_of_scikit_learn():
    table = wine()
    assert table.features[:2] == ("alcohol", "malic_acid")
    assert table.values[0, :2].tolist() == [14.23, 1.71]


def test_a_digit_of_the_pair_looks_as_it_should():
    table = digits_pair()
    gap = np.array([table.values[table.labels == k, table.features.index("pixel_3_2")].mean() for k in (0, 1)])
    assert gap[1] > gap[0] + 5, "an 8 has a stroke on the left, where a 3 has none"


def test_two_neurons_cut_off_the_corner_and_one_cannot():
    table = corner()
    x, y = table.values.T
    assert ((x <= 0.6) & (y >= 0.4) == (table.labels == 1)).all()
    assert not one_plane_separates(table.values, table.labels)


@pytest.mark.parametrize("name", ["corner", "spiral"])
@pytest.mark.parametrize("number", range(10))
def test_no_training_half_is_separated_by_one_plane(name, number):
    split = make_split(BUILTIN_TABLES[name](), number)
    assert not one_plane_separates(split.training.inputs, split.training.classes)


def test_no_point_of_the_corner_is_near_its_edges():
    x, y = corner().values.T
    assert np.abs(x - 0.6).min() > 0.009
    assert np.abs(y - 0.4).min() > 0.009


def test_a_line_through_the_spiral_changes_its_class_five_times():
    table = spiral()
    on_the_line = np.abs(table.values[:, 1] - 0.5) < 0.05
    order = np.argsort(table.values[on_the_line, 0])
    assert np.count_nonzero(np.diff(table.labels[on_the_line][order])) == 5, "so it needs five planes"


@pytest.mark.parametrize(
    ("make", "digest"),
    [(corner, "bacef7e7e96fc9f7"), (spiral, "1ef4ff1636d5d56e")],
)
def test_synthetic_points_never_change(make, digest):
    table = make()
    assert (table.values * GRID == np.rint(table.values * GRID)).all()
    assert ((table.values >= 0) & (table.values <= 1)).all()
    assert len(np.unique(table.values, axis=0)) == len(table.values)
    assert hashlib.sha256((table.values * GRID).astype("<i4").tobytes()).hexdigest()[:16] == digest
