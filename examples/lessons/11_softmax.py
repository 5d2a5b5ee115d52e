# %% [markdown]
# # Softmax and cross-entropy
#
# Scores become probabilities by softmax, $p_c = e^{y_c} / \sum_k e^{y_k}$, and the loss is $-\log p_t$ at the label t.
# On paper these are two formulas, one after the other. In a program they belong together: the gradient becomes simple,
# and no number is too large or too small.

# %%
import lesson
import numpy as np
from matplotlib.figure import Figure

import tinynn
from tinynn import Affine, ReLU, Sequential, SoftmaxCrossEntropy, plots

np.seterr(all="ignore")  # this lesson divides by 0 and overflows on purpose
quick = lesson.start()

# %% [markdown]
# ## The gradient: p - t
#
# By the chain rule, in two steps. $L = -\log p_t$ has the slope $-1 / p_t$ at the label, and 0 elsewhere. Softmax mixes
# all scores, so its derivative is a matrix: $\partial p_i / \partial y_j = p_i ([i = j] - p_j)$, where $[i = j]$ is 1
# if that is so, else 0. In their product $p_t$ cancels, and what is left is
#
# $$\frac{\partial L}{\partial y_j} = -\frac{1}{p_t}\, p_t\, ([t = j] - p_j) = p_j - [t = j] ,$$
#
# what the model said minus what was right; with the label as a row t that is 1 at the label and 0 elsewhere
# (*one-hot*), $p - t$. In a batch it is divided by N.

# %%
lesson.ask(
    "Three scores are equal. What is the gradient of the loss with respect to the score of the label?",
    1 / 3 - 1,
    "p is 1/3, and 1 is taken off at the label: the score has to grow.",
    slips={1 / 3: "That is the gradient of the other two.", 2 / 3: "The sign: p - t, and t is 1 at the label."},
)

# %%
y, label = np.array([2.0, 1.0, -1.0]), 1
p = np.exp(y) / np.exp(y).sum()
one_hot = np.eye(3)[label]
in_two_steps = (np.diag(p) - np.outer(p, p)) @ (-one_hot / p)
loss = SoftmaxCrossEntropy()
loss.forward(y[None], np.array([label]))
lesson.say(f"Scores {y.tolist()}, label {label}. The gradient of the loss with respect to the scores:")
for name, dy in (("in two steps", in_two_steps), ("p - t", p - one_hot), ("tinynn", loss.backward()[0])):
    print(f"  {name:<14}" + "".join(f"{value:>20.15f}" for value in dy))
    assert np.allclose(dy, in_two_steps, rtol=0, atol=1e-15)

# %% [markdown]
# ## Too large, too small
#
# $e^y$ grows fast, and a computer's numbers end somewhere.

# %%
lesson.choose(
    "float32 numbers end at $e^{88}$. The scores are 100 and 0: what is $e^{100} / (e^{100} + e^0)$ on the computer?",
    {
        "1": "It should be, nearly, but $e^{100}$ is infinite there, and infinite by infinite is no number.",
        "infinite": "It is divided by a sum that is infinite, too.",
        "no number (nan)": "$e^{100}$ is infinite, the sum as well, and infinite by infinite is no number.",
    },
    right="no number (nan)",
)

# %% [markdown]
# Only differences of scores matter to softmax, so a row's largest score may be taken off first: then nothing overflows.
# But the other end is left: a p that is too small for the computer is 0, and $\log 0 = -\infty$.


# %%
def loss_of(p, t, eps=0.0):
    """-log(p + eps) at the labels, as a mean over rows, and its gradient with respect to the scores, in two steps."""
    right = p[np.arange(len(p)), t]
    dy = (p - np.eye(p.shape[1], dtype=p.dtype)[t]) * (right / (right + eps))[:, None]
    return -np.log(right + eps).mean(), dy / len(p)


def as_written(y, t, eps=0.0):
    e = np.exp(y)
    return loss_of(e / e.sum(axis=1, keepdims=True), t, eps)


def largest_off(y, t, eps=0.0):
    return as_written(y - y.max(axis=1, keepdims=True), t, eps)


lesson.say("What a computer can hold:")
for limits in (np.finfo("float32"), np.finfo("float64")):
    ends = np.log([limits.max, limits.smallest_subnormal], dtype="float64")
    print(f"  {limits.dtype}   e^y is finite up to y = {ends[0]:.1f}, and more than 0 down to {ends[1]:.1f}")
lesson.say("Two scores, the right one by d below the other. The loss, $\\log(1 + e^d)$:")
print(f"  {'':>6}{'as written':>18}{'largest taken off':>24}")
print(f"  {'d':>6}{'float32':>9}{'float64':>9}{'float32':>15}{'float64':>9}{'log-sum-exp, float32':>24}")
t = np.array([1])
for d in (1, 10, 80, 100, 120, 1000):
    rows = [np.array([[d, 0]], dtype) for dtype in ("float32", "float64")]
    found = [f(y, t)[0] for f in (as_written, largest_off) for y in rows]
    print("  {:>6}{:>9.4g}{:>9.4g}{:>15.4g}{:>9.4g}{:>24.4g}".format(d, *found, loss(rows[0], t)))
    assert np.isclose(loss(rows[0], t), np.logaddexp(0, d), rtol=1e-6)
lesson.say(f"And the gradient in two steps, where p is 0: {largest_off(rows[0], t)[1][0]}, which is 0 / 0.")

# %% [markdown]
# ## Log-sum-exp
#
# The last column never takes the logarithm of a small number. With m the largest score of the row,
#
# $$-\log p_t = \log \sum_k e^{y_k} - y_t = m + \log \sum_k e^{y_k - m} - y_t ,$$
#
# and the sum is at least 1. The gradient is $p - t$, all of whose numbers are from -1 to 1. That is why softmax and
# cross-entropy are one loss here, and why the network ends in scores.
#
# ## "+ 1e-7"
#
# Many programs write $\log(p + 10^{-7})$ in place of that. Nothing is infinite any more. But the slope in the second of
# the two steps is $-1 / (p_t + \epsilon)$ now, $p_t$ does not cancel, and a factor stays:
# $(p - t)\, p_t / (p_t + \epsilon)$.

# %%
lesson.ask(
    "A row is badly wrong: $p_t = 10^{-10}$. By what does $\\epsilon = 10^{-7}$ multiply its gradient?",
    1e-10 / (1e-10 + 1e-7),
    "$p_t / (p_t + \\epsilon)$ is about $10^{-10} / 10^{-7}$, a thousandth. It hardly learns any more.",
    slips={
        1: "That is right where $p_t$ is much larger than $\\epsilon$.",
        1000: "It is $p_t$ that is divided by the sum.",
    },
)


# %%
def with_eps(y, t):
    return largest_off(y, t, 1e-7)


d = np.linspace(-5, 40, 451)
exact, spoilt = (
    np.array([[value, dy[0, 1]] for value, dy in (function(np.array([[a, 0.0]]), t) for a in d)])
    for function in (loss.compute, with_eps)
)
lesson.say("The right score by d below the other: the loss, and its gradient with respect to that score.")
print(f"  {'d':>4}{'loss':>10}{'with 1e-7':>12}{'gradient':>14}{'with 1e-7':>12}")
for k in np.searchsorted(d, [5, 10, 15, 20, 30]):
    print(f"  {d[k]:>4.0f}{exact[k, 0]:>10.3f}{spoilt[k, 0]:>12.3f}{exact[k, 1]:>14.3g}{spoilt[k, 1]:>12.3g}")
axes = Figure(figsize=(6.9, 3.2), layout="constrained").subplots(1, 2)
for k, name in enumerate(("loss", "gradient at the label")):
    axes[k].plot(d, exact[:, k], color=plots.BLUE, label="-log p")
    axes[k].plot(d, spoilt[:, k], "--", color=plots.VERMILLION, label="-log(p + 1e-7)")
    axes[k].set(xlabel="d: how far the right score is below", ylabel=name)
axes[0].legend(frameon=False)
lesson.show(
    axes[0], "eps",
    """Left, the loss; right, its gradient with respect to the label's score. To the right in each, the network is more
    and more wrong. With 1e-7 the loss stays at 16, and its gradient goes to 0, where it should be -1.""",
)  # fmt: skip

# %% [markdown]
# So the network learns least from the rows that are most badly wrong.

# %%
for name, function in (("log-sum-exp", loss.compute), ("with 1e-7", with_eps)):
    scores = np.array([[25.0, 0.0]])
    for _ in range(100):
        scores -= function(scores, t)[1]
    lesson.say(f"One row with d = 25, {name}: after 100 steps with lr 1, d is {scores[0, 0] - scores[0, 1]:.3f}.")
lesson.say("A d below 0 says that the right score has become the higher one.")

# %% [markdown]
# ## Named
#
# On ordinary scores all of these agree to seven digits. `check_loss` looks at extreme ones, too, and names what it
# finds.

# %%
rng = np.random.default_rng(0)
y, t = rng.normal(size=(7, 4)), rng.integers(0, 4, 7)
for name, function in (
    ("as written", as_written),
    ("largest off", largest_off),
    ("with 1e-7", with_eps),
    ("with 1e-7, but p - t", lambda y, t: (with_eps(y, t)[0], largest_off(y, t)[1])),
):
    report = tinynn.check_loss(function, y, t)
    lesson.say(f"{name}: {report.code}. {report.why}")
    assert not report
lesson.verdict(tinynn.check_loss(loss, y, t))
lesson.verdict(tinynn.check(Sequential(Affine(4, 5), ReLU(), Affine(5, 4), seed=0), y, t, loss))
