# %% [markdown]
# # Two affine maps are one
#
# Why does a network need anything but affine maps? Because any number of them, one after the other, is a single one.
# And a single one cannot do what four points ask for: XOR.

# %%
import lesson
import numpy as np

import tinynn
from tinynn import MSE, Adam, Affine, Sequential, Sigmoid, Tanh, plots

quick = lesson.start()

# %% [markdown]
# ## The algebra
#
# Take the output of one affine map as the input of another:
#
# $$(x W_1 + b_1) W_2 + b_2 = x (W_1 W_2) + (b_1 W_2 + b_2)$$
#
# That is an affine map again. A layer between input and output, a *hidden* layer, adds parameters, but nothing that
# could not be said without it.

# %%
lesson.ask(
    "A map from 3 numbers to 50 and one from there to 2 have 3 * 50 + 50 + 50 * 2 + 2 = 302 parameters. How many has "
    "the single affine map that does the same?",
    8,
    "3 * 2 weights and 2 biases.",
    slips={6: "These are its weights; it has biases, too."},
)

# %%
deep = Sequential(Affine(3, 50), Affine(50, 2, bias_init="normal"), backend="numpy", dtype="float64", seed=0)
W, b = deep[0].W @ deep[1].W, deep[0].b @ deep[1].W + deep[1].b
x = np.random.default_rng(0).normal(size=(1000, 3))
difference = np.abs(deep(x) - (x @ W + b)).max()
lesson.say(f"""Two layers with {deep.params.size} parameters against one with {W.size + b.size}: on {len(x)} random rows
    they differ by {difference:.0e} at most. That is rounding.""")
assert difference < 1e-12

# %% [markdown]
# ## XOR
#
# Four points; the answer is 1 where exactly one of the inputs is 1, and 0 where both are equal.

# %%
lesson.ask(
    "Someone answers 1/2 for all four points. What is the mean squared error?",
    0.25,
    "Each error is 1/2 in size, and its square 1/4.",
    slips={0.5: "That is the size of each error; the loss is the mean of their squares.", 1: "That is the sum."},
)

# %%
x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
t = np.array([[0], [1], [1], [0]], dtype=float)
loss = MSE()
X = np.hstack([x, np.ones((4, 1))])
best = np.linalg.lstsq(X, t)[0]
value = loss(X @ best, t)
answers = ", ".join(f"{y:.3f}" for y in (X @ best).ravel())
lesson.say(f"""The best affine answer, by the closed form: weights {abs(best[0, 0]):.3f} and {abs(best[1, 0]):.3f}, bias
    {best[2, 0]:.3f}. It says {answers}: 1/2 whatever is asked, with the loss {value:.4f}.""")
assert np.allclose(X @ best, 0.5) and np.isclose(value, 0.25)

# %% [markdown]
# Why no affine map can do better: whatever it is, $y(0,0) + y(1,1) = y(0,1) + y(1,0)$, for both sums are
# $W_1 + W_2 + 2 b$. The targets have the sums 0 and 2. So $e(0,0) - e(0,1) - e(1,0) + e(1,1)$, where e is the error
# $y - t$ at a point, is always 2, and the four errors with the smallest squares that give it are 1/2 in size.

# %%
rng = np.random.default_rng(1)
sums = []
for _ in range(1000):
    y = X @ rng.normal(0, 10, (3, 1))
    sums.append(float((y - t).ravel() @ [1, -1, -1, 1]))
lesson.say(f"""1,000 random affine maps: that sum of their errors is {min(sums):.6f} to {max(sums):.6f}. With
    four errors of 1/2 the loss is (4 times 1/4) / 4 = {4 * 0.25 / 4}.""")
assert np.allclose(sums, 2)

# %% [markdown]
# Now a network with 8 hidden units, trained by Adam.

# %%
lesson.choose(
    "Two affine maps, 2-8-1, are trained on XOR for very long. The loss goes towards ...",
    {
        "0": "Two affine maps are one, and no affine map is right for all four points.",
        "something below 1/4": "Two affine maps are one, and its loss is 1/4 at least.",
        "1/4": "Two affine maps are one, so the best that they can say is 1/2, always.",
    },
    right="1/4",
)


# %%
def train(*layers, steps=300 if quick else 2000):
    """A network on XOR, by Adam, all four points in each step: the network and its loss."""
    model = Sequential(*layers, dtype="float64", seed=5)
    optimizer = Adam(model, lr=0.05)
    for _ in range(steps):
        loss.forward(model.forward(x), t)
        model.backward(loss.backward())
        optimizer.step()
    return model, loss(model(x), t)


flat, flat_loss = train(Affine(2, 8), Affine(8, 1))
lesson.say(f"2-8-1, two affine maps, trained: loss {flat_loss:.4f}, answers {np.round(flat(x).ravel(), 3)}.")
assert flat_loss > 0.2499

# %% [markdown]
# ## A bend
#
# Put a function between the two that is no straight line, an *activation*: $\tanh(x)$, say, which is level on both
# sides and goes from -1 to 1. Then the hidden layer can move the four points to where a line does separate them.
# Another one, the sigmoid $1 / (1 + e^{-x})$, keeps the answer between 0 and 1. (The next lesson is about them.)

# %%
bent, bent_loss = train(Affine(2, 2), Tanh(), Affine(2, 1), Sigmoid())
lesson.say(f"2-2-1 with tanh, trained: loss {bent_loss:.1e}, answers {np.round(bent(x).ravel(), 3)}.")
assert bent_loss < (0.05 if quick else 1e-3)
lesson.show(
    plots.decision_boundary(bent, x, t), "boundary",
    """What the network says at every place of the plane. On the black lines it says 1/2. There are two of them, one for
    each hidden unit, and between them lie the points with the target 0.""",
)  # fmt: skip
hidden = bent[1](bent[0](x))
lesson.say("Where the hidden layer puts the four points:")
for point, place, target in zip(x, hidden, t):
    print(f"  {point} -> [{place[0]:6.3f} {place[1]:6.3f}]   target {target[0]:g}")
H = np.hstack([hidden, np.ones((4, 1))])
there = loss(H @ np.linalg.lstsq(H, t)[0], t)
lesson.say(f"There the best affine answer has the loss {there:.4f}; in the plane it was {value:.4f}.")
assert there < 0.1

# %%
lesson.verdict(tinynn.check(bent, x, t, loss))
