# %% [markdown]
# # Batch normalization
#
# How large the numbers in a network are depends on the weights, and the weights change with every step. Batch
# normalization gives each feature mean 0 and variance 1, over the rows of the batch, whatever came before. Its formula
# is short; its gradient is the longest that we derive in this course.

# %%
from functools import partial

import lesson
import numpy as np
from matplotlib.figure import Figure

import tinynn
from tinynn import SGD, Affine, BatchNorm, ReLU, Sequential, SoftmaxCrossEntropy, initializers, minibatches

quick = lesson.start()
rng = np.random.default_rng(0)
loss = SoftmaxCrossEntropy()

# %% [markdown]
# ## Forward
#
# Take one feature, a column of N numbers $x_n$. With its mean m and its variance v over the batch,
#
# $$m = \frac{1}{N} \sum_n x_n, \qquad v = \frac{1}{N} \sum_n (x_n - m)^2, \qquad s = \sqrt{v + \epsilon} ,$$
#
# $$z_n = \frac{x_n - m}{s}, \qquad y_n = g z_n + b .$$
#
# The small $\epsilon$ keeps a feature that never changes from being divided by 0. g and b are learned, and start as 1
# and 0: where another mean or another spread is better, the layer can learn it.

# %%
lesson.ask(
    "The batch is 2, 2, 6, 6, with g = 1 and b = 0. What is y for the last row?",
    1,
    "The mean is 4, the variance 4, and (6 - 4) / 2 = 1.",
    within=0.01,
    slips={0.5: "The division is by the standard deviation, 2, not by the variance, 4."},
)

# %%
y = BatchNorm(1).forward(np.array([[2.0], [2.0], [6.0], [6.0]]))
lesson.say(f"y = {y[:, 0].round(4).tolist()}, with the mean {y.mean():.4f} and the variance {y.var():.4f}.")
assert np.allclose(y[:, 0], [-1, -1, 1, 1], atol=1e-5)

# %% [markdown]
# ## Backward, in steps
#
# The last step comes first: $y_n = g z_n + b$, so $dg = \sum_n dy_n z_n$, $db = \sum_n dy_n$ and $dz_n = g\, dy_n$.
# From z back to x there are three ways, because x also changes the mean and the variance.
#
# *Directly:* $dz_n / s$.
#
# *Through the variance:* $z_n = (x_n - m)\, (v + \epsilon)^{-1/2}$, so
#
# $$dv = -\frac{1}{2 s^3} \sum_n dz_n (x_n - m) = -\frac{1}{2 s^2} \sum_n dz_n z_n ,$$
#
# and v changes with $x_n$ by $\frac{2}{N} (x_n - m)$.
#
# *Through the mean:* $dm = -\frac{1}{s} \sum_n dz_n$, and m changes with $x_n$ by $\frac{1}{N}$. (The variance depends
# on m, too. But its derivative with respect to m is $-\frac{2}{N} \sum_n (x_n - m)$, which is 0.)
#
# Together, with $x_n - m = s z_n$:
#
# $$dx_n = \frac{1}{s} \left( dz_n - \frac{1}{N} \sum_k dz_k - z_n \frac{1}{N} \sum_k dz_k z_k \right) .$$

# %%
N, eps = 6, 1e-5
x, dy = rng.normal(3, 2, (N, 4)), rng.normal(size=(N, 4))
layer = BatchNorm(4)
layer.g, layer.b = rng.normal(size=4), rng.normal(size=4)
layer.forward(x)
dx = layer.backward(dy)

m, v = x.mean(axis=0), x.var(axis=0)
s = np.sqrt(v + eps)
z, dz = (x - m) / s, layer.g * dy
dv, dm = -(dz * z).sum(axis=0) / (2 * s**2), -dz.sum(axis=0) / s
in_steps = dz / s + dv * 2 / N * (x - m) + dm / N
at_once = (dz - dz.mean(axis=0) - z * (dz * z).mean(axis=0)) / s
lesson.say("dx of the first feature, on three ways added up, by the formula at once, and by tinynn:")
for name, values in (("in steps", in_steps), ("at once", at_once), ("tinynn", dx)):
    print(f"  {name:<10}" + "".join(f"{value:>11.7f}" for value in values[:, 0]))
    assert np.allclose(values, dx, rtol=1e-12)
assert np.allclose(layer.dg, (dy * z).sum(axis=0)) and np.allclose(layer.db, dy.sum(axis=0))

# %%
lesson.ask(
    "All rows of x grow by 5. By how much does the loss change?",
    0,
    "The mean grows by 5 as well, and x - m stays. So the sum of dx over the rows must be 0.",
    within=1e-9,
)

# %%
lesson.say(f"""The sum of dx over the rows: {(dx.sum(axis=0).round(12) + 0.0).tolist()}. The formula takes the mean of
    dz off. In the same way y does not change (but for $\\epsilon$) if all distances from the mean grow by one factor;
    so the formula takes off the part of dz along z.""")
assert np.allclose(dx.sum(axis=0), 0, atol=1e-12) and np.allclose((dx * z).sum(axis=0), 0, atol=1e-4)

# %% [markdown]
# ## Training and use
#
# In training, the result for one row depends on the other rows of its batch. In use that must not be: the answer
# for one digit should not depend on the other digits of a batch. So the layer keeps *running* means of m and v,
# $\text{mean} \leftarrow 0.9\, \text{mean} + 0.1\, m$ with each batch, and in use it takes these.

# %%
lesson.ask(
    "The running mean starts at 0, and every batch has the mean 3. What is it after two batches?",
    0.57,
    "0.9 * 0 + 0.1 * 3 = 0.3, then 0.9 * 0.3 + 0.1 * 3 = 0.57.",
    slips={0.3: "That is after the first.", 3: "It comes there slowly: a share of $0.9^k$ of its start is left."},
)

# %%
layer, batches = BatchNorm(1), rng.normal(3, 2, (60, 50, 1))
print("\n  batches    running mean   running variance   (of the data: mean 3, variance 4)")
for k, batch in enumerate(batches, 1):
    layer.forward(batch)
    if k in (1, 2, 10, 60):
        print(f"  {k:>7}   {layer.mean[0]:>15.3f}{layer.var[0]:>19.3f}")
row = np.array([[5.0]])
company = [layer.forward(np.vstack([row, others]))[0, 0] for others in batches[:2]]
used = [layer(np.vstack([row, others]))[0, 0] for others in batches[:2]]
lesson.say(f"""A row with x = 5 in two batches: in training its y is {company[0]:.4f} and {company[1]:.4f}, in use
    {used[0]:.4f} and {used[1]:.4f}.""")
assert company[0] != company[1] and used[0] == used[1]
assert abs(layer.mean[0] - 3) < 0.3 and abs(layer.var[0] - 4) < 0.8

# %% [markdown]
# ## The scale of the weights
#
# An affine layer stands before a batch normalization, and all its weights become a times as large. Then x, m and s
# become a times as large, and z stays. So the loss does not change (but for $\epsilon$): $L(a W) = L(W)$. The
# derivatives of both sides with respect to W must be equal, too, and on the left the chain rule gives a factor a. With
# G, the gradient dL/dW: $a\, G(a W) = G(W)$.

# %%
lesson.ask(
    "The weights before a BatchNorm are made 10 times as large. By which factor does the gradient dL/dW change?",
    0.1,
    "$a\\, G(a W) = G(W)$, so with a = 10 the gradient is a tenth.",
    slips={10: "The other way round: $a\\, G(a W) = G(W)$.", 1: "The loss stays. Its gradient does not."},
)

# %%
(x, t), _ = tinynn.datasets.load_mnist()
x = x[:3000].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)  # 4 pixels become one
x, t = (x - x.mean()) / x.std(), t[:3000]


def network(scale, *normalization):
    """Six hidden layers, whose first weights are `scale` times as large as Kaiming's."""
    layers = []
    for D in (196, 64, 64, 64, 64, 64):
        weight_init = partial(initializers.normal, std=scale * np.sqrt(2 / D))
        layers += [Affine(D, 64, weight_init=weight_init), *(cls(64) for cls in normalization), ReLU()]
    return Sequential(*layers, Affine(64, 10, weight_init="xavier_normal"), backend="numpy", seed=0)


found = []
for scale in (1, 10):
    model = network(scale, BatchNorm)
    value = loss.forward(model.forward(x[:50]), t[:50])
    model.backward(loss.backward())
    found.append((value, model[3].dW))
lesson.say(f"""Six hidden layers with BatchNorm: the loss is {found[0][0]:.5f}, and with all their weights 10 times as
    large {found[1][0]:.5f}; the gradient of the second layer is smaller by a factor of
    {np.linalg.norm(found[0][1]) / np.linalg.norm(found[1][1]):.3f}.""")
assert np.isclose(found[0][0], found[1][0], rtol=1e-3) and np.allclose(found[0][1], 10 * found[1][1], atol=1e-3)

# %% [markdown]
# ## Learning with a bad scale
#
# The same network learns 1,000 digits, with and without BatchNorm, from weights of three scales, with three learning
# rates.

# %%
np.seterr(all="ignore")  # without BatchNorm and with large weights, numbers overflow


def learn(model, lr):
    """The loss of each step, and how many percent of 2,000 other digits are right."""
    optimizer, losses = SGD(model, lr), []
    for epoch in range(3 if quick else 5):
        for rows, labels in minibatches(x[:1000], t[:1000], 50, seed=epoch):
            losses.append(loss.forward(model.forward(rows), labels))
            if not np.isfinite(losses[-1]):
                return losses, 0.0
            model.backward(loss.backward())
            optimizer.step()
    return losses, 100 * np.mean(model(x[1000:]).argmax(axis=1) == t[1000:])


axes, right = Figure(figsize=(7.6, 3.2), layout="constrained").subplots(1, 2, sharey=True), {}
lesson.say("How many of 2,000 other digits are right, in percent; 0 where numbers overflowed:")
print(f"  {'weights':<16}{'without BatchNorm':>27}{'with BatchNorm':>27}")
print(f"  {'':<16}" + f"{'lr 0.01':>11}{'lr 0.1':>8}{'lr 1':>8}" * 2)
for scale, style in ((0.1, ":"), (1, "-"), (10, "--")):
    for k, normalization in enumerate(((), (BatchNorm,))):
        for lr in (0.01, 0.1, 1.0):
            losses, right[scale, k, lr] = learn(network(scale, *normalization), lr)
            if lr == 0.1:
                axes[k].semilogy(losses, style, label=f"{scale:g} x Kaiming")
    cells = [f"{right[scale, k, lr]:>{11 if lr < 0.1 else 8}.1f}" for k in (0, 1) for lr in (0.01, 0.1, 1.0)]
    print(f"  {scale:>4g} x Kaiming  " + "".join(cells))
axes[0].set(title="without BatchNorm, lr 0.1", xlabel="step", ylabel="loss", ylim=(0.1, 5))
axes[1].set(title="with BatchNorm, lr 0.1", xlabel="step")
axes[0].set_yticks([0.1, 0.2, 0.5, 1, 2, 5], [0.1, 0.2, 0.5, 1, 2, 5])
axes[0].minorticks_off()
axes[1].legend(frameon=False)
lesson.show(
    axes[0], "scales",
    """The loss of each step. Left, without BatchNorm: small weights (dotted) do not learn at all, and with large ones
    the loss is above the picture from the first step. Right, with BatchNorm: all three begin with the same loss and
    learn; large weights (dashed) learn slowly.""",
)  # fmt: skip
assert max(right[0.1, 0, lr] for lr in (0.01, 0.1, 1)) < 20 and max(right[10, 0, lr] for lr in (0.01, 0.1, 1)) < 20
assert (
    min(right[0.1, 1, 0.1], right[1, 1, 0.1]) > 65 and right[10, 1, 0.1] > 20 and right[1, 1, 0.01] < right[1, 0, 0.01]
)

# %% [markdown]
# BatchNorm saves the bad scales. It has its own rules, though. Weights that are 10 times as large get a gradient of a
# tenth, so a step changes them by a hundredth of what it changes the others by, in proportion: they learn slowly, as
# with a smaller learning rate. And where the scale was right, it is no gain here: with lr 0.01 it learns more slowly
# than without. What it gives is that more learning rates and more scales work.
#
# In the check below, db of the affine layer before the BatchNorm stands out. Its true value is 0: a bias there moves
# all rows alike, and is taken off again. What is compared is two roundings of 0, of which no digit means anything.

# %%
model = Sequential(Affine(5, 4), BatchNorm(4), ReLU(), Affine(4, 3), seed=0)
lesson.verdict(tinynn.check(model, rng.normal(size=(7, 5)), rng.integers(0, 3, 7), loss))
assert abs(model[0].db).max() < 1e-6
