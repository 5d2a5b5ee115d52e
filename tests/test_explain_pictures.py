"""The worksheet's pictures of windows, maxima, masks and paths: what they show is what the layer has done."""

from __future__ import annotations

import copy
import re
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_explain import adds_up
from test_explain_blocks import images, layer_and_shape

from tinynn import MSE, Affine, AvgPool2D, BatchNorm, Conv2D, MaxPool2D, Residual, Sequential, explain
from tinynn.teach.worksheet.formula import Number
from tinynn.teach.worksheet.pictures import Bars, Dots, Grid, Map, Picture, multiplied


def pictures(sheet):
    """(line, picture) of every number that has one."""
    for step in sheet:
        for quantity in step.quantities:
            for index, line in zip(quantity.indices, quantity.lines):
                picture = quantity.picture(index)
                if picture is not None:
                    yield line, picture


def numbers(rows):
    """The numbers of a grid, row by row."""
    return [cell for row in rows for cell in row if cell != "."]


def check_products(line, picture):
    """Cell by cell a b = the products; these add up to what the sentence says, and with the others to the value."""
    a, b, products = picture.grids
    for left, right, product in zip(*(numbers(grid.rows) for grid in (a, b, products)), strict=True):
        assert float(product) == pytest.approx(float(left) * float(right), rel=6e-3, abs=2e-3 * abs(line.value) + 1e-12)
    own, *others = re.findall(r"(?:add up to|: |in all) ?(-?[\d.]+(?:e[+-]\d+)?)", picture.caption)
    last = min(Decimal(own).as_tuple().exponent, Decimal(f"{line.value:.3e}").as_tuple().exponent)
    assert abs(sum(map(Decimal, numbers(products.rows))) - Decimal(own)) <= Decimal(5).scaleb(last - 1), picture
    if others:
        *terms, total = others
        assert adds_up(" + ".join([own, *terms]), total, 4), picture
        own = total
    assert float(own) == pytest.approx(line.value, rel=6e-4, abs=1e-6)


@given(layer_and_shape(), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_pictures_show_what_the_layer_has_done(drawn, seed):
    layer, shape = drawn
    rng = np.random.default_rng(seed)
    first = Affine(shape[2], shape[2])
    model = Sequential(first, copy.deepcopy(layer), dtype="float64", seed=rng, backend="numpy", shape=shape)
    x = rng.normal(1, 2, size=(2, *shape))
    model.params[...] = rng.normal(size=model.params.shape)
    sheet = explain(model, x, rng.normal(size=model(x).shape), MSE())
    seen = set()
    for line, picture in pictures(sheet):
        seen.add(line.left.partition("[")[0])
        if picture.grids and picture.grids[-1].title == "the products":
            check_products(line, picture)
        for grid in picture.grids:
            assert len({len(row) for row in grid.rows}) == 1 and max(len(grid.rows), len(grid.rows[0])) <= 5
        for part in picture.parts:
            if isinstance(part, Bars):
                assert sum(value for _, value in part.bars[:-1]) == pytest.approx(part.bars[-1][1], rel=1e-6, abs=1e-9)
    expected = {
        Conv2D: {"y", "dL/dW", "dL/dx"},
        Residual: {"y", "dL/dx"},
        BatchNorm: {"mean", "var", "z", "y", "dL/dx"},
    }
    assert seen >= expected.get(type(layer), {"y"} if isinstance(layer, MaxPool2D | AvgPool2D) else set())
    assert max(map(len, sheet.text(80).splitlines())) <= 80


def test_what_is_drawn_adds_up_with_and_without_other_parts():
    rng = np.random.default_rng(0)
    for _ in range(300):
        size, digits = rng.integers(1, 4), rng.integers(1, 8)
        a, b = rng.normal(size=(2, size, size)).round(digits)
        others = [Number(name, float(rng.normal())) for name in "cd"[: rng.integers(0, 3)]]
        value = float((a * b).sum() + sum(other.value for other in others))
        drawn = multiplied(("a", a), ("b", b), np.ones(a.shape, bool), value, others)
        check_products(SimpleNamespace(value=value), Picture(*drawn))


def only(model, x, name, t=None):
    """The picture of one number of a network's last layer."""
    sheet = explain(model, x, np.zeros_like(model(x)) if t is None else t, MSE())
    quantity, index = sheet.find(name)
    return quantity.picture(index)


def network(*layers, **options):
    return Sequential(*layers, dtype="float64", seed=0, backend="numpy", **options)


def test_a_window_by_hand():
    x = np.arange(32.0).reshape(1, 4, 4, 2)
    model = network(Conv2D(2, 1, 2, stride=2))
    model[0].W[..., 0] = [[[1, 0], [2, 0]], [[3, 0], [4, 1]]]
    before, window, kernel, products, after = only(model, x, "y[0,1,0,0] of layer 1").parts
    assert window == Grid("x[0,:,:,0], the window", [["16", "18"], ["24", "26"]])
    assert kernel.rows == [["1", "2"], ["3", "4"]] and kernel.sign == "*"
    assert products.rows == [["16", "36"], ["72", "104"]] and products.sign == "="
    assert isinstance(before, Map) and before.frame == (2, 0, 2, 2) and np.array_equal(before.pixels, x[0, :, :, 0])
    assert after.frame == (1, 0, 1, 1)
    said = only(model, x, "y[0,1,0,0] of layer 1").caption
    assert said == "the products add up to 228; 1 other channel: 27; b[0]: 0; in all 255"


def test_outside_of_the_image_there_is_nothing():
    model = network(Conv2D(1, 1, 3, padding=1))
    window = only(model, np.ones((1, 3, 3, 1)), "y[0,0,0,0] of layer 1").grids[0]
    assert window.rows == [[".", ".", "."], [".", "1", "1"], [".", "1", "1"]]
    shown = explain(model, np.ones((1, 3, 3, 1)), np.ones((1, 3, 3, 1)), MSE()).text()
    assert re.search(r"x\[0,:,:,0\], the window +W\[:,:,0,0\] +the products", shown)


def test_a_maximum_by_hand():
    x = np.array([[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 7.0, 6.0]])[None, :, :, None]
    model = network(MaxPool2D(2), Affine(1, 1))
    model[1].W[...] = 1.0
    before, window, _ = only(model, x, "y[0,0,1,0] of layer 1").parts
    assert window.rows == [["2", "0"], ["7", "6"]] and window.marks == ((1, 0),) and before.frame == (0, 2, 2, 2)
    model = network(Affine(1, 1), MaxPool2D(2), shape=(2, 4, 1))
    model[0].W[...] = 1.0
    for name in ("dL/dx[0,0,1,0] of layer 2", "dL/dx[0,0,0,0] of layer 2"):
        window, back = only(model, x, name).grids
        assert window.marks == back.marks == ((0, 1),) and back.rows == [["0", "5"], ["0", "0"]]


WAYS = {("f(x)", "x", "y"), ("f(x)", "s(x)", "y"), ("back through f", "back past it", "dL/dx")}


def test_masks_statistics_and_both_ways():
    sheet = explain(*images())
    by_title = {}
    for line, picture in pictures(sheet):
        titles = tuple(part.title for part in picture.parts if isinstance(part, Grid | Dots))
        by_title.setdefault(titles, []).append((line, picture))
        if titles in WAYS or titles[-3:] == ("x", "mask", "y"):
            (a, b, c), ((row, column),) = picture.grids, picture.grids[0].marks
            one, two, three = (float(grid.rows[row][column]) for grid in (a, b, c))
            result = one * two if titles[1] == "mask" else one + two
            assert three == pytest.approx(result, rel=2e-3, abs=1e-3 * abs(one))
            assert three == pytest.approx(line.value, rel=6e-4)
    assert {("x", "mask", "y"), ("mask",), ("f(x)", "x", "y"), ("f(x)", "s(x)", "y")} <= set(by_title)
    for line, picture in by_title["x, feature 1", "z"]:  # g is 1 and b is 0
        x, z = picture.parts
        assert z.mark == pytest.approx((x.mark - x.mean) / x.deviation, rel=1e-5, abs=1e-5)
        assert z.mark == pytest.approx(line.value)


def test_no_picture_where_the_formula_does_not_hold():
    class Half(Conv2D):
        def forward(self, x):
            return super().forward(x) / 2

    model = network(Half(1, 1, 2))
    x = np.random.default_rng(0).normal(size=(1, 3, 3, 1))
    assert only(model, x, "y[0,0,0,0] of layer 1") is None


def test_infinite_and_missing_numbers_have_pictures():
    model = network(Conv2D(1, 1, 2), BatchNorm(1), MaxPool2D(2))
    x = np.random.default_rng(0).normal(size=(2, 3, 3, 1))
    x[0, 0, 0], x[1, 1, 1] = np.nan, np.inf
    sheet = explain(model, x, np.zeros((2, 1, 1, 1)), MSE())
    assert "nan" in str(sheet)
    data = sheet.to_html().partition('id="data">')[2].partition("</script>")[0]
    assert "NaN" not in data and "Infinity" not in data
