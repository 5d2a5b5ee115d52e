"""The pictures of kernels and of feature maps show the numbers themselves, and leave the model as it was."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure
from test_plots import assert_fits

from tinynn import (
    Affine,
    BatchNorm,
    Conv2D,
    Dropout,
    GlobalAvgPool,
    Layer,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    plots,
)


def tiles_of(picture, n, size, gap, columns):
    """The n tiles of a mosaic, and a mask of what is none of them."""
    between, tiles = np.ones(picture.shape[:2], bool), []
    for number in range(n):
        top, left = ((size[axis] + gap) * place for axis, place in enumerate(divmod(number, columns)))
        place = slice(top, top + size[0]), slice(left, left + size[1])
        tiles.append(picture[place])
        between[place] = False
    return np.stack(tiles), between


def labels_of(axes):
    axes.figure.draw_without_rendering()
    return [label.get_text() for label in axes.get_yticklabels()]


# --- kernels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_in", "n_out", "kernel", "columns", "labels"),
    [
        (1, 10, (3, 2), 4, ["0-3", "4-7", "8-9"]),
        (1, 3, (5, 5), 8, ["0-2"]),
        (1, 9, (1, 1), 8, ["0-7", "8"]),
        (2, 5, (3, 3), 3, ["0-2", "3-4"]),
        (16, 3, (3, 3), 1, ["0", "1", "2"]),
    ],
)
def test_filters(n_in, n_out, kernel, columns, labels):
    layer = Conv2D(n_in, n_out, kernel)
    layer.build(np.random.default_rng(0))
    axes = plots.filters(layer, columns=columns)
    (image,) = axes.images
    drawn = image.get_array().filled(np.nan)
    columns = min(columns, n_out)
    assert drawn.shape[1] == columns * (kernel[1] + 1) - 1
    tiles, between = tiles_of(drawn, n_out, kernel, 1, columns)
    for channel, tile in enumerate(tiles):
        np.testing.assert_allclose(tile, sum(layer.W[:, :, c, channel] for c in range(n_in)) / n_in, atol=1e-6)
    assert np.isnan(drawn[between]).all()
    assert image.norm.vmax == -image.norm.vmin == abs(tiles).max()
    assert image.cmap.name == "cividis"  # as in first_layer_weights
    assert labels_of(axes) == labels
    name = f"{n_out} kernels of {kernel[0]} x {kernel[1]}"
    assert axes.get_title() == (name if n_in == 1 else f"{name}:\nthe mean over {n_in} input channels")
    assert axes.figure.axes[1].get_ylabel() == ("weight" if n_in == 1 else "mean weight")
    assert_fits(axes)


def test_filters_are_their_channels():
    """One input channel: a tile is the kernel to the last bit, and stands where its label says."""
    layer = Conv2D(1, 6, 2)
    layer.W = np.arange(24, dtype="float32").reshape(2, 2, 1, 6) - 8
    layer.build()
    drawn = plots.filters(layer, columns=3).images[0].get_array()
    np.testing.assert_array_equal(drawn[3:5, 3:5], layer.W[:, :, 0, 4])


def test_filters_in_colour():
    layer = Conv2D(3, 4, 2)
    W = np.random.default_rng(0).normal(size=(2, 2, 3, 4)).astype("float32")
    W[0, 1, :, 2] = 0
    layer.W = W
    layer.build()
    axes = plots.filters(layer, columns=3)
    (image,) = axes.images
    drawn = image.get_array()
    tiles, between = tiles_of(np.asarray(drawn), 4, (2, 2), 1, 3)
    np.testing.assert_allclose((tiles - 0.5) * 2 * abs(W).max(), W.transpose(3, 0, 1, 2), atol=1e-6)
    assert tiles.min() >= 0 and tiles.max() <= 1 and 1 in (1 - tiles.min(), tiles.max())
    assert (tiles[2, 0, 1] == 0.5).all()  # grey
    assert (drawn[between] == 1).all()  # white
    size = f"{abs(W).max():.2g}"
    assert axes.get_title() == (
        f"4 kernels of 2 x 2, as red, green and blue\ngrey: 0; white: {size} in all three; black: -{size}"
    )
    assert len(axes.figure.axes) == 1  # no scale of colours
    assert_fits(axes)


def test_filters_of_zeros():
    for n_in in (1, 2, 3):
        layer = Conv2D(n_in, 1, 3, weight_init="zeros")
        layer.build()
        axes = plots.filters(layer)
        assert axes.get_title().startswith("1 kernel of 3 x 3") and labels_of(axes) == ["0"]
        assert_fits(axes)


def test_filters_of_a_model():
    """Its first convolution, however deep it stands."""
    first, second = Conv2D(1, 2, 3, padding=1), Conv2D(2, 4, 3)
    model = Sequential(ReLU(), Residual(Sequential(first)), second, seed=0)
    before = model.params.copy()
    for layer in (model, first, model[1]):
        drawn = plots.filters(layer).images[0].get_array()
        np.testing.assert_array_equal(drawn[:, :3], first.W[:, :, 0, 0])
    assert plots.filters(second).get_title().startswith("4 kernels")
    np.testing.assert_array_equal(model.params, before)


def test_filters_refuse():
    with pytest.raises(TypeError, match=r"^layer must be a Conv2D or a model that has one, not ReLU\(\) \(ReLU\)$"):
        plots.filters(ReLU())
    with pytest.raises(TypeError, match=r"^layer must be a Conv2D or a model that has one, not Sequential\(Affine"):
        plots.filters(Sequential(Affine(2, 2)))
    with pytest.raises(TypeError, match=r"^layer must be a Conv2D or a model that has one, not <class"):
        plots.filters(Conv2D)
    with pytest.raises(ValueError, match=r"^Conv2D\(1, 2, 3\): must have its weights before it is drawn, not none"):
        plots.filters(Conv2D(1, 2, 3))
    model = Sequential(Conv2D(1, 2, 3), seed=0)
    with pytest.raises(ValueError, match=r"^columns must be a whole number, 1 or more, not 0$"):
        plots.filters(model, columns=0)
    model[0].W[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"^layer 1, Conv2D\(1, 2, 3\): W must hold numbers below 1e\+30 in size, not"):
        plots.filters(model)


# --- feature maps ----------------------------------------------------------------------------------------------------


def some_network(**options):
    """Layers that give images, among them one that works otherwise in training, and layers that give none."""
    return Sequential(
        Conv2D(1, 4, 3, padding=1), BatchNorm(4), ReLU(), Dropout(0.5), MaxPool2D(2),
        Residual(Conv2D(4, 4, 3, padding=1)), Conv2D(4, 10, (1, 3)), GlobalAvgPool(), Affine(10, 2), seed=0, **options,
    )  # fmt: skip


NAMES = ["input", "1  Conv2D", "2  BatchNorm", "3  ReLU", "4  Dropout", "5  MaxPool2D", "6  Residual", "7  Conv2D"]
SHAPES = ["(8, 12, 1)", *["(8, 12, 4)"] * 4, "(4, 6, 4)", "(4, 6, 4)", "(4, 4, 10)"]


def maps_by_hand(model, image):
    """The image, and each y of the layers that gives an image, one after the other."""
    y = model.ops.asarray(image[None])
    found = [image]
    for layer in model:
        y = layer(y)
        if y.ndim == 4:
            found.append(model.ops.to_numpy(y)[0])
    return found


@pytest.mark.parametrize("most", [8, 3, 1])
def test_feature_maps(rng, any_backend, most):
    model = some_network(backend=any_backend)
    image = rng.random((8, 12, 1), np.float32)
    panels = plots.feature_maps(model, image, most)
    expected = maps_by_hand(model, image)
    assert len(panels) == len(expected) == 8
    for panel, maps, name, shape in zip(panels, expected, NAMES, SHAPES):
        assert len(panel.images) == min(most, maps.shape[2])
        for channel, drawn in enumerate(panel.images):
            np.testing.assert_array_equal(drawn.get_array(), maps[:, :, channel])
            assert drawn.cmap.name == "gray"
            assert drawn.get_clim() == (maps[:, :, :most].min(), maps[:, :, :most].max())
        low, high = panel.images[0].get_clim()
        assert panel.get_ylabel() == f"{name}\n{shape}\n{low:.2g} to {high:.2g}"
    assert [text.get_text() for text in panels[1].texts] == [str(c) for c in range(min(most, 4))]
    first = "first channel" if most == 1 else f"first {most} channels"
    assert panels[0].get_title(loc="left").startswith(f"The {first} of each layer's output\n")
    assert_fits(panels[0])


def test_feature_maps_stand_below_each_other():
    """Channel c of each row begins at the same place, is as wide as it is high times W / H, and overlaps no other."""
    panels = plots.feature_maps(some_network(), np.ones((8, 12, 1), "float32"))
    panels[0].figure.draw_without_rendering()
    columns = {}
    for panel in panels:
        for channel, drawn in enumerate(panel.images):
            box = drawn.get_window_extent()
            height, width = drawn.get_array().shape
            np.testing.assert_allclose(box.width / box.height, width / height, rtol=0.02)
            columns.setdefault(channel, []).append(box)
    for channel, boxes in columns.items():
        middles = [(box.x0 + box.x1) / 2 for box in boxes]
        np.testing.assert_allclose(middles, middles[0], atol=0.5)  # pixels
        if channel:
            assert min(box.x0 for box in boxes) > max(box.x1 for box in columns[channel - 1])
    for above, below in itertools.pairwise(panels):
        assert above.images[0].get_window_extent().y0 > below.images[0].get_window_extent().y1


def test_feature_maps_leave_no_trace(rng):
    """Neither the parameters, nor running means, nor what backward waits for, nor the generator, nor the image."""
    model = some_network(dtype="float64")
    x = rng.normal(size=(5, 8, 12, 1))
    image = x[0]
    twin = copy.deepcopy(model)
    y = model.forward(x)
    twin.forward(x)
    kept, before = [layer.y for layer in model], image.copy()
    vectors = [vector.copy() for vector in (model.params, model.grads, model.flat_buffers)]
    plots.feature_maps(model, image)
    for vector, old in zip((model.params, model.grads, model.flat_buffers), vectors):
        np.testing.assert_array_equal(vector, old)
    assert all(layer.y is old for layer, old in zip(model, kept))
    np.testing.assert_array_equal(image, before)
    for each in (model, twin):
        each.backward(np.ones_like(y))
    np.testing.assert_array_equal(model.grads, twin.grads)
    np.testing.assert_array_equal(model.forward(x), twin.forward(x))  # the same masks of Dropout


def test_feature_maps_use_running_means():
    """A BatchNorm in training would make 0 of each channel's mean; in use it takes off what it has learned."""
    model = Sequential(BatchNorm(2), seed=0)
    for _ in range(200):
        model.forward(np.random.default_rng(0).normal(5, 2, (50, 2, 2, 2)).astype("float32"))
    image = np.full((2, 2, 2), 5, "float32")
    image[0, 0] = 9
    _, panel = plots.feature_maps(model, image)
    np.testing.assert_allclose(panel.images[1].get_array(), [[2, 0], [0, 0]], atol=0.3)


class Negative(Layer):
    """A layer that writes into its x."""

    def forward(self, x):
        x *= -1
        return x


def test_feature_maps_of_a_layer_that_writes_into_its_x():
    """What was drawn before stays drawn, and the caller's image stays as it is."""
    image = np.arange(6, dtype="float32").reshape(2, 3, 1)
    before = image.copy()
    panels = plots.feature_maps(Sequential(ReLU(), Negative(), Negative(), backend="numpy"), image)
    np.testing.assert_array_equal(image, before)
    for panel, sign in zip(panels, (1, 1, -1, 1)):
        np.testing.assert_array_equal(panel.images[0].get_array(), sign * before[:, :, 0])


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 40, 3), (40, 1, 3), (3, 3, 200)])
def test_feature_maps_of_odd_shapes(shape):
    """Flat, tall, tiny, very many: the picture still fits."""
    image = np.zeros(shape, "float32")
    image[0, 0, 0] = 1
    panels = plots.feature_maps(Sequential(ReLU()), image, most=200)
    assert [len(panel.images) for panel in panels] == [shape[2]] * 2
    assert panels[0].figure.get_figwidth() <= 7.2
    if shape[0] != 40:  # a picture that is one pixel wide is nearly white
        assert_fits(panels[0])


def test_axes_of_feature_maps():
    model, image = Sequential(ReLU(), ReLU()), np.eye(3, dtype="float32")[:, :, None]
    panels = list(Figure().subplots(3, 1))
    assert plots.feature_maps(model, image, axes=panels) == panels
    assert all(len(panel.images) == 1 for panel in panels)
    with pytest.raises(ValueError, match=r"^axes must be 3, for the image and the layers, not 2$"):
        plots.feature_maps(model, image, axes=panels[:2])
    axes = Figure().subplots()
    assert plots.filters(Sequential(Conv2D(1, 2, 3)), axes) is axes


def test_feature_maps_refuse():
    model = some_network()
    image = np.zeros((8, 12, 1), "float32")
    for wrong, message in {
        (8, 12): r"image must be one image \(H, W, C\), not of shape \(8, 12\): image\[:, :, None\] has one channel",
        (5, 8, 12, 1): r"image must be one image \(H, W, C\), not of shape \(5, 8, 12, 1\): of a batch x the first one",
        (8,): r"image must be one image \(H, W, C\), not of shape \(8,\)$",
        (0, 12, 1): r"image must have 3 dimensions and at least one number, not shape \(0, 12, 1\)",
        (8, 12, 3): r"layer 1, Conv2D.*: x must be images \(H, W, 1\), not shape \(1, 8, 12, 3\)",
    }.items():
        with pytest.raises(ValueError, match=f"^{message}"):
            plots.feature_maps(model, np.zeros(wrong, "float32"))
    with pytest.raises(TypeError, match=r"^image must be of dtype float32 or float64, not uint8: image.astype"):
        plots.feature_maps(model, image.astype("uint8"))
    with pytest.raises(
        TypeError, match=r"^image must be float32 like the model, not float64: image\.astype\('float32'"
    ):
        plots.feature_maps(model, image.astype("float64"))
    with pytest.raises(
        TypeError,
        match=r"^image must be a numpy array, not \[1.0\] \(list\): np.asarray\(image, 'float32'\) makes one$",
    ):
        plots.feature_maps(model, [1.0])
    with pytest.raises(ValueError, match=r"^image must hold numbers below 1e\+30 in size, not nan$"):
        plots.feature_maps(model, image * np.float32("nan"))
    with pytest.raises(ValueError, match=r"^most must be a whole number, 1 or more, not 0$"):
        plots.feature_maps(model, image, 0)
    with pytest.raises(TypeError, match=r"^model must be a Sequential or a list of layers, not 3 \(int\)$"):
        plots.feature_maps(3, image)
    with pytest.raises(
        ValueError, match=r"^model must have a layer whose y are images \(N, H, W, C\), and this one has"
    ):
        plots.feature_maps(Sequential(GlobalAvgPool()), image)
    model[1].arrays["mean"][0] = np.nan
    with pytest.raises(
        ValueError, match=r"^layer 2, BatchNorm\(4\): y must hold numbers below 1e\+30 in size, not nan$"
    ):
        plots.feature_maps(model, image)
