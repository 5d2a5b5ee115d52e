"""The data sets in the package, and the reader for others: the right arrays, or an error that says what is wrong."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import re
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinynn import datasets
from tinynn.datasets import load_mnist, load_norris, read_idx

MIB = 2**20
CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}
PACK = {
    "": lambda raw: raw,
    ".gz": lambda raw: gzip.compress(raw, 1, mtime=0),
    ".xz": lambda raw: lzma.compress(raw, preset=0),
}
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
SHIPPED = Path(datasets.__file__).parent / "mnist"

quick = settings(deadline=None, max_examples=100)
suffixes = st.sampled_from(sorted(PACK))
packed = st.sampled_from([".gz", ".xz"])
small_shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)
arrays = st.sampled_from(sorted(CODES)).flatmap(lambda name: hnp.arrays(name, small_shapes))


def to_idx(array: np.ndarray) -> bytes:
    """The bytes of an IDX file, written independently of the reader."""
    header = bytes([0, 0, CODES[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal to the bit, NaN included."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("idx")


def save(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refused(path: Path, says: str = "") -> None:
    """`read_idx` must raise a ValueError, exactly, that begins with the file's name and in which `says` is found."""
    with pytest.raises(ValueError, match="^" + re.escape(path.name) + ": .*must be .*, not ") as caught:
        read_idx(path)
    assert type(caught.value) is ValueError
    assert re.search(says, str(caught.value))


# MNIST itself


@pytest.fixture(scope="module")
def mnist():
    return load_mnist()


@pytest.fixture(scope="module")
def mnist_bytes():
    return load_mnist(flatten=False, normalize=False)


@pytest.mark.parametrize(
    "name, digest",
    [
        ("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        ("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        ("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        ("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ],
)
def test_shipped_files_are_the_original_bytes(name, digest):
    with lzma.open(SHIPPED / f"{name}.xz") as file:
        assert hashlib.sha256(file.read()).hexdigest() == digest
    assert f"{digest}  {name}\n" in (SHIPPED / "ATTRIBUTION.md").read_text(encoding="utf-8")


def test_mnist_shapes_dtypes_and_ranges(mnist):
    for (x, y), n in zip(mnist, (60000, 10000), strict=True):
        assert x.shape == (n, 784) and x.dtype == np.float32
        assert x.min() == 0 and x.max() == 1
        assert y.shape == (n,) and y.dtype == np.int64
        assert x.flags.c_contiguous and x.flags.writeable and y.flags.writeable


def test_mnist_label_counts(mnist):
    (_, y_train), (_, y_test) = mnist
    assert np.bincount(y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


def test_mnist_mean_is_the_well_known_one(mnist):
    (x_train, _), _ = mnist
    assert x_train.mean(dtype=np.float64) == pytest.approx(0.1307, abs=5e-5)


def test_options_give_the_same_pixels(mnist, mnist_bytes):
    for (x, y), (images, labels), n in zip(mnist, mnist_bytes, (60000, 10000), strict=True):
        assert images.shape == (n, 28, 28) and images.dtype == np.uint8 and images.max() == 255
        assert images.flags.writeable
        assert same(y, labels)
        table = (np.arange(256) / 255).astype(np.float32)
        assert all(np.array_equal(x[i], table[images[i].ravel()]) for i in range(0, n, 50))


# IDX files that are sound


@quick
@given(arrays, suffixes)
def test_round_trip(folder, array, suffix):
    got = read_idx(save(folder, "array-idx" + suffix, PACK[suffix](to_idx(array))))
    assert same(got, array)
    assert got.dtype.isnative and got.flags.writeable and got.flags.c_contiguous


def test_path_may_be_a_string(folder):
    path = save(folder, "string", to_idx(np.arange(3, dtype=np.int16)))
    assert read_idx(str(path)).tolist() == [0, 1, 2]


def test_bytes_are_big_endian(folder):
    assert read_idx(save(folder, "endian", bytes([0, 0, 0x0B, 1, 0, 0, 0, 2, 1, 2, 0xFF, 0xFE]))).tolist() == [258, -2]


def test_data_of_several_chunks(folder, monkeypatch):
    monkeypatch.setattr("tinynn.datasets.idx.CHUNK", 7)
    array = np.arange(100, dtype=np.int32).reshape(20, 5)
    for suffix, pack in PACK.items():
        assert same(read_idx(save(folder, "chunks" + suffix, pack(to_idx(array)))), array)


def test_two_gzip_members_are_one_file(folder):
    raw = to_idx(np.arange(50, dtype=np.uint8))
    assert len(read_idx(save(folder, "members.gz", gzip.compress(raw[:20]) + gzip.compress(raw[20:])))) == 50


# IDX files that are not

SOUND = to_idx(np.arange(600, dtype=np.float32).reshape(30, 20))


MALFORMED = {  # the file's bytes, and what the error must say
    "empty": (b"", "not an empty file"),
    "three bytes": (b"\0\0\x08", "not 0x000008$"),
    "header too short": (b"\0\0\x08\x03\0\0\0\x01\0", "header must be 16 bytes long, not 9"),
    "first byte": (b"\1\0" + SOUND[2:], "not 0x01000d02"),
    "second byte": (b"\0\1" + SOUND[2:], "not 0x00010d02"),
    "a web page": (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "not 0x3c21444f"),
    "type 0A": (b"\0\0\x0a\x01\0\0\0\x01\0", "not 0x00000a01"),
    "type 00": (b"\0\0\x00\x01\0\0\0\x01\0", "not 0x00000001"),
    "no dimensions": (b"\0\0\x08\x00\x05", "not 0x00000800"),
    "a byte too many": (SOUND + b"\0", "data must be 2400 bytes long, .*, not more"),
    "many bytes too many": (SOUND + bytes(1000), "not more"),
    "a byte where none belongs": (b"\0\0\x08\x01\0\0\0\0" + b"\0", "not more"),
    "a byte too few": (SOUND[:-1], "data must be 2400 bytes long, .*, not 2399"),
    "product 0 in 32 bits": (b"\0\0\x08\x02" + struct.pack(">2I", 2**16, 2**16), "must be 4294967296 .* not 0"),
    "product 0 in 64 bits": (b"\0\0\x08\x04" + struct.pack(">4I", *[2**16] * 4), "must be 18446744073709551616 "),
    "empty but too big": (b"\0\0\x0e\x03" + struct.pack(">3I", 0, 2**32 - 1, 2**32 - 1), "shape must be one that"),
    "65 dimensions": (b"\0\0\x08\x41" + struct.pack(">65I", *[1] * 65) + b"\7", "shape must be one that"),
    "255 dimensions": (b"\0\0\x08\xff" + struct.pack(">255I", *[0] * 255), "shape must be one that"),
}


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("fault", MALFORMED)
def test_malformed(folder, fault, suffix):
    raw, says = MALFORMED[fault]
    refused(save(folder, "malformed" + suffix, PACK[suffix](raw)), says)


def test_error_names_expected_and_got(folder):
    path = save(folder, "train-images-idx3-ubyte.gz", gzip.compress(b"\0\0\x08\x03" + struct.pack(">3I", 2, 28, 28)))
    with pytest.raises(ValueError) as caught:
        read_idx(path)
    assert str(caught.value) == (
        "train-images-idx3-ubyte.gz: data must be 1568 bytes long, for shape (2, 28, 28) of uint8, not 0"
    )


@quick
@given(st.data(), suffixes)
def test_truncated_at_any_byte(folder, data, suffix):
    whole = PACK[suffix](SOUND)
    keep = data.draw(st.integers(0, len(whole) - 1))
    refused(save(folder, "truncated" + suffix, whole[:keep]))


@quick
@given(st.data(), packed)
def test_flipped_bytes_are_found_or_harmless(folder, data, suffix):
    broken = bytearray(PACK[suffix](SOUND))
    places = st.lists(st.integers(0, len(broken) - 1), min_size=1, max_size=4)
    for place in data.draw(places):
        broken[place] ^= data.draw(st.integers(1, 255))
    path = save(folder, "flipped" + suffix, bytes(broken))
    try:
        got = read_idx(path)
    except ValueError as error:
        assert type(error) is ValueError and str(error).startswith(path.name + ": ")
    else:
        assert got.astype(">f4").tobytes() == SOUND[12:] and got.shape == (30, 20)


@quick
@given(suffixes, st.booleans(), st.binary(max_size=200), st.integers(0, 20))
def test_any_bytes_give_an_array_or_a_value_error(folder, suffix, wrap, content, keep):
    content = SOUND[: keep % 13] + content
    path = save(folder, "noise" + suffix, PACK[suffix](content) if wrap else content)
    try:
        read_idx(path)
    except ValueError as error:
        assert type(error) is ValueError and str(error).startswith(path.name + ": ")


@pytest.mark.parametrize("place", [0, 2, -1, -5, 200])  # magic number, method, size, checksum, data
def test_gzip_with_a_flipped_byte(folder, place):
    broken = bytearray(PACK[".gz"](SOUND))
    broken[place] ^= 0x40
    refused(save(folder, "damaged.gz", bytes(broken)), "damaged one")


@pytest.mark.parametrize("place", [0, 7, -1, 200])  # magic number, flags, footer, data
def test_xz_with_a_flipped_byte(folder, place):
    broken = bytearray(PACK[".xz"](SOUND))
    broken[place] ^= 0x40
    refused(save(folder, "damaged.xz", bytes(broken)), "damaged one")


def test_gzip_with_trailing_garbage(folder):
    refused(save(folder, "garbage.gz", PACK[".gz"](SOUND) + b"garbage"), "Not a gzipped file")


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
@pytest.mark.parametrize("content", [b"<!DOCTYPE html>\n<html>404 Not Found</html>\n", b"", b"text"])
def test_name_promises_compression_that_is_not_there(folder, suffix, content):
    refused(save(folder, "page" + suffix, content), "damaged one" if content else "empty file|damaged one")


@pytest.mark.parametrize("name", ["plain", "kept.gz", "kept.xz", "other.gz", "other.xz", "none"])
def test_compression_is_told_by_the_first_bytes(folder, name):
    for content in (SOUND, PACK[".gz"](SOUND), PACK[".xz"](SOUND)):
        assert read_idx(save(folder, name, content)).astype(">f4").tobytes() == SOUND[12:]


def test_old_lzma_format_is_not_xz(folder):
    refused(save(folder, "old.xz", lzma.compress(SOUND, format=lzma.FORMAT_ALONE)), "damaged one")


def allocated(path: Path) -> int:
    """The most bytes that were allocated at a time while `read_idx` refused a file."""
    tracemalloc.start()
    try:
        refused(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", PACK)
def test_claim_of_4_tib_allocates_little(folder, suffix):
    claim = b"\0\0\x08\x03" + struct.pack(">3I", 2**20, 2**11, 2**11)
    path = save(folder, "claim" + suffix, PACK[suffix](claim + bytes(100)))
    assert allocated(path) < 40 * MIB


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_bomb_is_not_unpacked(folder, suffix):
    squeeze = zlib.compressobj(wbits=31) if suffix == ".gz" else lzma.LZMACompressor(preset=0)
    parts = [squeeze.compress(to_idx(np.zeros(1000, np.uint8)))]
    parts += [squeeze.compress(bytes(MIB)) for _ in range(128)]
    bomb = b"".join([*parts, squeeze.flush()])
    assert len(bomb) < 150_000
    assert allocated(save(folder, "bomb" + suffix, bomb)) < 4 * MIB


def test_missing_file(folder):
    with pytest.raises(FileNotFoundError, match="There is no file .*nowhere.gz"):
        read_idx(folder / "nowhere.gz")


@pytest.mark.parametrize("path", [0, None, True, ["a"], "a\0b", "\ud800"])
def test_what_is_no_path(path):
    """0 would be a file that is open already: the standard input."""
    with pytest.raises((TypeError, ValueError), match="read_idx: path must be the name of a file or directory, "):
        read_idx(path)
    if path is not None:
        with pytest.raises((TypeError, ValueError), match="directory must be the name of a file or directory, "):
            load_mnist(directory=path)


@pytest.mark.parametrize("name", ["flatten", "normalize"])
@pytest.mark.parametrize("value", ["no", 0, None, np.ones(2)])
def test_options_are_true_or_false(name, value):
    with pytest.raises(TypeError, match=f"{name} must be True or False, not "):
        load_mnist(**{name: value})


def test_directory_is_no_file(folder):
    with pytest.raises(OSError):
        read_idx(folder)


# Directories of four files


def fashion() -> dict[str, np.ndarray]:
    """A set stored like MNIST, but small."""
    rng = np.random.default_rng(0)
    return {
        NAMES[0]: rng.integers(0, 256, (12, 6, 7), np.uint8),
        NAMES[1]: rng.integers(0, 10, 12, np.uint8),
        NAMES[2]: rng.integers(0, 256, (5, 6, 7), np.uint8),
        NAMES[3]: rng.integers(0, 10, 5, np.uint8),
    }


def save_set(folder: Path, arrays: dict[str, np.ndarray], kinds: tuple[str, ...] = ("",) * 4) -> Path:
    for (name, array), suffix in zip(arrays.items(), kinds, strict=True):
        save(folder, name + suffix, PACK[suffix](to_idx(array)))
    return folder


@pytest.mark.parametrize("kinds", [("",) * 4, (".gz",) * 4, (".xz",) * 4, (".gz", "", ".xz", ".gz")])
def test_directory(tmp_path, kinds):
    arrays = fashion()
    (x_train, y_train), (x_test, y_test) = load_mnist(directory=save_set(tmp_path, arrays, kinds))
    assert x_train.shape == (12, 42) and x_test.shape == (5, 42) and x_train.dtype == x_test.dtype == np.float32
    assert y_train.dtype == y_test.dtype == np.int64
    assert same(x_test, (arrays[NAMES[2]].reshape(5, 42) / 255).astype(np.float32))
    assert np.array_equal(y_train, arrays[NAMES[1]]) and np.array_equal(y_test, arrays[NAMES[3]])


def test_directory_with_options(tmp_path):
    arrays = fashion()
    path = str(save_set(tmp_path, arrays))
    (images, _), _ = load_mnist(flatten=False, normalize=False, directory=path)
    assert same(images, arrays[NAMES[0]])
    (rows, _), _ = load_mnist(normalize=False, directory=path)
    assert same(rows, arrays[NAMES[0]].reshape(12, 42))
    (pictures, _), _ = load_mnist(flatten=False, directory=path)
    assert pictures.shape == (12, 6, 7) and pictures.dtype == np.float32


def test_raw_file_is_taken_before_gz_and_folders_are_passed_over(tmp_path):
    arrays = fashion()
    save_set(tmp_path, arrays)
    save(tmp_path, NAMES[0] + ".gz", b"not looked at")
    (tmp_path / NAMES[1]).unlink()
    (tmp_path / NAMES[1]).mkdir()  # as some archives unpack
    save(tmp_path, NAMES[1] + ".xz", PACK[".xz"](to_idx(arrays[NAMES[1]])))
    (_, y_train), _ = load_mnist(directory=tmp_path)
    assert np.array_equal(y_train, arrays[NAMES[1]])


@pytest.mark.parametrize("name", NAMES)
def test_directory_without_one_of_the_files(tmp_path, name):
    save_set(tmp_path, fashion())
    (tmp_path / name).unlink()
    expected = re.escape(f"directory {tmp_path} must hold one of {name}, {name}.gz, {name}.xz, but there is only ")
    with pytest.raises(FileNotFoundError, match=expected):
        load_mnist(directory=tmp_path)


def test_missing_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere must hold one of train-images.*there is no such directory"):
        load_mnist(directory=tmp_path / "nowhere")


def test_directory_that_is_a_file(tmp_path):
    with pytest.raises(NotADirectoryError, match="must be a directory.*not the file .*plain"):
        load_mnist(directory=save(tmp_path, "plain", b""))


@pytest.mark.parametrize(
    "name, array, says",
    [
        (NAMES[1], np.zeros(11, np.uint8), "labels must be 12, one for each image of .*, not 11"),
        (NAMES[3], np.zeros(12, np.uint8), "labels must be 5, .* not 12"),
        (NAMES[0], np.zeros((12, 42), np.uint8), r"images must be uint8 in 3 .* not uint8 of shape \(12, 42\)"),
        (NAMES[0], np.zeros(12, np.uint8), "images must be uint8 in 3 dimensions"),
        (NAMES[2], np.zeros((5, 6, 7), np.int8), "images must be uint8 .* not int8"),
        (NAMES[2], np.zeros((5, 6, 7), np.float32), "images must be uint8 .* not float32"),
        (NAMES[1], np.zeros((12, 1), np.uint8), "labels must be uint8 in 1 dimensions"),
        (NAMES[1], np.zeros(12, np.int32), "labels must be uint8 .* not int32"),
        (NAMES[0], np.zeros((0, 6, 7), np.uint8), r"one or more, not .* \(0, 6, 7\)"),
        (NAMES[0], np.zeros((12, 0, 7), np.uint8), r"one or more, not .* \(12, 0, 7\)"),
        (NAMES[3], np.zeros(0, np.uint8), r"one or more, not .* \(0,\)"),
        (NAMES[2], np.zeros((5, 7, 6), np.uint8), r"height and width \(6, 7\), as in train-images.*, not \(7, 6\)"),
    ],
)
def test_set_that_does_not_fit_together(tmp_path, name, array, says):
    with pytest.raises(ValueError, match=f"^{name}.gz: .*{says}"):
        load_mnist(directory=save_set(tmp_path, {**fashion(), name: array}, (".gz",) * 4))


def test_damaged_file_in_a_directory_is_named(tmp_path):
    save_set(tmp_path, fashion())
    save(tmp_path, NAMES[2], b"\0\0\x08\x03")
    with pytest.raises(ValueError, match=f"^{NAMES[2]}: header must be 16 bytes long, not 4"):
        load_mnist(directory=tmp_path)


# Norris


def test_norris_gives_the_certified_line():
    x, y = load_norris()
    assert x.shape == y.shape == (36, 1) and x.dtype == y.dtype == np.float64
    design = np.hstack([np.ones_like(x), x])
    line, residual_ss, _, _ = np.linalg.lstsq(design, y, rcond=None)
    assert line[:, 0] == pytest.approx([-0.262323073774029, 1.00211681802045], rel=1e-12)
    assert residual_ss[0] == pytest.approx(26.6173985294224, rel=1e-12)
    assert np.sqrt(residual_ss[0] / 34) == pytest.approx(0.884796396144373, rel=1e-12)


def test_norris_is_new_on_each_call():
    x, y = load_norris()
    x[:], y[:] = 0, 0
    assert load_norris()[0][1, 0] == 337.4 and load_norris()[1][1, 0] == 338.8


def test_public_names():
    assert sorted(datasets.__all__) == ["load_mnist", "load_norris", "read_idx"]
