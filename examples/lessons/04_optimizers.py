# %% [markdown]
# # Optimizers
# The gradient says which way is down. How far to go, and whether to remember the last steps, is for the optimizer to
# decide. This lesson compares three of them, plain gradient descent, momentum and Adam, and shows what Adam's bias
# correction is for.

# %%
import lesson
import numpy as np

import tinynn
from tinynn import MSE, SGD, Adam, Affine, Optimizer, Sequential, plots

quick = lesson.start()
STEPS = 60 if quick else 200

# %% [markdown]
# ## A valley
#
# $L(w) = (w_1^2 + 25\, w_2^2) / 2$ is a valley: its curvature is 1 along, in the direction of $w_1$, and 25 across.
# Plain descent, $w \leftarrow w - \eta\, g$, must take steps that are short enough for the steep direction, and so it
# moves slowly in the flat one.


# %%
def valley(w):
    curvature = np.array([1.0, 25.0])
    return float((curvature * w * w).sum() / 2), curvature * w


class Point:
    """Two numbers as a model: what an optimizer sees of one."""

    def __init__(self, w):
        self.params, self.grads = np.array(w, dtype=float), np.zeros(2)


def walk(make, start=(-2.0, 0.8)):
    """The way of an optimizer down the valley: w after each step, and the loss there."""
    point = Point(start)
    optimizer, way = make(point), [point.params.copy()]
    for _ in range(STEPS):
        point.grads[...] = valley(point.params)[1]
        optimizer.step()
        way.append(point.params.copy())
    return np.array(way), np.array([valley(w)[0] for w in way])


contenders = {
    "SGD, lr 0.03": lambda model: SGD(model, lr=0.03),
    "SGD, lr 0.03, momentum 0.8": lambda model: SGD(model, lr=0.03, momentum=0.8),
    "Adam, lr 0.1": lambda model: Adam(model, lr=0.1),
}
lesson.say(f"The loss on the way down, from {valley(np.array([-2.0, 0.8]))[0]:.0f}:")
print(f"  {'':<28}{'10 steps':>10}{'30 steps':>10}{f'{STEPS} steps':>12}")
for name, make in contenders.items():
    losses = walk(make)[1]
    print(f"  {name:<28}{losses[10]:>10.2g}{losses[30]:>10.2g}{losses[STEPS]:>12.2g}")
lesson.show(
    plots.paths(valley, contenders, np.array([-2.0, 0.8]), steps=40), "paths",
    """The valley from above. The grey curves are places of equal loss, and each line is the way of an optimizer, a mark
    for each of 40 steps. SGD is at the bottom of the valley at once, and then creeps along it. Momentum swings from
    side to side, and is the first to arrive. Adam's steps are equally long in both directions, so it starts on a
    diagonal; it overshoots, too.""",
)  # fmt: skip

# %%
lesson.ask(
    "The curvature across is 25. Above which lr does plain descent end higher with every step?",
    2 / 25,
    "A step leaves 1 - 25 lr of the distance across, which is below -1 for lr above 2 / 25.",
    slips={
        1 / 25: "With lr 1 / 25 a step arrives at the lowest point across: 1 - 25 / 25 = 0.",
        2: "That is the limit for the curvature along, 1. The steeper direction has the smaller one.",
    },
)

# %%
for lr in (0.078, 0.082):
    losses = walk(lambda model, lr=lr: SGD(model, lr=lr))[1]
    lesson.say(f"lr {lr}, with 2 / 25 = {2 / 25}: the loss after {STEPS} steps is {losses[-1]:.2g}.")

# %% [markdown]
# ## Momentum
#
# $v \leftarrow \mu v - \eta\, g$, then $w \leftarrow w + v$. The *velocity* v keeps a share of what it was: the
# momentum, $\mu$. Where gradients agree from step to step it adds up, to $1 + \mu + \mu^2 + \dots = 1 / (1 - \mu)$
# steps in one; where they change their sign, they cancel.

# %%
lesson.ask(
    "The gradient g stays the same for very many steps. With momentum 0.99, how many times as long as lr g does a step "
    "become?",
    100,
    "1 / (1 - 0.99) = 100.",
    slips={10: "That is for momentum 0.9.", 1.99: "The steps before the last one still count, too."},
)

# %%
point = Point([0.0, 0.0])
optimizer = SGD(point, lr=0.01, momentum=0.9)
for _ in range(100):
    point.grads[...] = 1
    before = point.params[0]
    optimizer.step()
lesson.say(f"""Under a gradient of 1 that never changes, a step of lr 0.01 with momentum 0.9 has grown to
    {before - point.params[0]:.4f} after 100 steps: 1 / (1 - 0.9) = 10 times lr.""")

# %% [markdown]
# ## Adam
#
# Running means of the gradient and of its square, $m \leftarrow \beta_1 m + (1 - \beta_1) g$ and $v \leftarrow \beta_2
# v + (1 - \beta_2) g^2$, and a step of $\eta\, m' / (\sqrt{v'} + \epsilon)$: about $\eta$ in each direction, whatever
# the gradient's size. Both means start at 0, so after t steps they hold only the share $1 - \beta^t$ of a full mean,
# and $m' = m / (1 - \beta_1^t)$, $v' = v / (1 - \beta_2^t)$ correct for that. The usual values are $\beta_1 = 0.9$,
# $\beta_2 = 0.999$ and $\epsilon = 10^{-8}$.

# %%
lesson.choose(
    "Two parameters have the gradients 0.0001 and 10,000. Adam's first step is ...",
    {
        "100,000,000 times as long for the second": "In plain descent it is. Adam divides by the gradient's own size.",
        "equally long for both": "After one step $m' = g$ and $v' = g^2$, so the step is $\\eta\\, g / |g|$.",
        "longer for the first": "The gradient's size cancels; it does not turn round.",
    },
    right="equally long for both",
)

# %%
lesson.say("Adam's first step with lr 0.1, for gradients of very different sizes:")
for size in (1e-4, 1.0, 1e4):
    point = Point([0.0, 0.0])
    optimizer = Adam(point, lr=0.1)
    point.grads[...] = size
    optimizer.step()
    print(f"  gradient {size:>8g}   step {-point.params[0]:.6f}")

# %%
lesson.ask(
    """Without the correction, after the first step $m = (1 - 0.9)\\, g$ and $v = (1 - 0.999)\\, g^2$. How many times
    as long as with the correction is the step?""",
    0.1 / np.sqrt(0.001),
    "m / √v = 0.1 g / (√0.001 |g|), that is 3.16; with the correction it is 1.",
    slips={100: "The root of v, not v, is divided by.", 0.1: "v is too small as well, and its root is divided by."},
)


# %%
class Uncorrected(Optimizer):
    """Adam without the correction."""

    state = ("m", "v")

    def __init__(self, model, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        super().__init__(model, lr, weight_decay=0)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def step(self):
        g = self.model.grads
        self.m[...] = self.beta1 * self.m + (1 - self.beta1) * g
        self.v[...] = self.beta2 * self.v + (1 - self.beta2) * g * g
        self.model.params -= self.lr * self.m / (np.sqrt(self.v) + self.eps)


right, wrong = walk(lambda model: Adam(model, lr=0.1)), walk(lambda model: Uncorrected(model, lr=0.1))
first = np.abs(wrong[0][1] - wrong[0][0])[0] / np.abs(right[0][1] - right[0][0])[0]
lesson.say(f"""Without it the first step is {first:.3f} times as long: m holds 1 - 0.9 of a mean, the root of v only
    sqrt(1 - 0.999) of one, and 0.1 / sqrt(0.001) = {0.1 / np.sqrt(0.001):.3f}. In the valley that means:""")
print(f"  {'':<28}{'3 steps':>10}{'6 steps':>10}{'10 steps':>10}{'30 steps':>10}")
for name, (_, losses) in (("Adam", right), ("Adam without correction", wrong)):
    print(f"  {name:<28}" + "".join(f"{losses[k]:>10.2g}" for k in (3, 6, 10, 30)))
lesson.say("Ahead after 3 steps, it has overshot after 6, and has to come back.")
assert np.isclose(first, 0.1 / np.sqrt(0.001), rtol=1e-3)

# %% [markdown]
# ## Checked
#
# `check_optimizer` runs a class on given gradients and compares its path with the rule's. tinynn's own are right; the
# mistake above is found, and named.

# %%
for cls in (SGD, Adam):
    report = tinynn.check_optimizer(cls)
    lesson.say(f"{report.title}: {'right' if report else 'wrong'}")
    assert report
report = tinynn.check_optimizer(Uncorrected)
lesson.say(f"{report.title}: {report.code}. {report.why}")
assert report.code == "no-bias-correction"

# %%
model = Sequential(Affine(3, 4), Affine(4, 2), seed=0)
rng = np.random.default_rng(0)
lesson.verdict(tinynn.check(model, rng.normal(size=(7, 3)), rng.normal(size=(7, 2)), MSE()))
