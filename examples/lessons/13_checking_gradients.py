# %% [markdown]
# # Checking gradients
#
# A network whose backward pass has a mistake often learns all the same, a little worse. So do not believe a gradient:
# measure it, from the forward pass alone. How exact can that be?

# %%
import lesson
import numpy as np

import tinynn
from tinynn import Affine, ReLU, Sequential, SoftmaxCrossEntropy, Tanh, plots

quick = lesson.start()

# %% [markdown]
# ## Differences
#
# The derivative is the limit of the *central difference*, $[f(x + h) - f(x - h)] / 2h$. With a large h the curve is not
# a straight line, and the error is about $h^2$. With a small h, $f(x + h)$ and $f(x - h)$ agree in nearly all of their
# 16 digits, and their difference is mostly rounding: the error is about $10^{-16} / h$. The best h lies between, and
# even there many digits are lost.

# %%
lesson.choose(
    "One error is about $h^2$, the other about $10^{-16} / h$. Which h keeps both small?",
    {
        "$10^{-1}$": "$h^2$ is 0.01.",
        "$10^{-5}$": "$h^2 = 10^{-10}$, and $10^{-16} / h = 10^{-11}$: about ten digits are right.",
        "$10^{-13}$": "$h^2$ is nothing, but $10^{-16} / 10^{-13}$ is 0.001: three digits are right.",
    },
    right="$10^{-5}$",
)


# %%
def f(x):
    return np.exp(x) * np.sin(x)


point = 1.0
slope = np.exp(point) * (np.sin(point) + np.cos(point))  # by the product rule
lesson.say(f"$f(x) = e^x \\sin x$ has the slope {slope:.15f} at 1. By central differences:")
for h in (1e-1, 1e-3, 1e-5, 1e-7, 1e-9, 1e-11, 1e-13):
    central = (f(point + h) - f(point - h)) / (2 * h)
    print(f"  h {h:.0e}   {central:.15f}   relative error {abs(central / slope - 1):.0e}")

# %% [markdown]
# ## The complex step
#
# A step along the imaginary axis gives, for functions such as those of a network,
#
# $$f(x + ih) = f(x) + ih f'(x) - h^2 f''(x) / 2 - \dots$$
#
# The imaginary part, divided by h, is the slope, and nothing has been subtracted. So h may be as small as $10^{-30}$,
# and every digit is right (Squire & Trapp 1998).

# %%
lesson.ask(
    "$f(x) = x^2$ at x = 3: $(3 + ih)^2 = 9 + 6 ih - h^2$. What does the complex step give?",
    6,
    "The imaginary part is 6 h, and divided by h it is 6, whatever h is: the derivative, 2 x.",
    slips={9: "That is the real part, f itself."},
)

# %%
exact = f(point + 1e-30j).imag / 1e-30
lesson.say(f"By the complex step, h = 1e-30: {exact:.15f}, relative error {abs(exact / slope - 1):.1g}.")
assert abs(exact / slope - 1) < 1e-15

# %% [markdown]
# ## A network
#
# A network has many parameters. To move one at a time takes a forward pass for each; to move all at once takes one.
# Along a random direction u, the slope of the loss is $u \cdot g$, with g the gradient: a sum over all parameters, and
# a wrong number anywhere in g makes it wrong.

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
# Central differences tell most when they are taken with many steps h. Where the gradient is right, the error against h,
# on logarithmic scales, has the shape of a V: it falls with $h^2$ as h becomes smaller, and then rises with $1 / h$.

# %%
lesson.choose(
    "As h becomes smaller, the error falls to 0.0001, and then stays there. What is the cause?",
    {
        "rounding": "Rounding rises as h becomes smaller; it does not stay.",
        "a gradient that is wrong by one part in 10,000": "No h comes closer to a gradient that is wrong: a plateau.",
        "a kink, such as ReLU's": "With a small h nothing steps over the kink, and the error is that of the V.",
    },
    right="a gradient that is wrong by one part in 10,000",
)

# %% [markdown]
# So a wrong gradient has a *plateau*. And beside a kink, differences step over it as soon as h is large enough: the
# error jumps there, a *cliff*, and that is no mistake in the code.


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
lesson.show(
    plots.check_sweep(sweeps), "sweeps",
    """The error of central differences against their step h, which becomes smaller to the left. Solid: a right
    gradient, a V. Dashed: a gradient that is wrong by 1e-4, a plateau. Dotted: a right gradient beside a kink, and a
    cliff where the step reaches over it.""",
)  # fmt: skip

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
# A network for pictures of 784 pixels, with a single entry of dW wrong by a tenth.


# %%
class OneOff(Affine):
    def backward(self, dy):
        dx = super().backward(dy)
        self.dW[400, 100] *= 1.1
        return dx


(images, labels), _ = tinynn.datasets.load_mnist()
pixels = images[:7] + 0.01 * rng.random((7, 784)).astype("float32")  # no pixel is 0, so that every weight counts
large = Sequential(OneOff(784, 256), ReLU(), Affine(256, 10), seed=0)
report = tinynn.check(large, pixels, labels[:7], loss)
lesson.say(f"{large.params.size:,} parameters. {report.why}")
assert report.code == "unknown" and report.rows[-1].entry == "[400, 100]"

# %%
report = tinynn.check(Sequential(Affine(784, 256), ReLU(), Affine(256, 10), seed=0), pixels, labels[:7], loss)
lesson.verdict(report)
assert report
