import gzip
import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets
from sklearn.utils import Bunch

from vnnbench.instances.datasets import openml_tables
from vnnbench.instances.datasets.openml_tables import OPENML_TABLES, load_openml_table
from vnnbench.instances.errors import DataError
from vnnbench.instances.limits import MAX_TABLE_BYTES, MAX_TABLE_FIELDS

SIZES = [7, 6, 41, 20, 13, 10, 4]
"""The animals of each type of zoo, in any order."""


def zoo(seed=0, samples=101):
    """A table of zoo's form: a name, fifteen booleans, the number of legs, a type; and its features as numbers."""
    random = np.random.default_rng(seed)
    types = np.repeat([f"type{k}" for k in range(7)], SIZES)[:samples]
    numbers = random.integers(0, 2, (samples, 16))
    numbers[:, 12] = random.choice([0, 2, 4, 6, 8], samples)
    columns = {f"has{j}": np.where(numbers[:, j], "true", "false") for j in range(16)}
    columns["has12"] = numbers[:, 12]
    names = [f"animal{i}" for i in range(samples)]
    return pd.DataFrame({"animal": names, **columns, "type": types}), numbers


def write_cache(folder, data_id, frame, target):
    """Write what scikit-learn keeps of a data set of OpenML: its description, its columns, and its ARFF file."""
    nominal = {name: not pd.api.types.is_numeric_dtype(column) for name, column in frame.items()}
    attributes = [
        f"@attribute {name} "
        + ("{" + ",".join(sorted(set(frame[name].dropna()))) + "}" if nominal[name] else "numeric")
        for name in frame
    ]
    rows = frame.to_csv(index=False, header=False, na_rep="?")
    arff = "\n".join(["@relation table", *attributes, "@data", rows]).encode()
    features = [
        {
            "index": str(index),
            "name": name,
            "data_type": "nominal" if nominal[name] else "numeric",
            "is_target": str(name == target).lower(),
            "is_ignore": "false",
            "is_row_identifier": "false",
            "number_of_missing_values": "0",
            **({"nominal_value": sorted(set(frame[name].dropna()))} if nominal[name] else {}),
        }
        for index, name in enumerate(frame)
    ]
    description = {
        "id": str(data_id),
        "name": "table",
        "description": "",
        "version": "1",
        "status": "active",
        "format": "ARFF",
        "url": f"https://api.openml.org/data/v1/download/{data_id}/table.arff",
        "md5_checksum": hashlib.md5(arff, usedforsecurity=False).hexdigest(),
    }
    files = {
        f"api/v1/json/data/{data_id}": {"data_set_description": description},
        f"api/v1/json/data/features/{data_id}": {"data_features": {"feature": features}},
        f"api/v1/json/data/qualities/{data_id}": {
            "data_qualities": {"quality": [{"name": "NumberOfInstances", "value": str(len(frame))}]}
        },
    }
    contents = {path: json.dumps(document).encode() for path, document in files.items()}
    contents[f"data/v1/download/{data_id}/table.arff"] = arff
    for path, content in contents.items():
        file = folder / "openml" / "openml.org" / f"{path}.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(content))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of scikit-learn's cache, and a network without a server."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    return tmp_path


@pytest.fixture
def fetched(monkeypatch):
    """A replacement of fetch_openml, which keeps its arguments and returns its `frame`."""

    class Fetcher:
        asked = None
        frame = None

        def __call__(self, **arguments):
            self.asked = arguments
            *features, target = self.frame.columns
            return Bunch(frame=self.frame, feature_names=features, target_names=[target])

    fetcher = Fetcher()
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetcher)
    return fetcher


def test_zoo_is_read_as_scikit_learn_reads_it_from_openml(cache):
    frame, numbers = zoo()
    write_cache(cache, 62, frame, "type")
    table = load_openml_table("zoo", None)
    assert table.features == tuple(f"has{j}" for j in range(16))
    assert (table.values == numbers).all()
    assert table.classes == tuple(f"type{k}" for k in range(7))
    assert np.bincount(table.labels).tolist() == SIZES


def test_a_target_between_the_features_is_not_a_feature(cache):
    frame, numbers = zoo()
    frame.insert(1, "type", frame.pop("type"))
    write_cache(cache, 62, frame, "type")
    table = load_openml_table("zoo", None)
    assert (table.values == numbers).all()
    assert np.bincount(table.labels).tolist() == SIZES


def test_zoo_from_a_folder_is_that_from_openml(cache, tmp_path):
    frame, _ = zoo()
    write_cache(cache, 62, frame, "type")
    frame.to_csv(tmp_path / "zoo.csv", index=False)
    downloaded, read = load_openml_table("zoo", None), load_openml_table("zoo", tmp_path)
    assert (downloaded.values == read.values).all()
    assert (downloaded.labels == read.labels).all()
    assert (downloaded.features, downloaded.classes) == (read.features, read.classes)


def test_numbers_are_read_bit_for_bit(fetched, monkeypatch):
    size = replace(OPENML_TABLES["ovarian"], features=150)  # the whole takes seconds
    monkeypatch.setattr(openml_tables, "OPENML_TABLES", {"ovarian": size})
    spectra = np.random.default_rng(0).normal(size=(size.samples, size.features))
    fetched.frame = pd.DataFrame(spectra, columns=[f"m{j}" for j in range(size.features)])
    fetched.frame["Class"] = np.where(np.arange(size.samples) % 3, "Normal", "Cancer")
    table = load_openml_table("ovarian", None)
    assert fetched.asked["data_id"] == 45098
    assert (table.values == spectra).all()
    assert table.classes == ("Cancer", "Normal")


def test_another_table_of_this_name_is_refused(fetched, tmp_path):
    fetched.frame = zoo(samples=100)[0]
    with pytest.raises(DataError, match="from OpenML: has 100 samples, 16 features and 7 classes, but zoo has 101"):
        load_openml_table("zoo", None)
    fetched.frame = fetched.frame.drop(columns="animal")
    with pytest.raises(
        DataError, match=r"but smk-can-187 has 187 samples, 19993 features and 2 classes; take .* 45100"
    ):
        load_openml_table("smk-can-187", None)
    fetched.frame.to_csv(tmp_path / "zoo.csv", index=False)
    with pytest.raises(DataError, match=rf"{re.escape(str(tmp_path))}/zoo.csv: has 100 .*; take data set 62 of OpenML"):
        load_openml_table("zoo", tmp_path)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("has3", "blue", "line 7, column 'has3': is the text 'blue'"),
        ("has3", None, "line 7, column 'has3': has a gap"),
        ("has12", None, "line 7, column 'has12': has a gap"),
        ("type", None, "line 7, column 'type': has a gap .*; every sample needs a class"),
    ],
)
def test_a_text_or_gap_is_one_line_that_names_the_column(cache, column, value, message):
    frame, _ = zoo()
    frame.loc[5, column] = value
    write_cache(cache, 62, frame, "type")
    with pytest.raises(DataError, match=f"data set zoo from OpenML, {message}"):
        load_openml_table("zoo", None)


def test_without_a_network_one_line_names_the_option_data(cache):
    with pytest.raises(DataError, match=r"data set 'zoo' cannot be fetched from OpenML .*; give --data DIR, a folder"):
        load_openml_table("zoo", None)


def test_a_folder_without_the_file_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"zoo\.csv: cannot be read \(No such file or directory\)"):
        load_openml_table("zoo", tmp_path)


@pytest.mark.parametrize("size", OPENML_TABLES.values(), ids=OPENML_TABLES)
def test_the_limits_leave_room_for_every_table(size):
    fields = (size.samples + 1) * (size.features + 1 + len(size.ignored))
    assert fields + 2 * size.samples < MAX_TABLE_FIELDS
    assert 20 * fields < MAX_TABLE_BYTES
