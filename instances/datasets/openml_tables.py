"""Tables that OpenML has: zoo, and two of many features and few samples from the search for cancer.

Each is one file at OpenML, which never changes. It is downloaded, or read from a folder that holds it as CSV.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from vnnbench.instances.datasets.csv_table import parse_csv, read_csv
from vnnbench.instances.datasets.openml import fetch
from vnnbench.instances.datasets.table import Table
from vnnbench.instances.errors import DataError


@dataclass(frozen=True, slots=True)
class OpenmlTable:
    """One table: its number at OpenML, its size, and the columns that are neither features nor classes."""

    data_id: int
    samples: int
    features: int
    classes: int
    ignored: tuple[str, ...] = ()


OPENML_TABLES = MappingProxyType(
    {
        "zoo": OpenmlTable(62, 101, 16, 7, ignored=("animal",)),
        "ovarian": OpenmlTable(45098, 253, 15_154, 2),
        "smk-can-187": OpenmlTable(45100, 187, 19_993, 2),
    }
)
"""The tables by name. The name of a zoo's animal is not a feature: it would give the class away.

ovarian: mass spectra of serum, Petricoin et al. 2002, Lancet 359:572-577. [R] Rosenhahn 2023 has 4,000 features of
later spectra (Conrads et al. 2004), which were not found at OpenML, nor were two of the three sets of its Table 6.
smk-can-187 is the third: gene expression of smokers with and without lung cancer, Spira et al. 2007, Nat. Med. 13:361.
"""


def load_openml_table(name: str, data_folder: Path | None) -> Table:
    """Return the table `name` of `OPENML_TABLES`, from `data_folder`/NAME.csv or, without a folder, from OpenML.

    The file is as OpenML offers it: a line of names, and the classes in the last column. Raises `DataError`: there is
    no such file, the download fails, or the table is not the one that has this name.
    """
    expected = OPENML_TABLES[name]
    if data_folder is None:
        source = f"data set {name} from OpenML"
        table = parse_csv(_fetched_csv(name), name, source, None, expected.ignored)
    else:
        source = str(data_folder / f"{name}.csv")
        table = read_csv(data_folder / f"{name}.csv", name, None, expected.ignored)
    wanted = (expected.samples, expected.features, expected.classes)
    if (table.n_samples, len(table.features), table.n_classes) != wanted:
        sizes = "{} samples, {} features and {} classes".format
        raise DataError(
            f"{source}: has {sizes(table.n_samples, len(table.features), table.n_classes)}, but {name} has "
            f"{sizes(*wanted)}; take data set {expected.data_id} of OpenML"
        )
    return table


def _fetched_csv(name: str) -> bytes:
    """Return the table as CSV, with the classes in the last column: one reader checks tables of every source."""
    advice = f"give --data DIR, a folder with {name}.csv"
    # The other parser, of pandas, fails on nominal columns of true and false: scikit-learn/scikit-learn#34892.
    bunch = fetch(name, advice, data_id=OPENML_TABLES[name].data_id, as_frame=True, parser="liac-arff")
    columns = [*bunch.feature_names, *bunch.target_names]
    text = io.StringIO(newline="")
    writer = csv.writer(text)  # the writer of pandas takes a minute for 20,000 columns
    writer.writerow(columns)
    writer.writerows(bunch.frame[columns].to_numpy(dtype=object).tolist())
    return text.getvalue().encode()
