"""Suites of training problems: names, counts, what a suite means, and one line for everything that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.suites import TRAIN_SUITE
from vnnbench.instances.datasets.splits import make_split
from vnnbench.instances.datasets.table_sources import load_table
from vnnbench.instances.errors import InputError, SuiteError
from vnnbench.instances.step_networks.train_property import VARIANTS, train_property
from vnnbench.instances.suites.suite_toml import load_suite, parse_suite
from vnnbench.instances.suites.train_suite import TrainSuite
from vnnbench.instances.train_models import TrainFormulation, encode

MAX_FREE_ROWS = MAX_FREE_COLUMNS = 2_000
"""The largest model that Gurobi solves with its free licence."""
CSV = "size,class\n1,a\n2,b\n3,a\n4,b\n"
OWN = TRAIN_SUITE.replace('dataset = "corner"', 'csv = "own.csv"\ntarget = "class"')


def read(text: str) -> TrainSuite:
    suite = parse_suite(text, "mine.toml")
    assert isinstance(suite, TrainSuite)
    return suite


def read_with_csv(folder: Path, content: str = CSV, text: str = OWN) -> TrainSuite:
    """Return the suite of a file in the folder, which holds the CSV file too."""
    folder.mkdir(exist_ok=True)
    (folder / "own.csv").write_text(content)
    (folder / "mine.toml").write_text(text)
    suite = load_suite(folder / "mine.toml")
    assert isinstance(suite, TrainSuite)
    return suite


def test_names_go_from_data_set_and_neurons_to_variant_split_and_formulation():
    names = [instance.name for instance in read(TRAIN_SUITE).instances()]
    assert names == [
        "corner-2n-f101-s0--plain", "corner-2n-f101-s0--tight", "corner-2n-f101-s3--plain", "corner-2n-f101-s3--tight",
        "corner-2n-int-s0--plain", "corner-2n-int-s0--tight", "corner-2n-int-s3--plain", "corner-2n-int-s3--tight",
    ]  # fmt: skip


def test_the_paper_s_suite_is_five_data_sets_with_nine_variants_and_ten_splits():
    suite = load_suite("rosenhahn2023")
    assert isinstance(suite, TrainSuite)
    assert suite.datasets == ("wine", "breast-cancer", "digits-pair", "corner", "spiral")
    assert (suite.variants, suite.splits) == (VARIANTS, tuple(range(10)))
    assert {data.neurons for data in suite.data} == {8}
    assert (suite.family, suite.n_problems, suite.n_instances) == ("train", 5 * 9 * 10, 5 * 9 * 10 * 2)


def test_the_smoke_suite_fits_the_free_licence_of_gurobi_in_every_variant():
    suite = load_suite("rosenhahn2023-smoke")
    assert isinstance(suite, TrainSuite)
    assert suite.variants == VARIANTS
    for data in suite.data:
        table = load_table(data.source)
        for variant in suite.variants:
            split = make_split(table, 0, integer=variant.integer, training_samples=data.training_samples)
            model = encode(train_property(split, data.neurons, variant), TrainFormulation.PLAIN, "largest")
            assert model.n_rows <= MAX_FREE_ROWS and model.n_columns <= MAX_FREE_COLUMNS, (data, variant)


def test_a_data_set_may_have_other_neurons_than_its_suite():
    suite = read(TRAIN_SUITE + '\n[[data]]\ndataset = "wine"\nneurons = 5\n')
    assert [(data.source.name, data.neurons) for data in suite.data] == [("corner", 2), ("wine", 5)]
    assert read(TRAIN_SUITE.replace("neurons = 2", "").replace("[[data]]", "[[data]]\nneurons = 2")) == read(
        TRAIN_SUITE
    )


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ('description = "two variants"', 'description = "others"', True),
        ("neurons = 2", "neurons = 2  # few", True),
        ("neurons = 2", "neurons = 2\nweight_limit = 1", True),
        ("neurons = 2", "neurons = 3", False),
        ("neurons = 2", "neurons = 2\nweight_limit = 2", False),
        ("neurons = 2", "neurons = 2\nweight_sum_limit = 20", False),
        ("training_samples = 8", "training_samples = 9", False),
        ("training_samples = 8", "", False),
        ("[0, 3]", "[0, 4]", False),
        ('"101"', '"100"', False),
        ('["plain", "tight"]', '["plain"]', False),
        ('"corner"', '"spiral"', False),
    ],
)
def test_identity_is_what_decides_the_instances(old, new, same):
    assert old in TRAIN_SUITE
    assert (read(TRAIN_SUITE.replace(old, new)).sha256 == read(TRAIN_SUITE).sha256) is same


def test_identity_of_a_suite_stays_what_it_is():
    assert read(TRAIN_SUITE).sha256 == "e58701301b94934c347a6f06f5895c90baaf4167678643ee6fd5cff7354bf493"


def test_a_csv_file_counts_by_what_it_holds_not_by_its_folder(tmp_path):
    first = read_with_csv(tmp_path / "first")
    assert read_with_csv(tmp_path / "second").sha256 == first.sha256
    assert read_with_csv(tmp_path / "third", CSV.replace("4,b", "4,a")).sha256 != first.sha256
    assert read_with_csv(tmp_path / "fourth", text=OWN.replace('"class"', '"size"')).sha256 != first.sha256
    assert [data.name for data in first.data] == ["own-2n"]
    assert first.data[0].source.path == tmp_path / "first" / "own.csv"


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("neurons = 2", "", ["key data.neurons is missing"]),
        ("neurons = 2", "neurons = 0", ["neurons is 0", "1 to 1000"]),
        ("neurons = 2", "neurons = 2\nseeds = [1]", ["unknown key seeds"]),
        ("neurons = 2", 'neurons = 2\nbounds = "box"', ["unknown key bounds"]),
        ("neurons = 2", "neurons = 2\nweight_limit = 0", ["weight_limit is 0"]),
        ("[0, 3]", "[0, 0]", ["splits is [0, 0]", "different"]),
        ("[0, 3]", "[-1]", ["splits is [-1]"]),
        ('"101"', '"102"', ["variants is ['102', 'int']", "000, 001", "int"]),
        ('"101"', "101", ["variants is [101, 'int']", "in quotes"]),
        ('["plain", "tight"]', '["surrogatelib"]', ["formulations is", "plain, tight"]),
        ('"corner"', '"mnist"', ["data.dataset is 'mnist'", "wine", "csv and target"]),
        ('dataset = "corner"', "", ["key data.dataset is missing", "csv and target"]),
        ('dataset = "corner"', 'datasets = "corner"', ["key data.dataset is missing", "there is data.datasets"]),
        ('dataset = "corner"', 'dataset = "corner"\ncsv = "own.csv"', ["data.dataset is 'corner'", "left out"]),
        ('dataset = "corner"', 'dataset = "corner"\ntarget = "class"', ["data.target is 'class'", "goes with csv"]),
        ("[0, 3]", "2", ["splits is 2", "a list", "such as [0, 1]"]),
        ('["101", "int"]', '"101"', ["variants is '101'", "a list of some of 000"]),
        ('["plain", "tight"]', '"plain"', ["formulations is 'plain'", "a list of some of plain, tight"]),
        ('family = "train"', "", ['key family is missing; a suite with variants needs family = "train"']),
        (
            'family = "train"\ndescription = "two variants"\nneurons = 2\nsplits = [0, 3]\nvariants = ["101", "int"]',
            "",
            ['key family is missing; a suite with data needs family = "train"'],
        ),
        ('dataset = "corner"', 'csv = "own.csv"', ["key data.target is missing", "a column"]),
        ("training_samples = 8", "training_samples = 1", ["data.training_samples is 1"]),
        ("training_samples = 8", 'training_samples = 8\n[[data]]\ndataset = "corner"', ["listed once", "corner-2n-"]),
        ('[[data]]\ndataset = "corner"\ntraining_samples = 8', "", ["data is []", "one for each data set"]),
        ('["101", "int"]', '["000"]\nweight_sum_limit = 5', ["weight_sum_limit is 5", "left out"]),
        ('["101", "int"]', '["011"]\nweight_limit = 5', ["weight_limit is 5", "left out"]),
    ],
)
def test_a_wrong_suite_is_named_by_file_and_key(old, new, parts):
    assert old in TRAIN_SUITE
    with pytest.raises(SuiteError) as caught:
        parse_suite(TRAIN_SUITE.replace(old, new), "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml: ") and "\n" not in message
    for part in parts:
        assert part in message


def test_a_csv_file_that_does_not_exist_is_one_line_with_its_path(tmp_path):
    (tmp_path / "mine.toml").write_text(OWN)
    with pytest.raises(InputError, match=r"own\.csv: (cannot be read|does not exist|no such)"):
        load_suite(tmp_path / "mine.toml")
