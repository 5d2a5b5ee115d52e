# %% [markdown]
# # Batches
#
# On paper, the gradient is derived for one row at a time. A computer takes many rows at once, a *batch*. Where do the
# $1/N$ and the sum over rows in the formulas come from?

# %%
import lesson
import numpy as np
from matplotlib.figure import Figure

import tinynn
from tinynn import MSE, SGD, Affine, Sequential

quick = lesson.start()
rng = np.random.default_rng(0)
N, D, H = 6, 3, 2
x, t = rng.normal(size=(N, D)), rng.normal(size=(N, H))

# %% [markdown]
# ## The loss is a mean
#
# $L = \frac{1}{N} \sum_n L_n$, with $L_n$ the loss of row n alone. So its gradient is the mean of the rows' gradients:
# $\partial L / \partial W = \frac{1}{N} \sum_n \partial L_n / \partial W$.

# %%
lesson.ask(
    "Alone, one row has dL/dW = 4, and another has -1. What is dL/dW of the batch of the two?",
    1.5,
    "The loss is the mean of both losses, so the gradient is the mean of both gradients: (4 - 1) / 2.",
    slips={3: "That is their sum. The loss is a mean."},
)

# %%
model, loss = Sequential(Affine(D, H), backend="numpy", dtype="float64", seed=0), MSE()


def gradient(x, t):
    """The loss of these rows, and dW."""
    value = loss.forward(model.forward(x), t)
    model.backward(loss.backward())
    return value, model[0].dW.copy()


value, dW = gradient(x, t)
alone = [gradient(x[n : n + 1], t[n : n + 1]) for n in range(N)]
lesson.say(f"The loss of all {N} rows, and dL/dW[0,0]; below, row by row:")
print(f"  all rows    loss {value:8.4f}    dW[0,0] {dW[0, 0]:8.4f}")
for n, (row_value, row_dW) in enumerate(alone):
    print(f"  row {n}       loss {row_value:8.4f}    dW[0,0] {row_dW[0, 0]:8.4f}")
means = np.mean([v for v, _ in alone]), np.mean([g for _, g in alone], axis=0)
print(f"  their mean  loss {means[0]:8.4f}    dW[0,0] {means[1][0, 0]:8.4f}")
assert np.isclose(value, means[0]) and np.allclose(dW, means[1])

# %% [markdown]
# ## Where the 1/N stands
#
# It comes from the loss, and the loss alone: $dy_n = \frac{1}{N} \partial L_n / \partial y_n$. The layers know nothing
# of it. W is used once in every row, so its gradient is a plain *sum* over rows,
# $\partial L / \partial W_{ij} = \sum_n x_{ni}\, dy_{nj}$, that is $x^T dy$; a bias is a weight whose input is always
# 1, so $\partial L / \partial b_j = \sum_n dy_{nj}$. Numbers of different rows never meet.

# %%
loss.forward(model.forward(x), t)
dy = loss.backward()
outer = [np.outer(x[n], dy[n]) for n in range(N)]
lesson.say(f"""dy of a row in the batch is 1/{N} of what it is alone. $x^T dy$, {x.T.shape} times {dy.shape}, is the sum
    of {N} outer products, one for each row:""")
terms = " ".join(f"{term[0, 0]:+.4f}" for term in outer)
print(f"  dW[0,0] = {terms} = {sum(outer)[0, 0]:.4f}")
print(f"  db[0]   = {' '.join(f'{d:+.4f}' for d in dy[:, 0])} = {dy[:, 0].sum():.4f}")
assert np.allclose(x.T @ dy, sum(outer)) and np.allclose(x.T @ dy, dW)

# %% [markdown]
# Suppose that someone has learned that the gradient is a mean over rows, and writes that into the layer.

# %%
lesson.choose(
    "The loss is a mean already, and a layer computes db = dy.mean(axis=0). In a batch of N rows its db is ...",
    {
        "right: the gradient is a mean": "It is, and dy has the 1/N in it. The layer divides a second time.",
        "too small, by the factor N": "The 1/N is in dy; the layer has only to add up the rows, and divides again.",
        "too large, by the factor N": "The layer divides once too often: that makes numbers smaller.",
    },
    right="too small, by the factor N",
)

# %% [markdown]
# `check` finds such a layer, and says what it does.


# %%
class Twice(Affine):
    def backward(self, dy):
        self.dW = self.x.T @ dy / len(dy)
        self.db = dy.sum(axis=0) / len(dy)
        return dy @ self.W.T


report = tinynn.check(Sequential(Affine(D, 4), Twice(4, H), seed=0), x, t, loss)
lesson.say(f"{report.code}, in {report.where}: {report.why}")
assert report.code == "divided-by-n"

# %% [markdown]
# ## Why batches at all
#
# The gradient of a batch is an estimate of the gradient of all rows. Its error falls with the root of the batch's size:
# four times the work for twice the precision. So a small batch is good value, as long as it is large enough to keep the
# computer busy.
#
# The data below are pictures of handwritten digits, MNIST: 784 pixels each. The target is a row of ten numbers, 1 at
# the digit and 0 elsewhere, and the model is affine.

# %%
lesson.ask(
    "By that rule: the gradient of 16 rows has an error of 0.8. How many rows does an error of 0.2 need?",
    256,
    "A quarter of the error takes 4 * 4 = 16 times the rows.",
    slips={64: "Four times the rows halve the error: it is 0.4 then."},
)

# %%
(x, labels), _ = tinynn.datasets.load_mnist()
whole_size = 1024 if quick else 4096
x, t = x[:whole_size].astype("float64"), np.eye(10)[labels[:whole_size]]
model = Sequential(Affine(784, 10), backend="numpy", dtype="float64", seed=0)
whole = gradient(x, t)[1]
sizes, errors = (1, 4, 16, 64, 256), []
for size in sizes:
    found = []
    for _ in range(4 if quick else 16):
        rows = rng.choice(len(x), size, replace=False)
        found.append(np.linalg.norm(gradient(x[rows], t[rows])[1] - whole) / np.linalg.norm(whole))
    errors.append(np.mean(found))
lesson.say(f"""How far a batch's gradient is from the gradient g of all {len(x):,} rows, divided by the length of g.
    Times the root of the batch's size, it is nearly the same for all sizes:""")
for size, error in zip(sizes, errors):
    print(f"  {size:>5} rows   {error:7.3f}   times the root of {size:<5}{error * np.sqrt(size):6.2f}")
axes = Figure(figsize=(5.6, 3.6), layout="constrained").subplots()
axes.loglog(sizes, errors, "o-", label="measured")
axes.loglog(sizes, errors[0] / np.sqrt(sizes), "--", color="0.5", label="1 / root of the size")
axes.set(xlabel="rows in the batch", ylabel="error of the gradient (relative)")
axes.set_xticks(sizes, sizes)
axes.set_yticks([0.2, 0.5, 1, 2], [0.2, 0.5, 1, 2])
axes.minorticks_off()
axes.legend(frameon=False)
lesson.show(
    axes, "batches",
    """The same as a picture: the error of a batch's gradient, as a share of the length of the gradient of all rows. On
    these logarithmic scales the rule is a straight line, dashed. Each dot is the mean of a few batches.""",
)  # fmt: skip

# %% [markdown]
# ## An epoch
#
# An *epoch* uses all rows once, in a new random order. `fit` runs epochs: for each batch forward, loss, backward and a
# step. With smaller batches an epoch has more steps, each less exact.

# %%
lesson.ask(
    "1,000 rows in batches of 64: how many steps has an epoch?",
    16,
    "15 batches of 64 are 960 rows; the last batch has the 40 that are left.",
    slips={15: "40 rows are left after 15 batches. They make a smaller one.", 15.625: "There is no part of a step."},
)

# %%
lesson.say("One epoch over the same rows, by batches of different sizes (lr 0.02):")
for size in (16, 256, whole_size):
    fresh = Sequential(Affine(784, 10), backend="numpy", dtype="float64", seed=0)
    fresh.fit(x, t, loss=loss, optimizer=SGD(fresh, 0.02), batch_size=size, seed=0, progress=False)
    print(f"  batches of {size:>5}, {-(-len(x) // size):>4} in all: the loss is {loss(fresh(x), t):.4f} after them")

# %%
lesson.verdict(tinynn.check(fresh, x[:7], t[:7], loss))
