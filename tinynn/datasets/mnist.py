"""MNIST, and any data set that is stored like it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from .. import checks
from ..checks import Array
from .idx import read_idx

SHIPPED = Path(__file__).parent / "mnist"
TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
SUFFIXES = ("", ".gz", ".xz")
INSIDE = ("MNIST/raw", "raw")  # where torchvision puts them


def load_mnist(
    flatten: bool = True, normalize: bool = True, directory: str | os.PathLike[str] | None = None
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Handwritten digits with their labels: (x_train, y_train), (x_test, y_test), of N = 60 000 and 10 000.

    x: (N, 784) float32 in [0, 1], from 0, the paper, to 1, the ink; y: (N,) int64 in 0 to 9.
    With flatten=False, x is (N, 28, 28); with normalize=False, uint8 in 0 to 255. The arrays are new on each call.

    `directory` reads another set of the same kind, such as Fashion-MNIST or KMNIST, of any height and width, from the
    four files named in TRAIN and TEST, each raw, .gz or .xz (the first one that is there; its first bytes tell its
    kind). Names with a dot, train-images.idx3-ubyte, and files in the folders MNIST/raw or raw are found, too. The
    files of a set with other names, such as EMNIST, must be renamed first; EMNIST's images are transposed.

    Raises FileNotFoundError, NotADirectoryError, and ValueError for files that are damaged or do not fit together.
    Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits"; see mnist/ATTRIBUTION.md.
    """
    flatten, normalize = checks.flag("flatten", flatten), checks.flag("normalize", normalize)
    folder = SHIPPED if directory is None else Path(checks.path("directory", directory))
    train_files, test_files = find_files(folder, TRAIN), find_files(folder, TEST)
    x_train, y_train = read_pair(*train_files)
    x_test, y_test = read_pair(*test_files)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise ValueError(
            f"{test_files[0].name}: images must have height and width {x_train.shape[1:]}, "
            f"as in {train_files[0].name}, not {x_test.shape[1:]}"
        )
    return (prepare(x_train, flatten, normalize), y_train), (prepare(x_test, flatten, normalize), y_test)


def find_files(folder: Path, names: tuple[str, str]) -> tuple[Path, Path]:
    """Where the files of images and of labels are. Raises FileNotFoundError, NotADirectoryError."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"directory must be a directory of four files, not the file {folder}")
    images, labels = (find_file(folder, name) for name in names)
    return images, labels


def find_file(folder: Path, name: str) -> Path:
    """The file of that name, raw or compressed. Raises FileNotFoundError."""
    names = [spelling + suffix for spelling in (name, name.replace("-idx", ".idx")) for suffix in SUFFIXES]
    for place in (folder, *(folder / inner for inner in INSIDE)):
        for other in names:
            if (place / other).is_file():
                return place / other
    expected = ", ".join(name + suffix for suffix in SUFFIXES)
    if not folder.is_dir():
        raise FileNotFoundError(f"directory {folder} must hold one of {expected}, but there is no such directory")
    held = sorted(os.listdir(folder))
    there = (", ".join(held[:4]) + (", ..." if len(held) > 4 else "")) or "nothing"
    raise FileNotFoundError(f"directory {folder} must hold one of {expected}, but there is only {there}")


def read_pair(image_file: Path, label_file: Path) -> tuple[Array, Array]:
    """Images, uint8 of (N, height, width), and their labels, int64 of (N,). Raises ValueError."""
    images, labels = read_bytes(image_file, "images", 3), read_bytes(label_file, "labels", 1)
    if len(labels) != len(images):
        raise ValueError(
            f"{label_file.name}: labels must be {len(images)}, one for each image of {image_file.name}, "
            f"not {len(labels)}"
        )
    return images, labels.astype(np.int64)


def read_bytes(file: Path, thing: str, ndim: int) -> Array:
    """An IDX file's array, which must be of uint8, have `ndim` dimensions and not be empty. Raises ValueError."""
    array = read_idx(file)
    if array.dtype != np.uint8 or array.ndim != ndim or array.size == 0:
        raise ValueError(
            f"{file.name}: {thing} must be uint8 in {ndim} dimensions (magic number 0x0000080{ndim}), one or more, "
            f"not {array.dtype} of shape {array.shape}"
        )
    return array


def prepare(images: Array, flatten: bool, normalize: bool) -> Array:
    """Images as `load_mnist` returns them."""
    if flatten:
        images = images.reshape(len(images), -1)
    if normalize:
        images = np.divide(images, 255, dtype=np.float32)  # without dtype, a float64 copy would be made on the way
    return images
