import numpy as np
import pytest
import sklearn.datasets

from vnnbench.instances.datasets import dataset as dataset_module
from vnnbench.instances.datasets.dataset import load_dataset
from vnnbench.instances.errors import DataError


@pytest.fixture(scope="module")
def table():
    """Images and labels as scikit-learn returns those of OpenML: one table of numbers, labels as text."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (70_000, 784)), random.integers(0, 10, 70_000).astype(str).astype(object)


@pytest.fixture(autouse=True)
def no_package(monkeypatch, tmp_path):
    """Debian's packages of data sets, installed or not, are not found."""
    monkeypatch.setattr(dataset_module, "DEBIAN_FOLDER", tmp_path / "not-installed")


@pytest.fixture
def fetcher(monkeypatch, table):
    """A replacement of fetch_openml without a network, which keeps its arguments and returns its `answer`."""

    class Fetcher:
        asked = None
        answer = table

        def __call__(self, **arguments):
            self.asked = arguments
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

    fetcher = Fetcher()
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetcher)
    return fetcher


@pytest.mark.parametrize(("name", "title"), [("mnist", "mnist_784"), ("fashion-mnist", "Fashion-MNIST")])
def test_without_a_folder_the_images_are_those_of_openml_in_its_order(fetcher, table, name, title):
    dataset = load_dataset(name, 28)
    assert (fetcher.asked["name"], fetcher.asked["version"]) == (title, 1)
    assert dataset.train_images.shape == (60_000, 784)
    assert dataset.test_images.shape == (10_000, 784)
    assert (dataset.train_images[:100] == table[0][:100].astype(np.float32) / np.float32(255)).all()
    assert (dataset.test_images[:100] == table[0][60_000:60_100].astype(np.float32) / np.float32(255)).all()
    assert (dataset.train_labels == table[1][:60_000].astype(int)).all()
    assert (dataset.test_labels == table[1][60_000:].astype(int)).all()


def test_a_folder_comes_before_openml(fetcher, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_dataset("mnist", 28, tmp_path)
    assert fetcher.asked is None


@pytest.mark.parametrize(
    "error", [OSError("no route"), TimeoutError(), ValueError("md5 checksum of\nlocal file does not match")]
)
def test_every_failure_is_one_line_that_names_the_option_data(fetcher, error):
    fetcher.answer = error
    with pytest.raises(DataError, match=r"'mnist' cannot be fetched from OpenML .*; give --data DIR") as caught:
        load_dataset("mnist", 28)
    assert "\n" not in str(caught.value)


def test_where_fashion_mnist_cannot_be_fetched_the_message_names_the_package(fetcher):
    fetcher.answer = OSError("no route")
    with pytest.raises(DataError, match=r"four IDX files; Debian has them: apt install dataset-fashion-mnist$"):
        load_dataset("fashion-mnist", 28)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (lambda x: x[:69_999], lambda y: y),
        (lambda x: x[:, :783], lambda y: y),
        (lambda x: x + 0.5, lambda y: y),
        (lambda x: x + 1, lambda y: y),
        (lambda x: x, lambda y: np.full(70_000, "shirt", dtype=object)),
        (lambda x: x, lambda y: np.full(70_000, "10", dtype=object)),
    ],
)
def test_another_table_is_refused(fetcher, table, images, labels):
    fetcher.answer = (images(table[0]), labels(table[1]))
    with pytest.raises(DataError, match=r"from OpenML does not hold .*; give --data DIR"):
        load_dataset("fashion-mnist", 28)


def test_without_a_network_one_line_names_the_option_data(monkeypatch, tmp_path):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))  # nothing is in the cache
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # a port without a server
    with pytest.raises(DataError, match="give --data DIR"):
        load_dataset("mnist", 28)
