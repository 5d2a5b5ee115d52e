# %% [markdown]
# # Automatic differentiation in one page
#
# In tinynn each layer has a backward that a person has derived. PyTorch and JAX find the gradient of any program by
# themselves. How do they do that? The idea fits on one page. (Andrej Karpathy's micrograd made this page famous; the
# code here is our own.) At the end we see why tinynn has layers all the same.

# %%
import timeit

import lesson
import numpy as np
from matplotlib.figure import Figure

import tinynn
from tinynn import MSE, Affine, Sequential, Tanh, plots

quick = lesson.start()
rng = np.random.default_rng(0)

# %% [markdown]
# ## A number that remembers
#
# Every computation, however long, is made of small ones: sums, products, a few functions. For each of these the
# derivative is known. So let a number remember what it was computed from, and with which derivative:
#
# - $u = a + b$: the derivatives are 1 and 1,
# - $u = a\, b$: the derivative with respect to a is b, with respect to b it is a,
# - $u = \tanh(a)$: the derivative is $1 - u^2$.
#
# The chain rule does the rest. If L depends on a in several ways, through $u_1$, $u_2$ and so on, then
#
# $$\frac{\partial L}{\partial a} = \sum_k \frac{\partial L}{\partial u_k}\, \frac{\partial u_k}{\partial a} .$$


# %%
class Value:
    """A number, and what it was computed from: `inputs`, pairs of another Value and the derivative for it."""

    made = 0

    def __init__(self, number, *inputs):
        Value.made += 1
        self.number, self.inputs, self.place = number, inputs, Value.made

    def __add__(self, other):
        return Value(self.number + other.number, (self, 1.0), (other, 1.0))

    def __mul__(self, other):
        return Value(self.number * other.number, (self, other.number), (other, self.number))

    def tanh(self):
        y = np.tanh(self.number)
        return Value(y, (self, 1 - y * y))

    def backward(self):
        """Write the derivative of this number with respect to each one that it depends on into its `gradient`."""
        found, waiting = {self}, [self]
        while waiting:
            new = {value for value, _ in waiting.pop().inputs} - found
            found |= new
            waiting += new
        for value in found:
            value.gradient = 0.0
        self.gradient = 1.0
        for value in sorted(found, key=lambda value: value.place, reverse=True):  # what was computed last comes first
            for source, derivative in value.inputs:
                source.gradient += value.gradient * derivative


# %% [markdown]
# That is the whole of it. First a small computation.

# %%
lesson.ask(
    "a = 2, b = 3, L = a b + a. What is the derivative of L with respect to a?",
    4,
    "a counts twice: through the product with the derivative b = 3, and through the sum with 1. Together 4.",
    slips={3: "That is the way through the product. a is also added by itself.", 2: "That is the derivative for b."},
)

# %%
a, b = Value(2.0), Value(3.0)
L = a * b + a
L.backward()
lesson.say(f"By backward: dL/da = {a.gradient:g}, dL/db = {b.gradient:g}.")
assert (a.gradient, b.gradient) == (4, 2)

# %%
lesson.choose(
    "backward goes through the numbers from the last that was computed to the first. Why in this order?",
    {
        "it is faster": "Each number is visited once in any order.",
        "a gradient must be complete before it is handed on": "What a number was used in was computed after it. So "
        "when its turn comes, all terms of its sum have been added.",
        "any order gives the same": "A number that is visited before one that uses it would hand on a sum with a term "
        "missing.",
    },
    right="a gradient must be complete before it is handed on",
)

# %% [markdown]
# ## One unit
#
# $y = \tanh(x_1 w_1 + x_2 w_2 + b)$ and $L = (y - t)^2$, number by number. (Minus t is a number that is added.)

# %%
x1, w1, x2, w2, bias, minus_t = (Value(number) for number in (1.0, 0.5, -2.0, 0.4, 0.6, -1.0))
p1, p2 = x1 * w1, x2 * w2
p = p1 + p2
s = p + bias
y = s.tanh()
d = y + minus_t
L = d * d
L.backward()
by_formula = 2 * (y.number - 1) * (1 - y.number**2)
assert np.isclose(s.gradient, by_formula)

# %%
lesson.ask(
    f"x2 = -2, w2 = 0.4, and s, the argument of tanh, has the gradient {s.gradient:.2f}. What is the gradient of w2?",
    w2.gradient,
    "A sum hands its gradient on as it is, and the product multiplies it by the other factor, x2 = -2.",
    slips={s.gradient: "This is the gradient of the product x2 w2.", s.gradient * 0.4: "This is the gradient of x2."},
)

# %%
boxes = {
    x1: ("x1", 0, 3), w1: ("w1", 0, 2), x2: ("x2", 0, 1), w2: ("w2", 0, 0), p1: ("x1 w1", 1, 2.5), s: ("s", 3, 2),
    p2: ("x2 w2", 1, 0.5), p: ("x1 w1 + x2 w2", 2, 1.5), bias: ("b", 2, 2.7), y: ("y = tanh(s)", 4, 2),
    minus_t: ("-t", 4, 0.8), d: ("d = y - t", 5, 1.4), L: ("L = d d", 6, 1.4),
}  # fmt: skip
axes = Figure(figsize=(8.4, 3.6), layout="constrained").subplots()
for value, (name, column, height) in boxes.items():
    for source, _ in value.inputs:
        axes.plot([boxes[source][1], column], [boxes[source][2], height], color=plots.BLUE, zorder=0)
    text, white = f"{name}\n{value.number:.3g}\ngrad {value.gradient:.3g}", {"boxstyle": "round", "fc": "white"}
    axes.text(column, height, text, ha="center", va="center", fontsize=8, bbox=white)
axes.set(xlim=(-0.5, 6.5), ylim=(-0.4, 3.4))
axes.axis("off")
lesson.show(
    axes, "graph",
    """Each box is a number: its name, its value, and its gradient, which is the derivative of L with respect to it.
    Forward runs from left to right. Backward runs from right to left, and multiplies on its way.""",
)  # fmt: skip

# %% [markdown]
# ## A network
#
# With lists of Values we can write a network with two layers and the mean squared error, unit by unit.

# %%
N, D, H, K = 5, 8, 6, 3
loss = MSE()
x, t = rng.normal(size=(N, D)), rng.normal(size=(N, K))
model = Sequential(Affine(D, H), Tanh(), Affine(H, K), backend="numpy", dtype="float64", seed=0)
first, second = model[0], model[2]
first.b, second.b = rng.normal(size=H), rng.normal(size=K)


def values_of(array):
    """An array of numbers as lists of Values."""
    return [Value(number) for number in array] if array.ndim == 1 else [values_of(row) for row in array]


def affine(row, W, b):
    """y_j = sum_i x_i W_ij + b_j."""
    return [sum((xi * Wi[j] for xi, Wi in zip(row, W)), start=bj) for j, bj in enumerate(b)]


def number_by_number():
    """Loss and gradients by Values."""
    W1, b1, W2, b2 = map(values_of, (first.W, first.b, second.W, second.b))
    L = Value(0.0)
    for row, targets in zip(values_of(x), values_of(-t)):
        h = [unit.tanh() for unit in affine(row, W1, b1)]
        for y, minus_t in zip(affine(h, W2, b2), targets):
            d = y + minus_t
            L = L + d * d * Value(1 / (N * K))
    L.backward()
    dW1, dW2 = ([[value.gradient for value in row] for row in W] for W in (W1, W2))
    return L.number, dW1, [value.gradient for value in b1], dW2, [value.gradient for value in b2]


def layer_by_layer():
    """Loss and gradients by tinynn."""
    value = loss.forward(model.forward(x), t)
    model.backward(loss.backward())
    return value, first.dW, first.db, second.dW, second.db


before, slow, made = Value.made, number_by_number(), Value.made
fast = layer_by_layer()
apart = max(np.max(np.abs(np.subtract(a, b))) for a, b in zip(slow, fast))
lesson.say(f"""The loss by numbers is {slow[0]:.12f}, by layers {fast[0]:.12f}. No gradient of the {model.params.size}
    parameters differs by more than {apart:.0e}.""")
assert apart < 1e-14

# %% [markdown]
# ## What it costs
#
# Each number is an object with a list of its own. How many are there?

# %%
lesson.ask(
    f"x has {N} rows of {D} numbers, and the first layer {H} units. How many products does x W take?",
    N * D * H,
    f"For each of {N} rows and {H} units a sum of {D} products: {N} * {H} * {D} = {N * D * H}.",
    slips={D * H: "That is for one row.", N * H: "That is how many sums there are."},
)

# %%
made -= before
seconds = [min(timeit.repeat(f, number=n, repeat=3)) / n for f, n in ((number_by_number, 3), (layer_by_layer, 50))]
lesson.say(f"""In this small network {made:,} Values are made for one step of {N} rows; tinynn makes three calls forward
    and three backward. One step by numbers takes {seconds[0] / seconds[1]:.0f} times as long as by layers. A network of
    784 - 256 - 10 units has a product and a sum for each weight and row, so with 256 rows it would make
    {2 * 256 * (784 * 256 + 256 * 10):,} Values and more.""")
assert made > N * D * H and seconds[0] > 5 * seconds[1]

# %% [markdown]
# ## Why layers are enough
#
# The derivative of a whole layer can be worked out once on paper: for $y = x W + b$ it is $dW = x^T dy$ and
# $dx = dy\, W^T$, two products of matrices in place of thousands of small steps. And a network is layers one after the
# other, so nobody has to remember an order: backward is the list of layers, read from its end.
#
# What is the price? A new layer needs a backward that a person derives, and a person can be wrong. That is why tinynn
# checks gradients. PyTorch and JAX do the same as our page, but their numbers are whole arrays, and their small steps
# are products of matrices: they remember like `Value`, and compute like layers.

# %%
lesson.verdict(tinynn.check(model, x, t, loss))
