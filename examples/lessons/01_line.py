# %% [markdown]
# # Data, model, loss, algorithm
#
# Every program that learns from examples, from a straight line to the largest network, is made of four things:
#
# - **data** that the model can learn from,
# - a **model** that turns inputs into outputs, with parameters that can be changed,
# - a **loss** that says in one number how bad the outputs are,
# - an **algorithm** that changes the parameters so that the loss becomes smaller.
#
# Here they are in their smallest form: a straight line through measurements.

# %%
import lesson
import numpy as np
from matplotlib.figure import Figure

import tinynn
from tinynn import MSE, SGD, Affine, Sequential, plots

quick = lesson.start()

# %% [markdown]
# ## Data
#
# NIST, the American institute of standards, measured ozone with its own instrument, x, and with a customer's, t. Which
# line turns the one into the other?

# %%
x, t = tinynn.datasets.load_norris()
N = len(x)
lesson.say(f"Data: {N} concentrations, each measured by both; x {x.shape} is from {x.min():g} to {x.max():g}.")
print("  x  " + "".join(f"{value:>8.1f}" for value in x[:7, 0]) + "  ...")
print("  t  " + "".join(f"{value:>8.1f}" for value in t[:7, 0]) + "  ...")

# %% [markdown]
# ## Model
#
# $y = x W + b$, an affine map. With one input and one output, W and b are two numbers: the line's slope, and its height
# at $x = 0$. W starts as a random number, and b as 0.
#
# ## Loss
#
# The mean squared error, $L = \frac{1}{N} \sum_n (y_n - t_n)^2$. It is 0 where all outputs are right.

# %%
model = Sequential(Affine(1, 1), backend="numpy", dtype="float64", seed=0)
loss = MSE()
y = model.forward(x)
value = loss.forward(y, t)
W, b = model[0].W.item(), model[0].b.item()
lesson.say(f"Model: y = x W + b, at first with W = {W:.4f} and b = {b:g}. Loss: {value:,.0f}.")

# %% [markdown]
# ## Algorithm
#
# Gradient descent. The gradient says how the loss changes with each parameter. By the chain rule, with
# $dy_n = \partial L / \partial y_n = 2 (y_n - t_n) / N$,
#
# $$\frac{\partial L}{\partial W} = \sum_n x_n\, dy_n, \qquad \frac{\partial L}{\partial b} = \sum_n dy_n .$$
#
# A step goes against it, $W \leftarrow W - \eta\, \partial L / \partial W$, and the same for b. The learning
# rate $\eta$, `lr` in the code, says how far.

# %%
lesson.ask(
    "One row: x = 2, t = 3; W = 1, b = 0. What is dL/dW?",
    -4,
    "y = 2, dy = 2 (2 - 3) = -2, and dW = x dy = 2 * (-2) = -4.",
    slips={-2: "That is dy. W is multiplied by x, so its gradient is x dy.", 4: "The sign: dy = 2 (y - t), not t - y."},
)
# %%
model.backward(loss.backward())
dy = 2 * (y - t) / N
dW, db = (x * dy).sum(), dy.sum()
assert np.allclose(model.grads, [dW, db], rtol=1e-12) and dW < 0 and db < 0
lesson.say(f"""The gradient by the formula: dL/dW = {dW:.6g}, dL/db = {db:.6g}. The same by backward:
    {model[0].dW.item():.6g}, {model[0].db.item():.6g}.""")

# %%
lesson.choose(
    "dL/dW is below 0. The step changes W so that it ...",
    {
        "grows": "The step goes against the gradient: minus a number below 0 is above 0.",
        "shrinks": "A step goes against the gradient, not along it.",
        "does whatever $\\eta$ says": "$\\eta$ is above 0: it says how far, not in which direction.",
    },
    right="grows",
)


# %%
def descend(x, t, lr, steps):
    """Gradient descent from W = b = 0 with all rows in each step: the model, and the loss after each step."""
    model = Sequential(Affine(1, 1, weight_init="zeros"), backend="numpy", dtype="float64")
    optimizer, losses = SGD(model, lr=lr), []
    for _ in range(steps):
        loss.forward(model.forward(x), t)
        model.backward(loss.backward())
        optimizer.step()
        losses.append(loss(model(x), t))
    return model, np.array(losses)


# %% [markdown]
# ## Why to scale the data
#
# How long may a step be? Look at W alone, with b held fast. The loss is then a parabola,
# $L(W) = \frac{c}{2} (W - W_0)^2 + L_0$, with the curvature $c = \frac{2}{N} \sum_n x_n^2$. Its slope is
# $c\, (W - W_0)$, so a step leaves $1 - \eta c$ of the distance to the lowest point. With $\eta > 2 / c$ that is
# below -1: each step jumps across, to a place that is higher than before. For b alone it is the same, with x
# replaced by 1, so the curvature is 2, whatever the data are.
#
# One learning rate has to serve both. If the steps are short enough for W, b hardly moves.

# %%
X = np.hstack([x, np.ones_like(x)])
closed = np.linalg.lstsq(X, t)[0]  # least squares: the W and b at the lowest point, where the gradient is 0
least = loss(X @ closed, t)
curvature = 2 * np.mean(x**2)
steps = 200 if quick else 2000
lesson.say(f"""With x as it is, the loss curves {curvature / 2:,.0f} times as much with W as with b, and lr must be
    below 2 / {curvature:,.0f} = {2 / curvature:.1e}:""")
for lr in (2.1 / curvature, 1 / curvature):
    slow, losses = descend(x, t, lr, steps)
    print(f"  lr {lr:.1e}: loss {losses[0]:<9.4g} after 1 step, {losses[-1]:<10.4g} after {steps:,}")
lesson.say(f"""The short steps find the slope at once, but b is {slow[0].b.item():.4f}, and should be
    {closed[1, 0]:.4f}: a step leaves {1 - 2 / curvature:.6f} of its distance.""")
assert losses[-1] > 1.01 * least

# %% [markdown]
# So measure x and t from their means, in units of their spread (standard deviation): $u = (x - \bar x) / s_x$. Then
# the mean of $u^2$ is 1, so the curvature is 2 for W as well, and one step size is good for both.

# %%
lesson.ask(
    "The curvature is 2 in both directions. With which lr does a single step arrive at the lowest point?",
    0.5,
    "A step leaves 1 - 2 lr of the distance, and that is 0 for lr = 1/2.",
    slips={1: "A step with lr 1 leaves 1 - 2 = -1: it jumps across to the same height, and so does the next."},
)

# %%
u, v = (x - x.mean()) / x.std(), (t - t.mean()) / t.std()
U = np.hstack([u, np.ones_like(u)])
scaled_least = loss(U @ np.linalg.lstsq(U, v)[0], v)
scaled, scaled_losses = descend(u, v, 0.1, 200)
left = np.sqrt((scaled_losses[10] - scaled_least) / (scaled_losses[9] - scaled_least))
lesson.say(f"""Scaled, with lr 0.1, a step should leave {1 - 0.1 * 2:g} of the distance; measured, from step 10 to 11:
    {left:.4f}. With lr 0.5 it should leave nothing: the loss after one such step is
    {descend(u, v, 0.5, 1)[1][0]:.12f}, and the least that a line can have is {scaled_least:.12f}.""")
assert np.isclose(left, 0.8)

slope = scaled[0].W.item() * t.std() / x.std()  # the line in the data's own units
height = t.mean() + scaled[0].b.item() * t.std() - slope * x.mean()
certified = (1.00211681802045, -0.262323073774029)  # NIST StRD, Norris
lesson.say(
    "The best W and b of a line can also be computed directly. 200 steps find the same, and NIST certifies them:"
)
for name, line in (("learned", (slope, height)), ("closed form", closed.ravel()), ("certified", certified)):
    print(f"  {name:<12}  W {line[0]:.14f}   b {line[1]:.14f}")
    assert np.allclose(line, certified, rtol=1e-9)

# %%
lines = {"learned line": slope * x + height, "closed form": X @ closed}
lesson.show(
    plots.line_fit(x, t, lines)[0], "line",
    """Each dot is one measurement. The two lines, the learned one and that of the closed form, lie on each other.
    Below: how far each measurement is above the learned line, on a scale that is much larger.""",
)  # fmt: skip
axes = Figure(figsize=(6.4, 3.6), layout="constrained").subplots()
number = np.arange(1, steps + 1)
axes.loglog(number, losses / least - 1, "--", label="x and t as they are")
axes.loglog(number[:200], scaled_losses / scaled_least - 1, label="in units of their spread")
axes.set(xlabel="step", ylabel="(loss - least) / least", ylim=(1e-10, None))
axes.legend(frameon=False)
lesson.show(
    axes, "scaling",
    """How far the loss is above the least that a line can have, as a share of the least. Dashed, x and t as they
    are: W is found in the first step, and then the curve is level, because b hardly moves. Solid, in units of their
    spread: each step leaves 0.8 of the distance, so $0.8^2$ of the loss above the least, and the curve falls out of
    the picture.""",
)  # fmt: skip

# %% [markdown]
# ## Checked
#
# All later lessons are made of these four parts. The model gets layers, the loss changes, and the gradients of
# everything new are checked: `check` measures how the loss changes with each parameter, from the forward pass alone,
# and compares that with what backward says. The *relative error* is their difference, divided by the gradient's own
# size. A computer keeps 16 digits of a number, so about $10^{-16}$ means that both are the same up to rounding; a
# gradient that is wrong by half has $5 \cdot 10^{-1}$.

# %%
lesson.verdict(tinynn.check(model, x, t, loss))
