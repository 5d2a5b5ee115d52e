# %% [markdown]
# # One step by hand
#
# The most widely read worked example of backpropagation (Matt Mazur, 2015): two inputs, two hidden units, two outputs,
# sigmoids, one row, one step. Take paper and a calculator, and answer before you read on.

# %%
import lesson
import numpy as np

import tinynn
from tinynn import MSE, SGD, Affine, Sequential, Sigmoid, plots

quick = lesson.start()
model = Sequential(Affine(2, 2), Sigmoid(), Affine(2, 2), Sigmoid(), backend="numpy", dtype="float64")
hidden, out = model[0], model[2]
hidden.W, hidden.b = np.array([[0.15, 0.25], [0.20, 0.30]]), np.array([0.35, 0.35])
out.W, out.b = np.array([[0.40, 0.50], [0.45, 0.55]]), np.array([0.60, 0.60])
x, t = np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])
loss, optimizer = MSE(), SGD(model, lr=0.5)
lesson.show(
    plots.network(model), "network",
    "Two inputs, two hidden units, two outputs. The wider a line, the larger the weight; all are above 0.",
)  # fmt: skip

# %% [markdown]
# His error is $\sum (t - o)^2 / 2$ over two outputs; the mean squared error of two outputs is the same number.
#
# ## Forward
#
# The row is x = (0.05, 0.10). The weights into the first hidden unit are 0.15 and 0.20, and its bias is 0.35.

# %%
lesson.ask(
    "What goes into the first hidden unit's sigmoid?",
    0.3775,
    "0.05 * 0.15 + 0.10 * 0.20 + 0.35.",
    slips={0.0275: "The bias is missing.", 0.3825: "0.15 and 0.25 are the weights that start at the first input."},
    within=0.0005,
)

# %% [markdown]
# `explain` runs the real layers once, and keeps every number with its formula: a worksheet.

# %%
sheet = tinynn.explain(model, x, t, loss, optimizer)


def line(name):
    """A number of the sheet: its formula in symbols, and in numbers."""
    entry = sheet[name]
    indent = " " * entry.symbols.index("=")
    where = name.partition(" of ")[2]
    print(f"  {entry.symbols}{f'   ({where})' if where else ''}")
    print(f"  {indent}= {entry.numbers}")
    print(f"  {indent}= {entry.value:.9f}")


lesson.say("Forward, along one path:")
for name in ("y[0,0] of layer 1", "y[0,0] of layer 2", "y[0,0] of layer 3", "y[0,0] of layer 4", "L"):
    line(name)

# %% [markdown]
# ## Backward
#
# From the loss to the weights, layer by layer: each takes dL/dy from the one after it, multiplies by its own slope, and
# hands dL/dx on. The hidden units reach the loss by both outputs, so their gradient is a sum of two paths.

# %%
lesson.ask(
    "The first output is 0.7514, and its target 0.01. The loss is the sum of $(t - o)^2 / 2$. What is dL/do there?",
    0.7514 - 0.01,
    "The derivative of $(t - o)^2 / 2$ with respect to o is o - t.",
    slips={0.01 - 0.7514: "The sign: a larger o makes this error larger.", 0.2748: "That is its part of the loss."},
)

# %%
lesson.say("Backward, along the same path:")
for name in (
    "dL/dy[0,0] of layer 4", "dL/dx[0,0] of layer 4", "dL/dW[0,0] of layer 3", "dL/dx[0,0] of layer 3",
    "dL/dx[0,0] of layer 2", "dL/dW[0,0] of layer 1",
):  # fmt: skip
    line(name)

# %% [markdown]
# ## Is it true?
#
# Move a weight a little, and look at the loss.

# %%
nudged = sheet.nudge("W[0,0] of layer 3")
lesson.say("The first weight of the output layer, moved a little up and down:")
print("\n".join(str(nudged).splitlines()[1:]))

# %% [markdown]
# ## The update, and a famous slip
#
# $W \leftarrow W - \eta\, dL/dW$, with $\eta = 0.5$.

# %%
lesson.ask(
    "The first weight of the output layer is 0.40, and its gradient is 0.0822. What does it become?",
    sheet["new W[0,0] of layer 3"].value,
    "0.40 - 0.5 * 0.0822.",
    slips={0.4411: "A step goes against the gradient.", 0.3178: "The learning rate, 0.5, is missing."},
)

# %% [markdown]
# All weights are updated *at once*. A program that updates the output layer first, and then goes on backward with the
# new weights, computes other gradients for the hidden layer. Here are both answers, as the worksheet grades them:

# %%
name = "new W[0,0] of layer 1"
right = sheet[name].value
delta = sheet["dL/dx[0,0] of layer 4"].value, sheet["dL/dx[0,1] of layer 4"].value
new = sheet["new W[0,0] of layer 3"].value, sheet["new W[0,1] of layer 3"].value
slope = sheet["y[0,0] of layer 2"].value * (1 - sheet["y[0,0] of layer 2"].value)
early = 0.15 - 0.5 * 0.05 * slope * (delta[0] * new[0] + delta[1] * new[1])
lesson.say(f"By the sheet, the first weight becomes {right:.9f}; with weights updated too early, {early:.9f}.")
for answer in (right, early):
    graded, *why = (" ".join(line.split()) for line in str(sheet.grade({name: answer})).splitlines()[1:])
    lesson.say(graded.replace(" ", ": ", 1) + (f": {' '.join(why)}" if why else "") + ".")

# %% [markdown]
# The numbers that were published, after one step and after 10,000, come from a program that did just that. (It also
# leaves the biases as they are.)

# %%
in_print = 0.291027924  # "the total error is now down to"


class TooEarly(Affine):
    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=0)
        self.W -= 0.5 * self.dW
        return dy @ self.W.T


def loss_after(new_hidden):
    """The loss with the new weights, and the old biases."""
    stepped = Sequential(Affine(2, 2), Sigmoid(), Affine(2, 2), Sigmoid(), backend="numpy", dtype="float64")
    stepped[0].W, stepped[0].b, stepped[2].b = new_hidden, hidden.b, out.b
    stepped[2].W = [[sheet[f"new W[{i},{j}] of layer 3"].value for j in range(2)] for i in range(2)]
    return loss(stepped(x), t)


both = np.array([[sheet[f"y[0,{j}] of layer 2"].value for j in range(2)]])
W_new = np.array([[sheet[f"new W[{i},{j}] of layer 3"].value for j in range(2)] for i in range(2)])
dh = (np.array([delta]) @ W_new.T) * both * (1 - both)
at_once = loss_after([[sheet[f"new W[{i},{j}] of layer 1"].value for j in range(2)] for i in range(2)])
too_early = loss_after(hidden.W - 0.5 * x.T @ dh)
lesson.say(f"""The loss after the step: {at_once:.9f}. Updated too early: {too_early:.9f}. In print: {in_print}.""")
assert abs(too_early - in_print) < 5e-10 < abs(at_once - in_print)

slipped = TooEarly(2, 2)
slipped.W, slipped.b = out.W, out.b
report = tinynn.check([Affine(2, 2), Sigmoid(), slipped, Sigmoid()], x, t, loss)
lesson.say(f"A check of such a program: {report.code}. {report.why}")
assert report.code == "updated-too-early"

# %% [markdown]
# ## Your turn
#
# Here is the worksheet as a page. You walk through it number by number, with the arrow keys or with the
# buttons at its end.

# %%
lesson.page(sheet, "step")

# %% [markdown]
# Now work out three numbers that do not stand above. (`sheet.quiz()` picks others, and `sheet.grade({name: value})`
# grades them.)

# %%
for name in ("y[0,1] of layer 1", "dL/dW[1,0] of layer 3", "new W[1,1] of layer 1"):
    lesson.ask(f"What is {name}?", sheet[name].value, f"{sheet[name].symbols} = {sheet[name].numbers}.")

# %%
report = tinynn.check(model, x, t, loss)
lesson.verdict(report)
assert report
