# %% [markdown]
# # Activations and their slopes
#
# The bend between two affine maps is a function that is applied to each number by itself: $y = f(x)$. Going back, its
# gradient is $dx = dy\, f'(x)$. So the slope decides how much of a gradient comes through.

# %%
import lesson
import numpy as np
from matplotlib.figure import Figure

import tinynn
from tinynn import MSE, Affine, ReLU, Sequential, Sigmoid, Tanh, plots

quick = lesson.start()
activations = {"Sigmoid": Sigmoid(), "Tanh": Tanh(), "ReLU": ReLU()}

# %% [markdown]
# ## Three functions
#
# Sigmoid, $1 / (1 + e^{-x})$, with the slope $y (1 - y)$; tanh, with $1 - y^2$; ReLU, $\max(x, 0)$, with 1 or 0.
# Written in terms of y, the slope costs nothing: y is there already.

# %%
lesson.ask(
    "The sigmoid's slope is y (1 - y), and y goes from 0 to 1. How large is the slope where it is largest?",
    0.25,
    "At y = 1/2, that is at x = 0, it is 1/2 * 1/2.",
    slips={
        0.5: "That is y at the place. The slope is y (1 - y).",
        1: "That is the steepest slope of tanh and of ReLU.",
    },
)


# %%
def value_and_slope(layer, x):
    """y and dy/dx, by the layer's own forward and backward: with dy = 1, dx is the slope."""
    y = layer.forward(x)
    return y, layer.backward(np.ones_like(y))


x = np.array([[-4.0, -1.0, -0.1, 0.1, 1.0, 4.0]])
print("\n             x " + "".join(f"{v:>9.1f}" for v in x[0]))
for name, layer in activations.items():
    y, slope = value_and_slope(layer, x)
    print(f"  {name:<8}  y  " + "".join(f"{v:>9.4f}" for v in y[0]))
    print(f"  {'':<8}  y' " + "".join(f"{v:>9.4f}" for v in slope[0]))
fine = np.linspace(-6, 6, 2401)[None, :]
steepest = {name: value_and_slope(layer, fine)[1].max() for name, layer in activations.items()}
lesson.say(f"""The steepest slopes: sigmoid {steepest["Sigmoid"]:.4f}, tanh {steepest["Tanh"]:.4f}, ReLU
    {steepest["ReLU"]:.0f}.""")
assert np.isclose(steepest["Sigmoid"], 0.25) and np.isclose(steepest["Tanh"], 1) and steepest["ReLU"] == 1
lesson.show(
    plots.activations(list(activations.values()))[0], "activations",
    "Each function, solid, and its slope, dashed, on the same scales: sigmoid is the flattest of the three.",
)  # fmt: skip

# %% [markdown]
# ## A stack of them
#
# Going back through a stack of layers, a gradient is multiplied by the slope of each activation, and by weights.

# %%
lesson.ask(
    "Leave the weights aside. Five sigmoids, one after the other: by what is the gradient multiplied at most?",
    0.25**5,
    "Each slope is 1/4 at most, and (1/4)^5 = 1/1024.",
    slips={1.25: "The factors are multiplied, not added.", 0.05: "The factors are multiplied: not 1/4 divided by 5."},
)

# %% [markdown]
# Ten sigmoids, and next to nothing arrives at the first layers. ReLU lets the gradient through undiminished where it is
# on. The weights must have the right size, so that the numbers keep theirs from layer to layer: Xavier's rule, for tanh
# and sigmoid, draws them with the variance 2 / (inputs + outputs), and Kaiming's, for ReLU, with 2 / inputs. The lesson
# on initialization explains why.

# %%
DEPTH, WIDTH = 10, 64
rng = np.random.default_rng(0)
rows, t = rng.normal(size=(256, WIDTH)), rng.normal(size=(256, 10))
loss = MSE()


def sizes(activation, weight_init):
    """How large dW is in each layer, from the first to the last."""
    layers = []
    for _ in range(DEPTH):
        layers += [Affine(WIDTH, WIDTH, weight_init=weight_init), activation()]
    model = Sequential(*layers, Affine(WIDTH, 10), dtype="float64", seed=0)
    loss.forward(model.forward(rows), t)
    model.backward(loss.backward())
    return np.array([np.sqrt(np.mean(layer.dW**2)) for layer in model if isinstance(layer, Affine)])


stacks = {
    "sigmoid, Xavier": sizes(Sigmoid, "xavier_normal"),
    "tanh, Xavier": sizes(Tanh, "xavier_normal"),
    "ReLU, Kaiming": sizes(ReLU, "kaiming_normal"),
}
lesson.say(f"The size of dW (root mean square) in a stack of {DEPTH} hidden layers, at the start:")
print(f"  {'':<18}{'layer 1':>10}{'layer 5':>10}{'layer 10':>10}{'first / last':>14}")
for name, size in stacks.items():
    print(f"  {name:<18}{size[0]:>10.1e}{size[4]:>10.1e}{size[9]:>10.1e}{size[0] / size[9]:>14.1e}")
assert stacks["sigmoid, Xavier"][0] < 1e-4 * stacks["sigmoid, Xavier"][9] < stacks["ReLU, Kaiming"][0]
axes = Figure(figsize=(5.6, 3.6), layout="constrained").subplots()
for (name, size), style in zip(stacks.items(), ("s--", "^:", "o-")):
    axes.semilogy(range(1, DEPTH + 2), size, style, label=name)
axes.set(xlabel="layer", ylabel="size of dW", xticks=range(1, DEPTH + 2))
axes.legend(frameon=False)
lesson.show(
    axes, "vanishing",
    """The size of dW in each layer; the last, 11, is the output. With sigmoids it falls to a fifth from layer to layer
    on the way back, with tanh and with ReLU it changes little.""",
)  # fmt: skip

# %% [markdown]
# ## The price of ReLU
#
# A unit whose x is negative for every row of the data gives 0 for every row.

# %%
lesson.choose(
    "What does gradient descent do with the weights of such a unit?",
    {
        "it turns the unit on again, slowly": "A gradient would have to come back for that, and the slope is 0.",
        "it leaves them as they are": "The slope is 0 for every row, so the gradient is exactly 0.",
        "it makes them smaller": "That would take a gradient, and there is none.",
    },
    right="it leaves them as they are",
)

# %% [markdown]
# It is a *dead* unit. A large negative bias makes one.

# %%
model = Sequential(Affine(WIDTH, WIDTH), ReLU(), Affine(WIDTH, 10), dtype="float64", seed=0)
model[0].b[:16] = -100
loss.forward(model.forward(rows), t)
model.backward(loss.backward())
dead = (model[1].y == 0).all(axis=0)
silent = (model[0].dW == 0).all(axis=0)
lesson.say(f"""16 of {WIDTH} units with a bias of -100: {dead.sum()} are 0 for all {len(rows)} rows, and the weights of
    {silent.sum()} have a gradient of exactly 0.""")
assert (dead == silent).all() and dead.sum() == 16

# %% [markdown]
# ## Slips
#
# Two mistakes are common. In the first, the slope, which is a function of y, is computed from x. In the second, it is
# left out. With both, a network still learns something, but badly. A check finds them, and says what they are.


# %%
class OfTheInput(Sigmoid):
    def backward(self, dy):
        return dy * self.x * (1 - self.x)


class LeftOut(Tanh):
    def backward(self, dy):
        return dy


for layer in (OfTheInput(), LeftOut()):
    report = tinynn.check_layer(layer, rows[:7, :5])
    lesson.say(f"{report.where}: {report.code}. {report.why}")
    assert not report

# %%
model = Sequential(Affine(5, 4), Sigmoid(), Affine(4, 4), Tanh(), Affine(4, 4), ReLU(), Affine(4, 3), seed=0)
lesson.verdict(tinynn.check(model, rows[:7, :5], t[:7, :3], loss))
