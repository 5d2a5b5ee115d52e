"""Wrong forwards that no gradient shows: what is said, what is a note, and what is left alone."""

from __future__ import annotations

import numpy as np
import pytest
import right_cases

from tinynn import MSE, Affine, Layer, check, check_layer
from tinynn.teach import zoo
from tinynn.teach.checking.forwards.invariance import PROBES
from tinynn.teach.checking.forwards.norms import recognized
from tinynn.teach.checking.forwards.probed import Probed
from tinynn.teach.checking.under_test import LayerUnderTest


def named(name, cls):
    """The same class under another name, which says something else of what is intended."""
    return type(name, (cls,), {})


def rows(seed=1, shape=(7, 5)):
    return np.random.default_rng(seed).normal(size=shape)


# --- notes -----------------------------------------------------------------------------------------------------------


class Numbered(Layer):
    """Each place in the batch has a number of its own."""

    def forward(self, x):
        return x + np.arange(len(x))[:, None]

    def backward(self, dy):
        return dy


class Noise(Layer):
    def forward(self, x):
        return x + self.rng.normal(size=x.shape)

    def backward(self, dy):
        return dy


class TutorialNorm(right_cases.LayerNorm):
    pass


@pytest.mark.parametrize(
    "layer, x, said",
    [
        (right_cases.Centre(5), rows(), ["rows are mixed: y[", "when row 6 of x is changed", "layer(x[:1]) is"]),
        (Numbered(), rows(), ["a row's y depends on its place: with the rows of x reversed, it is 6 away"]),
        (Noise(), rows(), ["layer(x) is random in use, too"]),
        (TutorialNorm(5), rows(), ["divisor n - 1; the papers' is n", "eps, 1e-06, is added to the root"]),
        (right_cases.Embedding(9), np.arange(9).reshape(3, 3), ["row 0 of dW is 0, as that of a padding id may be"]),
    ],
)
def test_what_may_be_intended_is_a_note(layer, x, said):
    report = check_layer(layer, x)
    assert report and all(any(words in note for note in report.notes) for words in said), f"{report}"


def test_the_scale_of_the_scores_is_recovered():
    class Attention(zoo.attention.Plain):
        def weights(self, S):
            return super().weights(S / 2**0.5)

        def masked(self, dS):
            return dS / 2**0.5

    report = check_layer(Attention(), rows(shape=(3, 5, 8)))
    assert report
    assert any("multiplied by 0.353553, which is 1 / sqrt(D)" in note and "= 0.5, of" in note for note in report.notes)


def test_tinynns_own_layers_have_no_notes():
    report = check_layer(Affine(5, 3), rows())
    assert report and report.notes == []


# --- the name says what is intended ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "slip, name, shape",
    [
        ("groupnorm-1", "PixelNorm", (3, 4, 5, 6)),
        ("layernorm-1", "Standardise", (7, 5)),
        ("layernorm-4", "Scaled", (7, 5)),
        ("rmsnorm-1", "UnitLength", (7, 5)),
        ("dropout-14", "MCDropout", (7, 5)),
        ("batchnorm-21", "FrozenBatchNorm", (7, 5)),
        ("causalattention-6", "SelfAttention", (3, 5, 6)),
    ],
)
def test_under_another_name_it_is_right(slip, name, shape):
    slip = zoo.find(slip)
    layer = slip.make(shape[-1])
    assert check_layer(layer, rows(shape=shape)).code == slip.code
    other = named(name, slip.cls)
    layer = other(shape[-1]) if "n" in slip.asks else other()
    assert check_layer(layer, rows(shape=shape)), name


@pytest.mark.parametrize("name", ["attention-1", "attention-3", "softmax-1", "causalattention-1", "dropout-11"])
def test_under_any_name_it_is_wrong(name):
    slip = zoo.find(name)
    x = rows(shape=(3, 5, 6) if slip.takes == "tokens" else (7, 5))
    assert check_layer(named("Mixer", slip.cls)(), x).code == slip.code


class Columns:
    """A layer norm of columns, (D, N): an object that does not say which axis the examples are."""

    def forward(self, x):
        c = x - x.mean(axis=0)
        self.s = np.sqrt((c**2).mean(axis=0) + 1e-5)
        self.y = c / self.s
        return self.y

    def backward(self, dy):
        return (dy - dy.mean(axis=0) - self.y * (dy * self.y).mean(axis=0)) / self.s


def test_columns_are_left_alone():
    """Alone, axis 0 may be the features; in a network with a target for each row, it is the examples."""
    LayerNorm = named("LayerNorm", Columns)
    assert check_layer(LayerNorm(), rows())
    report = check([Affine(5, 4), LayerNorm(), Affine(4, 2)], rows(), rows(2, (7, 2)), MSE())
    assert report.code == "norm-wrong-axes" and report.where == "layer 2, LayerNorm()"


# --- what is found out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eps", [0.0, 1e-8, 1e-5, 1e-3, 0.1])
@pytest.mark.parametrize(
    "axes, groups", [((0,), 1), ((2,), 1), ((0, 2, 3), 1), ((1, 2, 3), 1), ((1, 2, 3), 3), ((3,), 2)]
)
def test_a_norm_is_known_by_its_forward(axes, groups, eps):
    """Channels first where axis 1 is in groups, channels last where axis 3 is."""

    class Any(Layer):
        def forward(self, x):
            split = 1 if 1 in axes else 3
            z = x.reshape(*x.shape[:split], groups, -1, *x.shape[split + 1 :])
            over = tuple(axis + (axis >= split) for axis in axes)
            c = z - z.mean(axis=over, keepdims=True)
            return (c / np.sqrt((c**2).mean(axis=over, keepdims=True) + eps)).reshape(x.shape)

        def backward(self, dy):
            return dy

    tested = LayerUnderTest(Any(), "layer")
    norm = recognized(Probed(tested, rows(shape=(4, 6, 5, 8)), np.random.default_rng(0)))
    assert (norm.axes, norm.groups, norm.centred, norm.of, norm.root) == (axes, groups, True, "var", "sqrt(v + eps)")
    assert norm.eps == pytest.approx(eps, rel=1e-6, abs=1e-12)


def test_the_published_group_norm():
    """Its printed deviations to all 8 digits, and what is said of it. (Right are .99999963 .99999948 .99999973 ...)"""
    x = 4 * np.random.RandomState(231).randn(2, 6, 4, 5) + 10
    layer = zoo.find("groupnorm-1").make()
    y = layer.forward(x.transpose(0, 2, 3, 1).copy()).transpose(0, 3, 1, 2)
    printed = [0.99999834, 0.99999782, 0.99999873, 0.99999691]
    assert y.reshape(4, -1).mean(axis=1) == pytest.approx(0, abs=1e-12)
    assert y.reshape(4, -1).std(axis=1) == pytest.approx(printed, abs=5.1e-9)
    report = check_layer(layer, x.transpose(0, 2, 3, 1).copy())
    assert report.code == "norm-wrong-axes" and "Mean 0 and deviation 1 in each group hold here, too" in report.why
    assert "y[0, 0, 0, 0] does not change when x[0, 1, 0, 0] is changed" in report.why


def test_the_sentence_shows_the_probe():
    """The numbers of a sentence are those that a learner gets who tries it."""
    x, layer = rows(), zoo.find("layernorm-1").make()
    report = check_layer(layer, x)
    changed = np.array(x)
    changed[1, 0] += 1 + np.abs(x).max()
    moved = abs(layer(changed)[0, 0] - layer(x)[0, 0])
    assert f"y[0, 0] changes by {moved:.3g} when x[1, 0] is changed" in report.why


@pytest.mark.parametrize("seed", range(60))
def test_no_probe_fails_in_silence(seed):
    """An error in a probe is taken as "shows nothing", since a learner's layer may raise it: here it must not."""
    rng = np.random.default_rng(seed)
    check, (thing, x, *_) = right_cases.shaped(rng, int(rng.integers(2, 6)), "float64")
    if check != "check_layer" or not isinstance(thing, Layer):
        return
    probed = Probed(LayerUnderTest(thing, "layer"), x, rng)
    assert [probe(probed) for probe in PROBES] == [None] * len(PROBES)
