# %% [markdown]
# # Data, model, loss, algorithm
#
# All that learns from examples, from a straight line to the largest network, is made of four things:
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
lesson.say(f"Data: {N} concentrations, each measured twice; x {x.shape} is from {x.min():g} to {x.max():g}.")
print("  x  " + "".join(f"{value:>8.1f}" for value in x[:7, 0]) + "  ...")
print("  t  " + "".join(f"{value:>8.1f}" for value in t[:7, 0]) + "  ...")

# %% [markdown]
# ## Model
#
# $y = x W + b$, an affine map. With one input and one output, W and b are two numbers: the line's slope, and its height
# at $x = 0$. They start as drawn at random, and as 0.
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
# A step goes against it, $W \leftarrow W - \eta\, \partial L / \partial W$, and b likewise. How far is said by the
# step size (learning rate) $\eta$, `lr`.

# %%
model.backward(loss.backward())
dy = 2 * (y - t) / N
dW, db = (x * dy).sum(), dy.sum()
assert np.allclose(model.grads, [dW, db], rtol=1e-12) and dW < 0 and db < 0
lesson.say(f"""The gradient by the formula: dL/dW = {dW:.6g}, dL/db = {db:.6g}. The same by backward:
    {model[0].dW.item():.6g}, {model[0].db.item():.6g}. Both are below 0: W and b have to grow.""")


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
# Over the plane of W and b, the loss is a bowl. How strongly it curves, in its steepest and in its flattest direction,
# are the eigenvalues $\lambda$ of $H = \frac{2}{N} X^T X$, where X is x beside a column of ones. A step leaves
# $1 - \eta \lambda$ of the distance to the lowest point in a direction of curvature $\lambda$. So with
# $\eta > 2 / \lambda$ it jumps across to a higher place than before; and what is short enough for the steepest
# direction hardly moves in the flattest.

# %%
X = np.hstack([x, np.ones_like(x)])
closed = np.linalg.lstsq(X, t)[0]  # the lowest point, by a formula: the gradient is 0 where (X'X) (W, b)' = X't
least = loss(X @ closed, t)
flat, steep = np.linalg.eigvalsh(2 / N * X.T @ X)
steps = 200 if quick else 2000
lesson.say(f"""With x as it is, the bowl curves {steep / flat:,.0f} times as much across as along, and lr must be below
    2 / {steep:,.0f} = {2 / steep:.1e}:""")
for lr in (2.1 / steep, 1 / steep):
    slow, losses = descend(x, t, lr, steps)
    print(f"  lr {lr:.1e}: loss {losses[0]:<9.4g} after 1 step, {losses[-1]:<10.4g} after {steps:,}")
lesson.say(f"""The short steps find the slope at once, but b is {slow[0].b.item():.4f}, and should be
    {closed[1, 0]:.4f}. To come half of the way takes {np.log(2) * steep / flat:,.0f} steps.""")
assert losses[-1] > 1.01 * least

# %% [markdown]
# So measure x and t from their means, in units of their spread: $u = (x - \bar x) / s_x$. Then $H = 2 I$. The bowl is
# round, and one step size is good for all directions.

# %%
u, v = (x - x.mean()) / x.std(), (t - t.mean()) / t.std()
U = np.hstack([u, np.ones_like(u)])
scaled_least = loss(U @ np.linalg.lstsq(U, v)[0], v)
scaled, scaled_losses = descend(u, v, 0.1, 200)
flat, steep = np.linalg.eigvalsh(2 / N * U.T @ U)
left = np.sqrt((scaled_losses[10] - scaled_least) / (scaled_losses[9] - scaled_least))
lesson.say(f"""Scaled, the curvatures are {flat:.3f} and {steep:.3f}. With lr 0.1 a step should leave
    {1 - 0.1 * steep:.4f} of the distance; measured, from step 10 to 11: {left:.4f}. With lr 0.5 it should leave
    {abs(1 - 0.5 * steep):.4f}: the loss after one such step is {descend(u, v, 0.5, 1)[1][0]:.12f}, and the least that
    a line can have is {scaled_least:.12f}.""")

slope = scaled[0].W.item() * t.std() / x.std()  # the line in the data's own units
height = t.mean() + scaled[0].b.item() * t.std() - slope * x.mean()
certified = (1.00211681802045, -0.262323073774029)  # NIST StRD, Norris
lesson.say("A line's best W and b have a closed form, too. 200 steps find the same, and NIST certifies it:")
for name, line in (("learned", (slope, height)), ("closed form", closed.ravel()), ("certified", certified)):
    print(f"  {name:<12}  W {line[0]:.14f}   b {line[1]:.14f}")
    assert np.allclose(line, certified, rtol=1e-9)

# %%
lesson.show(plots.line_fit(x, t, {"learned line": slope * x + height, "closed form": X @ closed})[0], "line")
axes = Figure(figsize=(6.4, 3.6), layout="constrained").subplots()
number = np.arange(1, steps + 1)
axes.loglog(number, losses / least - 1, "--", label="x and t as they are")
axes.loglog(number[:200], scaled_losses / scaled_least - 1, label="in units of their spread")
axes.set(xlabel="step", ylabel="loss above the least (ratio)", ylim=(1e-10, None))
axes.legend(frameon=False)
lesson.show(axes, "scaling")

# %% [markdown]
# All later lessons are made of these four parts. The model gets layers, the loss changes; and whatever is new has its
# gradients measured:

# %%
lesson.verdict(tinynn.check(model, x, t, loss))
