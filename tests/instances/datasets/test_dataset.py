import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vnnbench.instances.datasets import dataset as dataset_module
from vnnbench.instances.datasets.dataset import check_data_folder, load_dataset, resize_images
from vnnbench.instances.errors import DataError


@pytest.fixture(scope="module")
def mnist_folder():
    folder = os.environ.get("VNNBENCH_TEST_DATA")
    if not folder or not Path(folder, "mnist").is_dir():
        pytest.skip("needs VNNBENCH_TEST_DATA with mnist")
    return Path(folder)


def idx_bytes(items):
    return bytes((0, 0, 8, items.ndim)) + struct.pack(f">{items.ndim}I", *items.shape) + items.tobytes()


def images(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 28, 28), dtype=np.uint8)


@pytest.fixture
def small_mnist(tmp_path):
    """A folder with five training and three test images, half of the files gzipped."""
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(images(5)))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(np.arange(5, dtype=np.uint8))))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images(3, seed=1))))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(np.arange(7, 10, dtype=np.uint8)))
    return tmp_path


def test_digits_are_split_and_scaled():
    digits = load_dataset("digits", 8)
    assert digits.train_images.shape == (1500, 64)
    assert digits.test_images.shape == (297, 64)
    assert digits.train_images.dtype == np.float32
    assert digits.train_labels.dtype == np.int64
    assert set(np.unique(digits.train_images * 16)) == set(range(17))
    assert np.bincount(digits.train_labels, minlength=10).min() > 140
    assert np.bincount(digits.test_labels, minlength=10).min() >= 27


def test_resized_digits_are_resized_8_bit_images():
    native = load_dataset("digits", 8).train_images[7].reshape(8, 8)
    resized = load_dataset("digits", 5).train_images[7].reshape(5, 5)
    grey = Image.fromarray(np.rint(native * 255).astype(np.uint8))
    assert (resized == np.asarray(grey.resize((5, 5), Image.Resampling.BILINEAR)) / np.float32(255)).all()


@pytest.mark.parametrize("side", [1, 7, 18, 27, 28, 29, 56])
def test_resizing_equals_that_of_each_image_by_pil(side):
    originals = images(20)
    originals[0] = 0
    originals[1] = 255
    expected = [np.asarray(Image.fromarray(i).resize((side, side), Image.Resampling.BILINEAR)) for i in originals]
    assert (resize_images(originals, side) == np.stack(expected)).all()


def test_idx_files_are_read_plain_and_gzipped(small_mnist):
    mnist = load_dataset("mnist", 28, small_mnist)
    assert (mnist.train_images == images(5).reshape(5, 784) / np.float32(255)).all()
    assert mnist.train_labels.tolist() == [0, 1, 2, 3, 4]
    assert mnist.test_labels.tolist() == [7, 8, 9]
    assert not mnist.train_images.flags.writeable


def test_a_folder_named_after_the_data_set_comes_first(small_mnist, tmp_path):
    inner = tmp_path / "all" / "mnist"
    inner.mkdir(parents=True)
    for file in small_mnist.glob("*ubyte*"):
        file.rename(inner / file.name)
    assert len(load_dataset("mnist", 18, tmp_path / "all").train_images) == 5


def test_fashion_mnist_is_read_as_mnist_is(small_mnist):
    fashion, mnist = (load_dataset(name, 18, small_mnist) for name in ("fashion-mnist", "mnist"))
    assert fashion.name == "fashion-mnist"
    assert (fashion.train_images == mnist.train_images).all()
    assert (fashion.test_labels == mnist.test_labels).all()


def test_one_folder_holds_both(small_mnist, tmp_path):
    for name in ("mnist", "fashion-mnist"):
        (tmp_path / "all" / name).mkdir(parents=True)
        for file in small_mnist.glob("*ubyte*"):
            (tmp_path / "all" / name / file.name).write_bytes(file.read_bytes())
    changed = idx_bytes(images(5, seed=7))
    (tmp_path / "all" / "fashion-mnist" / "train-images-idx3-ubyte").write_bytes(changed)
    fashion, mnist = (load_dataset(name, 28, tmp_path / "all") for name in ("fashion-mnist", "mnist"))
    assert (fashion.train_images == images(5, seed=7).reshape(5, 784) / np.float32(255)).all()
    assert (fashion.train_images != mnist.train_images).any()
    with pytest.raises(DataError, match="is the folder of mnist by its name, not of fashion-mnist"):
        load_dataset("fashion-mnist", 28, tmp_path / "all" / "mnist")
    assert len(load_dataset("fashion-mnist", 28, tmp_path / "all" / "fashion-mnist").train_images) == 5


def test_without_a_folder_fashion_mnist_is_that_of_debians_package(small_mnist, tmp_path, monkeypatch):
    installed = tmp_path / "datasets" / "fashion-mnist"
    installed.mkdir(parents=True)
    for file in small_mnist.glob("*ubyte*"):
        (installed / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(dataset_module, "DEBIAN_FOLDER", tmp_path / "datasets")
    (small_mnist / "train-images-idx3-ubyte").write_bytes(idx_bytes(images(5, seed=7)))
    packaged, given = (load_dataset("fashion-mnist", 28, folder) for folder in (None, small_mnist))
    assert (packaged.train_images == images(5).reshape(5, 784) / np.float32(255)).all()
    assert (given.train_images == images(5, seed=7).reshape(5, 784) / np.float32(255)).all()


def test_where_fashion_mnist_is_missing_the_message_names_the_package(tmp_path):
    advice = "; Debian has them: apt install dataset-fashion-mnist$"
    with pytest.raises(DataError, match=f"no such file; --data must name the folder of the four IDX files{advice}"):
        load_dataset("fashion-mnist", 28, tmp_path)
    with pytest.raises(DataError, match=f"--data must name a folder with the IDX files of fashion-mnist{advice}"):
        load_dataset("fashion-mnist", 28, tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"--data must name the folder of the four IDX files$"):
        load_dataset("mnist", 28, tmp_path)


def test_real_mnist_is_resized(mnist_folder):
    mnist = load_dataset("mnist", 18, mnist_folder)
    assert mnist.train_images.shape == (60000, 324)
    assert mnist.test_images.shape == (10000, 324)
    assert mnist.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.train_images.min() == 0
    assert mnist.train_images.max() <= 1
    assert len(load_dataset("mnist", 28, mnist_folder / "mnist").test_labels) == 10000


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(DataError, match="unknown data set 'cifar': known are digits, fashion-mnist, mnist"):
        load_dataset("cifar", 8)


@pytest.mark.parametrize("side", [0, -3])
def test_side_must_be_positive(side):
    with pytest.raises(ValueError, match="at least 1"):
        load_dataset("digits", side)


def cut(path):
    path.write_bytes(path.read_bytes()[:-10])


def change(position, value):
    def damage(path):
        data = bytearray(path.read_bytes())
        data[position] = value
        path.write_bytes(data)

    return damage


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("train-images-idx3-ubyte", Path.unlink, "no such file"),
        ("train-images-idx3-ubyte", cut, "holds only 3910 bytes of data, but its header claims 3920"),
        ("train-images-idx3-ubyte", change(2, 9), "starts with 00000903, but such an IDX file starts with 00000803"),
        ("train-images-idx3-ubyte", change(11, 27), "images of 27 x 28 pixels; they must be 28 x 28"),
        ("train-images-idx3-ubyte", change(7, 4), "holds more bytes of data, but its header claims 3136"),
        ("train-images-idx3-ubyte", change(4, 255), "claims 4278190085 items"),
        ("train-images-idx3-ubyte", lambda path: path.write_bytes(b""), "starts with nothing"),
        ("train-images-idx3-ubyte", lambda path: path.write_bytes(bytes((0, 0, 8, 3, 0))), "ends within its header"),
        ("train-images-idx3-ubyte", lambda path: path.write_bytes(idx_bytes(images(0))), "claims 0 items"),
        ("train-images-idx3-ubyte", lambda path: path.write_bytes(idx_bytes(images(4))), "5 labels, but train-images"),
        ("train-labels-idx1-ubyte.gz", cut, "cannot be read"),
        ("train-labels-idx1-ubyte.gz", change(-8, 255), "CRC check failed"),
        ("train-labels-idx1-ubyte.gz", lambda path: path.write_bytes(b"no gzip"), "cannot be read"),
        ("t10k-labels-idx1-ubyte", change(-1, 10), "holds the label 10; labels must be 0 to 9"),
        ("t10k-images-idx3-ubyte.gz", Path.unlink, "no such file"),
    ],
)
def test_a_broken_file_is_one_line_that_names_it(small_mnist, file, damage, message):
    damage(small_mnist / file)
    with pytest.raises(DataError, match=message) as caught:
        load_dataset("mnist", 28, small_mnist)
    text = str(caught.value)
    assert "\n" not in text
    assert str(small_mnist) in text


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such folder"):
        load_dataset("mnist", 28, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "folder", "said"),
    [
        ("mnist", "nowhere", "nowhere: no such folder; --data must name a folder with the IDX files of mnist"),
        ("mnist", "file", "file: is not a folder; --data must"),
        ("digits", ".", "the folder is not needed, because data set digits comes with scikit-learn"),
        (None, ".", "the folder is not needed, because there are no images to train on; leave the "),
    ],
)
def test_data_folder_must_fit_the_data_set(name, folder, said, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=said):
        check_data_folder(name, tmp_path / folder)
    check_data_folder(name, None)


def test_loading_does_not_import_torch():
    code = (
        "import sys, vnnbench.instances.datasets.dataset as d; d.load_dataset('digits', 8); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
