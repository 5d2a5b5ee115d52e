# %% [markdown]
# # Find the bug
#
# Three mistakes, as people make them. Read the code first. Then look at what the check measures, and say what is wrong
# before you read on: the cause stands below the numbers.

# %%
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
        print(f"  {row.where[:28]:<29}{row.tensor:<8}{row.analytic:>15.5g}{row.numeric:>13.5g}{wrong}")
    return slip, report


def solution(slip, report):
    """What was wrong with it."""
    assert report.code == slip.code
    lesson.pause("Think first. Then, the cause:")
    lesson.say(f"{report.code}, in {report.where}. {report.why}")
    if report.fix:
        print(f"\nTo mend it:  {report.fix}")


# %% [markdown]
# ## A layer
#
# Hint: which tensor is wrong, and by which factor? How many rows has the batch?

# %%
slip, report = riddle("affine-5")

# %% [markdown]
# Think first.

# %%
solution(slip, report)

# %% [markdown]
# ## An activation
#
# Hint: the slope of $\sigma(x)$ is $y\,(1 - y)$. Of which y?

# %%
slip, report = riddle("sigmoid-3")

# %% [markdown]
# Think first.

# %%
solution(slip, report)

# %% [markdown]
# ## A loss
#
# Hint: the gradient of softmax with cross-entropy has rows that sum to 0. Do these?

# %%
slip, report = riddle("softmaxloss-3")

# %% [markdown]
# Think first.

# %%
solution(slip, report)

# %% [markdown]
# ## What no gradient shows
#
# Some mistakes leave each gradient right. Here the first step is; the second adds to it. So the check runs backward
# more than once, and looks at what must not change: x, dy, the parameters.


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
layer.backward(np.ones((7, 3), "float32"))
once = layer.db.copy()
layer.backward(np.ones((7, 3), "float32"))
lesson.say(f"db after one backward: {once}, after two: {layer.db}.")
report = tinynn.check_layer(layer, x)
lesson.say(f"{report.code}: {report.why}")
assert report.code == "accumulates"

# %% [markdown]
# ## And what is right
#
# A name is given for an exact match only. A right network is never named; one that is wrong in a way of its own is
# "unknown", with the layer, the tensor and the entry.

# %%
model = Sequential(Affine(5, 4), Tanh(), Affine(4, 3), seed=0)
lesson.verdict(tinynn.check(model, x, t, SoftmaxCrossEntropy()))
names = {slip.code for slip in zoo.slips}
lesson.say(f"""The zoo has {len(zoo.slips)} slips with {len(names)} causes. Play: python -m tinynn.teach.zoo lists them,
    python -m tinynn.teach.zoo relu-3 plays one, --random any.""")
