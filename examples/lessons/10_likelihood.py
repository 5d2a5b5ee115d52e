# %% [markdown]
# # Losses as likelihoods
#
# The lecture names a loss for each task and leaves the reason to statistics. The reason is one idea: let the model say
# how probable each target is, and of all parameters take those that make what was seen most probable, the *maximum
# likelihood*. Rows are independent, so their probabilities are multiplied. A product of thousands of small numbers is 0
# on a computer; its logarithm is a sum. With a minus, since a loss is made small, and as a mean:
#
# $$L = -\frac{1}{N} \sum_n \log p(t_n \mid x_n)$$
#
# All losses of this lesson are this one. They differ in p alone.

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
# Only the square depends on m. For noise of one size, *whatever* its size, likelihood and squares are least for the
# same m.

# %%
t = rng.normal(2, 0.5, (200, 1))
guesses = np.linspace(1, 3, 401)
losses = {"MSE": MSE()} | {f"likelihood, v = {v:g}": GaussianNLL(variance=v) for v in (0.2, 0.5, 1)}
axes = Figure(figsize=(5.6, 3.4), layout="constrained").subplots()
lesson.say(f"""{len(t)} measurements of one quantity have the mean {t.mean():.4f}. The m with the least loss, of guesses
    that are {guesses[1] - guesses[0]:.3f} apart:""")
for (name, loss), style, colour in zip(losses.items(), ("-", "--", "-.", ":"), plots.COLOURS):
    values = np.array([loss(np.full_like(t, m), t) for m in guesses])
    best = guesses[values.argmin()]
    print(f"  {name:<20}  m = {best:.3f}")
    assert abs(best - t.mean()) <= 0.0025  # half of the distance between guesses
    axes.plot(guesses, values, style, color=colour, label=name)
    axes.plot(best, values.min(), "o", color=colour)
axes.set(xlabel="guess m", ylabel="loss")
axes.legend(frameon=False)
lesson.show(axes, "same_minimum")

# %% [markdown]
# The gradients differ by a factor, $1 / 2v$, and a factor belongs to the learning rate. A network that learns by
# squares with the rate $\eta$ takes the same *way* by likelihood with $2 v \eta$.

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
# A class is drawn as by a loaded die, with the probabilities $p = \mathrm{softmax}(y)$ (a *categorical* distribution).
# The probability of all the labels is the product of the $p_{t_n}$; minus its logarithm, by N, is the cross-entropy.

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
# Let the noise grow with x. Squares take all rows for equally sure. But v can be an output, too: the network gives m
# and $\log v$ (the logarithm, so that v > 0), and the loss is the same $-\log p$. Now $\log(2 \pi v)$ counts: a large v
# costs, and a small v costs more where m is wrong. The gradient of m is $(m - t) / v$ by N, so rows with little noise
# count more: weighted least squares, with weights that are learned.


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

lesson.say(f"""How many of {len(t_new):,} new rows lie within one standard deviation of the mean that was said, where
    68 % should; and the mean -log p of all of them, the lower the better:""")
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
lesson.show(axes, "learned_variance")

# %% [markdown]
# Is the gradient right, that of $\log v$ as well? The last layer has a column for each.

# %%
report = tinynn.check(model, x[:7], t[:7], GaussianNLL())
lesson.verdict(report)
assert report
