from pathlib import Path

import pytest

from vnnbench.instances.datasets.builtin_tables import BUILTIN_TABLES
from vnnbench.instances.datasets.table_sources import (
    TABLE_NAMES,
    TableSource,
    check_table_folder,
    csv_table,
    load_table,
    named_table,
)
from vnnbench.instances.errors import DataError


@pytest.mark.parametrize("name", BUILTIN_TABLES)
def test_a_built_in_table_is_loaded_by_its_name(name):
    assert load_table(named_table(name)).name == name


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        DataError, match=r"unknown data set 'iris': known are wine, .*, spiral, zoo, .*, and any CSV file"
    ):
        named_table("iris")


def test_a_csv_file_is_loaded_with_its_target(tmp_path):
    path = tmp_path / "My Data (2).csv"
    path.write_text("kind,a\nx,1\ny,2\n")
    source = csv_table(path, "kind")
    assert source == TableSource("my-data-2", path, "kind")
    table = load_table(source)
    assert table.name == "my-data-2"
    assert table.features == ("a",)


@pytest.mark.parametrize(
    ("file", "name"), [("a.CSV", "a"), ("A_b.csv.gz", "a-b"), ("x.tsv", "x-tsv"), ("é1é.csv", "1")]
)
def test_a_table_is_called_as_its_file(file, name):
    assert csv_table(Path("folder", file), "class").name == name


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("wine.csv", "wine.csv: the file has the name of the data set wine; rename it"),
        ("Zoo.csv.gz", "Zoo.csv.gz: the file has the name of the data set zoo"),
        ("---.csv", "---.csv: the file's name has no letter of a-z and no digit"),
        ("a" * 101 + ".csv", "the file's name has more than 100 characters"),
    ],
)
def test_a_file_whose_name_cannot_name_instances_is_refused(file, message):
    with pytest.raises(DataError, match=message):
        csv_table(Path(file), "class")


def test_the_target_is_not_the_last_column_by_chance(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n")
    with pytest.raises(DataError, match=r"t.csv, line 1: has no target column 'class'"):
        load_table(csv_table(tmp_path / "t.csv", "class"))


def test_a_table_of_openml_is_read_from_the_folder_of_data(tmp_path):
    with pytest.raises(DataError, match=r"zoo\.csv: cannot be read"):
        load_table(named_table("zoo"), tmp_path)
    assert load_table(named_table("corner"), tmp_path).name == "corner"


def test_the_folder_of_data_must_be_one_and_be_needed(tmp_path):
    wine, zoo, own = named_table("wine"), named_table("zoo"), csv_table(Path("own.csv"), "class")
    check_table_folder([wine, own], None)
    check_table_folder([wine, zoo], tmp_path)
    with pytest.raises(
        DataError, match="the folder is not needed, because no table comes from OpenML; leave the option"
    ):
        check_table_folder([wine, own], tmp_path)
    with pytest.raises(DataError, match="nowhere: no such folder; --data must name a folder with tables of OpenML"):
        check_table_folder([zoo], tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file: is not a folder"):
        check_table_folder([zoo], tmp_path / "file")


def test_names_are_unique_and_can_name_files():
    assert len(set(TABLE_NAMES)) == len(TABLE_NAMES)
    assert all(name.replace("-", "").isalnum() and name == name.lower() for name in TABLE_NAMES)
