# %% [markdown]
# # Checking gradients
#
# A backward pass with a mistake still trains, a little worse. So gradients are not believed, but measured, from the
# forward pass alone. How exact can that be?

# %%
import lesson
import numpy as np

import tinynn
from tinynn import Affine, ReLU, Sequential, SoftmaxCrossEntropy, Tanh, plots

quick = lesson.start()

# %% [markdown]
# ## Differences
#
# The derivative is the limit of $[f(x + h) - f(x - h)] / 2h$. Too large an h: the curve is no line, an error of about
# $h^2$. Too small: $f(x + h)$ and $f(x - h)$ agree in nearly all of their 16 digits, and what is left of their
# difference is rounding, an error of about $10^{-16} / h$. In between lies the best, and it is not very good.


# %%
def f(x):
    return np.exp(x) * np.sin(x)


point = 1.0
slope = np.exp(point) * (np.sin(point) + np.cos(point))  # by the product rule
lesson.say(f"f(x) = e^x sin x has the slope {slope:.15f} at 1. By central differences:")
for h in (1e-1, 1e-3, 1e-5, 1e-7, 1e-9, 1e-11, 1e-13):
    central = (f(point + h) - f(point - h)) / (2 * h)
    print(f"  h {h:.0e}   {central:.15f}   relative error {abs(central / slope - 1):.0e}")

# %% [markdown]
# ## The complex step
#
# $f(x + ih) = f(x) + ih f'(x) - h^2 f''(x) / 2 - \dots$ for functions such as those of a network. The imaginary part,
# divided by h, is the slope, and nothing has been subtracted. So h may be as small as $10^{-30}$, and every digit is
# right (Squire & Trapp 1998).

# %%
exact = f(point + 1e-30j).imag / 1e-30
lesson.say(f"By the complex step, h = 1e-30: {exact:.15f}, relative error {abs(exact / slope - 1):.0e}.")
assert abs(exact / slope - 1) < 1e-15

# %% [markdown]
# ## A network
#
# All parameters at once: a random direction u, and the slope of the loss along it, against $u \cdot$ gradient. A wrong
# number anywhere is in the sum.

# %%
rng = np.random.default_rng(0)
x, t = rng.normal(size=(7, 5)), rng.integers(0, 3, 7)
loss = SoftmaxCrossEntropy()


def network(hidden):
    """A small network with this layer in its middle."""
    return Sequential(Affine(5, 4), hidden, Affine(4, 3), dtype="float64", seed=0)


report = tinynn.check(network(Tanh()), x, t, loss)
lesson.verdict(report)
assert report

# %% [markdown]
# ## The V, the plateau, the cliff
#
# Central differences tell most when they are taken with many steps h. Beside a right gradient the error is a V. A
# gradient that is wrong by one part in 10,000 has a plateau that no h gets below. And beside a kink, such as ReLU's,
# differences step over it as soon as h is large enough: a cliff, and no bug.


# %%
class Slightly(SoftmaxCrossEntropy):
    def compute(self, y, t):
        value, dy = super().compute(y, t)
        return value, 1.0001 * dy


kinked = network(ReLU())
kinked[0].b[0] = 2e-4 - (x @ kinked[0].W)[0, 0]  # unit 0 of sample 0 comes to lie 2e-4 above its kink
sweeps = {}
for name, model, its_loss in (
    ("right", network(Tanh()), loss),
    ("off by 1e-4", network(Tanh()), Slightly()),
    ("a kink near", kinked, loss),
):
    report = tinynn.check(model, x, t, its_loss)
    sweep = report.sweep()
    said = " ".join(str(sweep).split("\n")[len(sweep.h) + 1 :])
    sweeps[name] = sweep.h, sweep.error
    lesson.say(f"{name}: check says {report.code}; the sweep is {said}")
lesson.show(plots.check_sweep(sweeps), "sweeps")

# %% [markdown]
# The complex step never crosses a kink: it does not move along the real line at all.
#
# ## How much is too much?
#
# Usual checkers compare with a fixed small number, such as $10^{-5}$. A gradient that is itself that small then passes,
# whatever it is. Here is one of $10^{-9}$ with the wrong sign.


# %%
class Uphill(Affine):
    def backward(self, dy):
        dx = super().backward(dy)
        self.dW = -self.dW
        return dx


tiny = Sequential(Uphill(5, 4), Tanh(), Affine(4, 3, weight_init=lambda shape, rng: rng.normal(0, 1e-9, shape)), seed=0)
report = tinynn.check(tiny, x, t, loss)
row = report.rows[-1]
lesson.say(f"""{row.tensor} of {row.where}: the code gives {row.analytic:.3g}, measured is {row.numeric:.3g}. They
    differ by {abs(row.analytic - row.numeric):.0e}, far below 1e-5. check compares with the tensor's own scale, and
    says: {report.code}.""")
assert report.code == "sign"

# %% [markdown]
# ## One number among many
#
# The lecture's network, with a single entry of dW wrong by a tenth.


# %%
class OneOff(Affine):
    def backward(self, dy):
        dx = super().backward(dy)
        self.dW[400, 100] *= 1.1
        return dx


(images, labels), _ = tinynn.datasets.load_mnist()
pixels = images[:7] + 0.01 * rng.random((7, 784)).astype("float32")  # no pixel is 0, so that every weight counts
lecture = Sequential(OneOff(784, 256), ReLU(), Affine(256, 10), seed=0)
report = tinynn.check(lecture, pixels, labels[:7], loss)
lesson.say(f"{lecture.params.size:,} parameters. {report.why}")
assert report.code == "unknown" and report.rows[-1].entry == "[400, 100]"

# %%
report = tinynn.check(Sequential(Affine(784, 256), ReLU(), Affine(256, 10), seed=0), pixels, labels[:7], loss)
lesson.verdict(report)
assert report
