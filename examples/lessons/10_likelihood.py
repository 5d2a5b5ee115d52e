# %% [markdown]
# # Losses as likelihoods
#
# Numbers are learned by squared errors, classes by another loss, cross-entropy. Why by these? Both come from one idea:
# let the model say how probable each target is, and of all parameters take those that make what was seen most probable,
# the *maximum likelihood*. Rows are independent, so their probabilities are multiplied. A product of thousands of small
# numbers is 0 on a computer; its logarithm is a sum. With a minus sign, because a loss is made small, and as a mean
# over the rows, this is
#
# $$L = -\frac{1}{N} \sum_n \log p(t_n \mid x_n)$$
#
# All losses of this lesson are this formula. Only p differs.

# %%
import lesson
import numpy as np
from matplotlib.figure import Figure

import tinynn
from tinynn import MSE, SGD, Adam, Affine, GaussianNLL, Sequential, SoftmaxCrossEntropy, Tanh, plots

quick = lesson.start()
rng = np.random.default_rng(0)

# %% [markdown]
# ## Squares come from a Gaussian
#
# Say that a target is m, what the model predicts, plus Gaussian noise of variance v. Then
#
# $$-\log p(t) = \frac{(t - m)^2}{2 v} + \frac{1}{2} \log(2 \pi v) .$$
#
# Only the square depends on m. If the noise has the same size everywhere, likelihood and squares are least for the same
# m, *whatever* that size is.

# %%
t = rng.normal(2, 0.5, (200, 1))
mean, guesses = t.mean(), np.linspace(1, 3, 101)
losses = {"MSE": MSE()} | {f"likelihood, v = {v:g}": GaussianNLL(variance=v) for v in (0.2, 0.5, 1)}
lesson.say(f"""Here are {len(t)} measurements of one quantity, and the guess m is one number for all of them. At
    their mean, m = {mean:.4f}, and beside it the losses are:""")
print(f"  {'':<20}{'m - 0.1':>12}{'m':>12}{'m + 0.1':>12}{'slope at m':>14}")
axes = Figure(figsize=(5.6, 3.4), layout="constrained").subplots()
for (name, loss), style, colour in zip(losses.items(), ("-", "--", "-.", ":"), plots.COLOURS):
    beside = [loss(np.full_like(t, m), t) for m in (mean - 0.1, mean, mean + 0.1)]
    loss.forward(np.full_like(t, mean), t)
    slope = loss.backward().sum()
    print(f"  {name:<20}" + "".join(f"{value:>12.4f}" for value in beside) + f"{slope:>14.0e}")
    assert beside[1] < min(beside[0], beside[2]) and abs(slope) < 1e-14
    axes.plot(guesses, [loss(np.full_like(t, m), t) for m in guesses], style, color=colour, label=name)
axes.axvline(mean, color="0.5", linewidth=1)
axes.set(xlabel="guess m", ylabel="loss")
axes.legend(loc="upper center", framealpha=1)
lesson.show(
    axes, "same_minimum",
    """The loss of each guess m. Four losses of different height and width, and all of them are least at the mean of the
    measurements, the vertical line.""",
)  # fmt: skip

# %% [markdown]
# The gradients differ by a factor: that of the squares, $2 (m - t)$, is $2 v$ times that of the likelihood,
# $(m - t) / v$. Such a factor is the same as another learning rate.

# %%
lesson.ask(
    "A network learns by squares with the learning rate 0.1. Which rate gives the same steps by likelihood, v = 0.04?",
    2 * 0.04 * 0.1,
    "The gradient is 1 / (2 v) = 12.5 times as large, so the rate must be 2 v = 0.08 times as large.",
    slips={
        1.25: "The gradient is larger, so the rate must be smaller.",
        0.004: "The square's own factor, 2, is missing.",
    },
)

# %% [markdown]
# So a network that learns by squares with the rate $\eta$ takes the same *way* by likelihood with $2 v \eta$.

# %%
x = rng.uniform(-1, 1, (100, 1))
t, v, ends = np.sin(3 * x) + rng.normal(0, 0.1, x.shape), 0.01, []
for loss, lr in ((MSE(), 0.1), (GaussianNLL(variance=v), 2 * v * 0.1)):
    model = Sequential(Affine(1, 16), Tanh(), Affine(16, 1), backend="numpy", dtype="float64", seed=0)
    start = model.params.copy()
    model.fit(x, t, loss=loss, optimizer=SGD(model, lr), epochs=100, batch_size=20, seed=0, progress=False)
    ends.append(model.params.copy())
moved, apart = abs(ends[0] - start).max(), abs(ends[0] - ends[1]).max()
lesson.say(f"""A network of {start.size} parameters, {5 * 100} steps by squares and by likelihood: the parameters have
    moved by up to {moved:.2f}, and differ by up to {apart:.0e}.""")
assert apart < 1e-12 * moved

# %% [markdown]
# ## Cross-entropy comes from a die
#
# Now the target is a class: one of K labels. The model says how probable each of them is, as for a loaded die. It gives
# K numbers of any size and sign, *scores* y, and *softmax* makes probabilities of them, above 0 and with the sum 1:
#
# $$p_c = \frac{e^{y_c}}{\sum_k e^{y_k}}$$
#
# For row n the model says $p_{t_n}$, the probability of its label. For all labels that is a product, and minus its
# logarithm, divided by N, is the *cross-entropy*: $L = -\frac{1}{N} \sum_n \log p_{t_n}$.

# %%
lesson.ask(
    "Two rows. The model gives the label of the first the probability 1/2, that of the second 1/4. What is the "
    "cross-entropy?",
    (np.log(2) + np.log(4)) / 2,
    "(log 2 + log 4) / 2, with the natural logarithm.",
    slips={
        np.log(8): "That is the sum. The loss is a mean over rows.",
        -np.log(3 / 8): "That is -log of the mean; the loss is the mean of -log.",
        1.5: "That is with the logarithm to the base 2; log is the natural one.",
    },
)
lesson.ask(
    """Eight labels are 0, 2, 2, 1, 2, 0, 2, 2, and a model has no inputs to tell them apart. Which probability should
    it give to label 2?""",
    5 / 8,
    "What makes the labels most probable is the share in which they occur: 5 of 8.",
    slips={1 / 3: "It says so at the start. Then it learns that 2 is more frequent."},
)

# %%
labels, loss = np.array([0, 2, 2, 1, 2, 0, 2, 2]), SoftmaxCrossEntropy()
scores = rng.normal(size=(8, 3))
p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
product = p[np.arange(8), labels].prod()
lesson.say(f"""Eight labels, {labels}, have the probability {product:.3e} under random scores. -log of it, by 8:
    {-np.log(product) / 8:.6f}. The cross-entropy of the scores: {loss(scores, labels):.6f}.""")
assert np.isclose(-np.log(product) / 8, loss(scores, labels), rtol=1e-12)

die, nothing = Sequential(Affine(1, 3), backend="numpy", dtype="float64", seed=0), np.zeros((8, 1))  # only b can learn
die.fit(nothing, labels, loss=loss, optimizer=SGD(die, 1.0), epochs=500, batch_size=8, seed=0, progress=False)
p, shares = np.exp(die[0].b) / np.exp(die[0].b).sum(), np.bincount(labels) / 8
lesson.say(f"A model whose inputs say nothing learns p = {p.round(4)}: how often each class occurs, {shares}.")
assert np.allclose(p, shares, atol=1e-6)

# %% [markdown]
# ## A model that says how sure it is
#
# Let the noise grow with x. Squared errors treat all rows as equally certain. But v can be an output, too: the network
# gives m and $\log v$ (the logarithm, so that v > 0), and the loss is the same $-\log p$. Now $\log(2 \pi v)$ counts: a
# large v costs, and a small v costs more where m is wrong. The gradient of m is $(m - t) / v$, divided by N.

# %%
lesson.choose(
    "Which rows count more when m is learned: those with little noise, or those with much?",
    {
        "those with little noise": "They are divided by a small v: least squares with weights, which are learned.",
        "those with much noise": "Their error is larger, and it is divided by a larger v.",
        "all the same": "That would be squared errors alone. Here each row has its own v.",
    },
    right="those with little noise",
)


# %%
def noise(x):
    """The standard deviation of the noise at x: small on the left, large on the right."""
    return 0.02 + 0.2 * (x + 1)


x, x_new = rng.uniform(-1, 1, (1000, 1)), np.linspace(-1, 1, 2000)[:, None]
t, t_new = (np.sin(3 * x) + noise(x) * rng.normal(size=x.shape) for x in (x, x_new))
said = {}  # what each model says of the new rows: the mean and the standard deviation
for name, loss, outputs in (("squares", MSE(), 1), ("likelihood", GaussianNLL(), 2)):
    model = Sequential(Affine(1, 32), Tanh(), Affine(32, outputs), backend="numpy", dtype="float64", seed=0)
    epochs = 60 if quick else 300
    model.fit(x, t, loss=loss, optimizer=Adam(model, 0.01), epochs=epochs, batch_size=50, seed=0, progress=False)
    y = model.predict(x_new)
    v = np.exp(y[:, 1:]) if outputs == 2 else np.full_like(y, loss(model.predict(x), t))  # squares: one v for all
    said[name] = y[:, :1], np.sqrt(v)

lesson.say(f"""Of {len(t_new):,} new rows, half with little noise and half with much, 68 % should lie within one
    standard deviation of the mean that the model says. The last column is the mean of -log p: the lower, the better.
    (It may be below 0: for numbers p is a density, and a density may be above 1.)""")
print(f"  {'learned by':<14}{'little noise':>14}{'much noise':>14}{'-log p':>10}")
for name, (m, s) in (said | {"the truth": (np.sin(3 * x_new), noise(x_new))}).items():
    inside, value = abs(t_new - m) < s, GaussianNLL()(np.hstack([m, 2 * np.log(s)]), t_new)
    print(f"  {name:<14}{100 * inside[:1000].mean():>12.0f} %{100 * inside[1000:].mean():>12.0f} %{value:>10.3f}")
figure = Figure(figsize=(6.9, 3.2), layout="constrained")
for (name, (m, s)), axes in zip(said.items(), figure.subplots(1, 2, sharey=True)):
    axes.plot(x, t, ".", color=plots.GREY, markersize=2, label="data")
    axes.plot(x_new, m, color=plots.BLUE, label="mean m")
    axes.fill_between(x_new[:, 0], (m - 2 * s)[:, 0], (m + 2 * s)[:, 0], color=plots.SKY, alpha=0.5, label="m ± 2 sd")
    axes.set(title=f"by {name}", xlabel="x")
axes.legend(frameon=False, loc="upper left")
lesson.show(
    axes, "learned_variance",
    """What the two networks say: the mean m, and a band of two standard deviations (sd) on both sides of it. By squares
    the band is equally wide everywhere; by likelihood it is narrow where the dots are close, and widens with them.""",
)  # fmt: skip

# %% [markdown]
# Is the gradient right, that of $\log v$ as well? The last layer has a column for each.

# %%
report = tinynn.check(model, x[:7], t[:7], GaussianNLL())
lesson.verdict(report)
assert report
