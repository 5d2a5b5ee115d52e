# %% [markdown]
# # Yes or no: binary classification
#
# Is this digit a 5, or is it a 3? Is this message spam? A question with the answers yes and no needs one output. This
# lesson derives its loss from the likelihood, as we did for many classes, and shows why it is not the mean squared
# error.

# %%
import lesson
import numpy as np
from matplotlib.figure import Figure

import tinynn
from tinynn import MSE, SGD, Affine, BinaryCrossEntropy, Sequential, Sigmoid, SoftmaxCrossEntropy, plots

quick = lesson.start()
rng = np.random.default_rng(0)

# %% [markdown]
# ## From a score to a probability
#
# The output y of an affine map can be any number; a probability p of yes lies between 0 and 1. The *odds* $p / (1 - p)$
# can be any number above 0, and their logarithm can be any number. So let y be the logarithm of the odds, which is
# called the logit. Solved for p, this is the sigmoid:
#
# $$y = \log \frac{p}{1 - p} \quad \text{gives} \quad p = \frac{1}{1 + e^{-y}} = \sigma(y) .$$

# %%
lesson.ask(
    "The model is to say yes with the probability p = 0.9. Which logit y must it give?",
    np.log(9),
    "The odds are 0.9 / 0.1 = 9, and log 9 = 2.197.",
    slips={9: "These are the odds; the logit is their logarithm.", np.log(0.9): "That is log p, not log(p / (1 - p))."},
)

# %% [markdown]
# ## The loss is a likelihood
#
# Let t be 1 for yes and 0 for no. The model gives a yes the probability p and a no the probability 1 - p, which is
# written in one formula as $p^t (1 - p)^{1 - t}$ (the *Bernoulli* distribution, a coin with two unequal sides). Minus
# its logarithm is the binary cross-entropy:
#
# $$L = -t \log p - (1 - t) \log(1 - p) .$$
#
# Its gradient with respect to y takes two steps of the chain rule. First $L$ with respect to p, then p with respect to
# y, and the sigmoid has the derivative $p\, (1 - p)$:
#
# $$\frac{\partial L}{\partial p} = -\frac{t}{p} + \frac{1 - t}{1 - p} = \frac{p - t}{p\, (1 - p)} ,$$
#
# $$\frac{\partial L}{\partial y} = \frac{p - t}{p\, (1 - p)} \cdot p\, (1 - p) = p - t .$$
#
# What was said, minus what was right: the same as for softmax.

# %%
lesson.ask(
    "y = 0 and t = 1. What is the gradient of the loss with respect to y?",
    -0.5,
    "p = 1/2, and p - t = -1/2: y should grow.",
    slips={0.5: "The sign: it is p - t, not t - p.", 0: "y is 0, but p is 1/2."},
)

# %%
loss = BinaryCrossEntropy()
y, t = np.array([[0.0], [2.0], [-3.0]]), np.array([[1.0], [1.0], [0.0]])
value, p = loss.forward(y, t), 1 / (1 + np.exp(-y))
in_two_steps = (p - t) / (p * (1 - p)) * (p * (1 - p))
print(f"\n  {'logit y':>9}{'target t':>10}{'p':>10}{'loss':>10}{'p - t':>10}{'dy of tinynn, times N':>25}")
for n in range(3):
    row = p[n, 0], loss(y[n : n + 1], t[n : n + 1]), (p - t)[n, 0]
    print(
        f"  {y[n, 0]:>9g}{t[n, 0]:>10g}" + "".join(f"{v:>10.4f}" for v in row) + f"{3 * loss.backward()[n, 0]:>25.4f}"
    )
assert np.allclose(loss.backward(), in_two_steps / 3) and np.isclose(value, -np.log([p[0], p[1], 1 - p[2]]).mean())

# %% [markdown]
# ## Why not the mean squared error?
#
# $(p - t)^2$ is also 0 where the answer is right. By the same two steps its gradient is
# $2\, (p - t) \cdot p\, (1 - p)$: the factor $p\, (1 - p)$ is not cancelled. Where the model is sure and wrong, p is
# near 0 or 1, the factor is near 0, and the largest mistakes give the smallest gradients.

# %%
p = 1 / (1 + np.exp(5))

# %%
lesson.ask(
    f"t = 1, y = -5, so p = {p:.4f}. How many times larger is the gradient of the cross-entropy than that of the MSE?",
    1 / (2 * p * (1 - p)),
    f"$1 / (2\\, p\\, (1 - p))$ = {1 / (2 * p * (1 - p)):.1f}; the factor p - t is in both.",
    slips={1 / (p * (1 - p)): "The 2 of the square is missing."},
)

# %%
scores = np.linspace(-8, 4, 241)[:, None]
p = 1 / (1 + np.exp(-scores))
axes = Figure(figsize=(7.6, 3.2), layout="constrained").subplots(1, 2)
losses, gradients = (-np.log(p), (1 - p) ** 2), (p - 1, 2 * (p - 1) * p * (1 - p))
for k, (name, (entropy, squares)) in enumerate((("loss", losses), ("gradient", gradients))):
    axes[k].plot(scores, entropy, color=plots.BLUE, label="cross-entropy")
    axes[k].plot(scores, squares, "--", color=plots.VERMILLION, label="MSE of the sigmoid")
    axes[k].set(xlabel="logit y (the answer is yes)", ylabel=name)
axes[0].legend(frameon=False)
lesson.show(
    axes[0], "two_losses",
    """The right answer is yes. The further left, the more wrong the model is. The cross-entropy (solid) goes on rising
    with a slope of almost -1. The mean squared error (dashed) is level there: its gradient is almost 0, and the model
    does not learn that it is wrong.""",
)  # fmt: skip


def steps_back(gradient, y=-8.0):
    """How many steps with a learning rate of 1 take a logit from -8 to above 0, where the answer is yes."""
    steps = 0
    while y < 0:
        y -= gradient(1 / (1 + np.exp(-y)))
        steps += 1
    return steps


by_entropy, by_squares = steps_back(lambda p: p - 1), steps_back(lambda p: 2 * (p - 1) * p * (1 - p))
lesson.say(f"""From y = -8, with a learning rate of 1, cross-entropy is back at y = 0 after {by_entropy} steps, the mean
    squared error after {by_squares:,}.""")
assert by_entropy < 15 and by_squares > 1000

# %% [markdown]
# ## Threes and fives
#
# One affine map from 784 pixels to one logit; this is called logistic regression. It starts once with weights of 0, so
# that all p are 1/2, and once with random weights so large that most p are near 0 or 1.

# %%
data = []
for x, labels in tinynn.datasets.load_mnist():
    keep = np.isin(labels, (3, 5))
    data += [x[keep][:2000], (labels[keep] == 5).astype("float32")[:2000, None]]
x, t, x_test, t_test = data


def learn(loss, std, *last):
    """The model, and how many of the test's answers are right."""
    first = Affine(784, 1, weight_init=lambda shape, rng: rng.normal(0, std, shape))
    model, epochs = Sequential(first, *last, backend="numpy", seed=0), 5 if quick else 20
    model.fit(x, t, loss=loss, optimizer=SGD(model, 0.1), epochs=epochs, batch_size=50, seed=0, progress=False)
    yes = model(x_test) > (0.5 if last else 0)
    return model, 100 * np.mean(yes == (t_test == 1))


lesson.say(f"Trained on {len(x):,} threes and fives. How many of {len(x_test):,} others are right:")
print(f"  {'weights at the start':<24}{'cross-entropy':>15}{'MSE':>10}")
right = []
for name, std in (("0", 0), ("random, std 3", 3)):
    (model, by_entropy), (_, by_squares) = learn(loss, std), learn(MSE(), std, Sigmoid())
    right.append((model, by_entropy, by_squares))
    print(f"  {name:<24}{by_entropy:>13.1f} %{by_squares:>8.1f} %")
assert min(right[0][1:]) > 92 and right[1][1] > 70 > 60 > right[1][2]

# %% [markdown]
# From a good start both learn, and nearly the same: there few rows are sure and wrong. From a bad start the mean
# squared error stays where it is, and the cross-entropy comes back.

# %%
W = right[0][0][0].W.reshape(28, 28)
axes = Figure(figsize=(4.2, 3.6), layout="constrained").subplots()
image = axes.imshow(W, cmap="RdBu", vmin=-abs(W).max(), vmax=abs(W).max())
axes.figure.colorbar(image, label="weight")
axes.set(xticks=[], yticks=[])
lesson.show(
    axes, "weights",
    """The 784 weights as an image, learned from 0 by cross-entropy. Ink on blue speaks for a 5, ink on red for a 3.
    In the upper half, a 5 has its stroke on the left, where it is blue, and a 3 on the right, where it is red.""",
)  # fmt: skip

# %% [markdown]
# ## Sure of something, in 7 digits
#
# Why does tinynn's loss take the logit y, and not p? In float32 a number has about 7 digits, and next to 1 the distance
# to the next number below is $6 \cdot 10^{-8}$. From y = 17 on p is rounded to 1. Then 1 - p is 0.

# %%
lesson.choose(
    "In float32, y = 20 and t = 0, and the loss is computed as $-\\log(1 - p)$. The result is ...",
    {
        "20": "That is the true value, but p is rounded to 1 before the logarithm is taken.",
        "0": "log 0 is not 0.",
        "infinity": "p is 1, 1 - p is 0, and -log 0 is infinity. The true value is about 20.",
    },
    right="infinity",
)

# %% [markdown]
# Written in y, no small difference is needed. With $\log p = y - \log(1 + e^y)$ and
# $\log(1 - p) = -\log(1 + e^y)$ the loss becomes $\log(1 + e^y) - t\, y$, and
#
# $$\log(1 + e^y) = \max(y, 0) + \log(1 + e^{-|y|})$$
#
# has an exponential that cannot overflow. That is what tinynn computes.

# %%
print(f"\n  {'y':>6}{'-log(1 - p), float32':>24}{'in terms of y, float32':>26}{'true':>10}")
for y in (1.0, 10.0, 15.0, 20.0, 100.0):
    score = np.array([[y]], "float32")
    with np.errstate(divide="ignore"):
        naive = -np.log(1 - 1 / (1 + np.exp(-score)))[0, 0]
    stable, true = loss(score, np.zeros_like(score)), np.logaddexp(0, y)
    print(f"  {y:>6g}{naive:>24.5f}{stable:>26.5f}{true:>10.5f}")
    assert np.isclose(stable, true, rtol=1e-6) and np.isinf(naive) == (y > 17)

# %% [markdown]
# ## Two classes are the same thing
#
# Softmax with two classes and the scores 0 and y gives the second one $e^y / (1 + e^y) = \sigma(y)$. So one logit with
# binary cross-entropy, and two scores with softmax and cross-entropy, are the same loss.

# %%
y = rng.normal(0, 3, (7, 1))
t = rng.integers(0, 2, (7, 1)).astype(float)
one = loss(y, t)
two = SoftmaxCrossEntropy()(np.hstack([np.zeros_like(y), y]), t[:, 0].astype(int))
lesson.say(f"Seven logits: binary cross-entropy {one:.12f}, softmax with cross-entropy {two:.12f}.")
assert np.isclose(one, two, rtol=1e-12)
x = rng.normal(size=(7, 4))
lesson.verdict(tinynn.check(Sequential(Affine(4, 3), Sigmoid(), Affine(3, 1), seed=0), x, t, loss))
