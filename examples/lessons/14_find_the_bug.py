# %% [markdown]
# # Find the bug
#
# Here are three mistakes, as people make them. Read the code first. Then look at what the check measures, and say what
# is wrong before you read on.

# %%
import re
import textwrap

import lesson
import numpy as np

import tinynn
from tinynn import Affine, Sequential, SoftmaxCrossEntropy, Tanh
from tinynn.teach import zoo

quick = lesson.start()


def riddle(name):
    """The code of a slip of the zoo, and what a check measures: the cause left out."""
    slip = zoo.find(name)
    lesson.say(slip.story)
    print("\n" + textwrap.indent(slip.source, "    "))
    report = slip.report()
    print(f"\n  {'place':<29}{'tensor':<8}{'the code gives':>15}{'measured':>13}")
    for row in report.rows:
        wrong = "   <- wrong" if row.verdict == "wrong" else ""
        place = re.sub(r", \w+=[^)]*", "", row.where)  # without the layer's options
        print(f"  {place[:28]:<29}{row.tensor:<8}{row.analytic:>15.5g}{row.numeric:>13.5g}{wrong}")
    return slip, report


def solution(slip, report):
    """What was wrong with it."""
    assert report.code == slip.code
    lesson.say(f"The check says: {report.code}, in {report.where}. {report.why}")
    if report.fix:
        print(f"\n  to mend it:  {report.fix}")


# %% [markdown]
# ## A layer
#
# Hint: which tensor is wrong, and by which factor? How many rows has the batch?

# %%
slip, report = riddle("affine-5")

# %%
lesson.choose(
    "What is wrong with it?",
    {
        "dW must be divided by the number of rows": "dW agrees with what is measured.",
        "db must be the sum over the rows, not their mean": "7 rows, and db is a seventh: dy has the loss's 1/N in it.",
        "dx must be dy @ W": "dx agrees with what is measured, and dy @ W does not even fit.",
    },
    right="db must be the sum over the rows, not their mean",
)

# %%
solution(slip, report)

# %% [markdown]
# ## An activation
#
# Hint: the slope of $\sigma(x)$ is $y\,(1 - y)$. From where to where can y go?

# %%
slip, report = riddle("sigmoid-3")

# %%
lesson.choose(
    "What is wrong with it?",
    {
        "The slope is 1 - y alone": "It is y (1 - y): level on both sides.",
        "dy must be summed over the rows": "An activation takes each number by itself; nothing is summed.",
        "x stands where y, the output, must": "y is from 0 to 1, so no slope can be below 0. x is anything.",
    },
    right="x stands where y, the output, must",
)

# %%
solution(slip, report)

# %% [markdown]
# ## A loss
#
# Hint: the gradient of softmax with cross-entropy has rows that sum to 0. Do these?

# %%
slip, report = riddle("softmaxloss-3")

# %%
lesson.choose(
    "What is wrong with it?",
    {
        "1 must be subtracted at the label": "p alone has rows with the sum 1; p - t has rows with the sum 0.",
        "The largest score must not be taken off": "It is a factor in numerator and denominator, and cancels.",
        "The gradient must not be divided by n": "The value is a mean over n rows, so its gradient has 1/n.",
    },
    right="1 must be subtracted at the label",
)
lesson.choose(
    "All layers are marked wrong as well. How many mistakes are there?",
    {
        "one": "Each layer computes with the dy that it is given, and that comes from the loss.",
        "five, one for each line": "Look where a wrong number comes from first: from the loss to the input.",
    },
    right="one",
)

# %%
solution(slip, report)

# %% [markdown]
# ## What no gradient shows
#
# Some mistakes leave the first gradient right. In the layer below, look at each `=`.


# %%
class Adding(Affine):
    def backward(self, dy):
        self.dW += self.x.T @ dy
        self.db += dy.sum(axis=0)
        return dy @ self.W.T


rng = np.random.default_rng(0)
x, t = rng.normal(size=(7, 5)), rng.integers(0, 3, 7)
layer = Adding(5, 3)
layer.forward(x.astype("float32"))
found = []
for _ in range(2):
    layer.backward(np.ones((7, 3), "float32"))
    found.append(layer.db.tolist())

# %%
lesson.ask(
    "db after one backward is 7, for each output. What must it be after a second one, with the same dy?",
    7,
    "A gradient belongs to one step: backward overwrites it.",
    slips={14: "That is what this layer gives: it adds to what was there."},
)

# %%
lesson.say(f"db after one backward: {found[0]}, after two: {found[1]}.")
lesson.say("So the check runs backward more than once, and looks at what must not change: x, dy, the parameters.")
report = tinynn.check_layer(layer, x)
lesson.say(f"{report.code}: {report.why}")
assert report.code == "accumulates"

# %% [markdown]
# ## And what is right
#
# A mistake is named only where its numbers agree to the last digits. A network that is right gets no name; one that is
# wrong in a way of its own is called "unknown", with the layer, the tensor and the entry.

# %%
model = Sequential(Affine(5, 4), Tanh(), Affine(4, 3), seed=0)
lesson.verdict(tinynn.check(model, x, t, SoftmaxCrossEntropy()))
names = {slip.code for slip in zoo.slips}
lesson.say(f"""tinynn has {len(zoo.slips)} such mistakes, with {len(names)} causes. `python -m tinynn.teach.zoo`
    lists them, `python -m tinynn.teach.zoo relu-3` shows one, and with `--random` in place of the name any one.""")
