# %% [markdown]
# # Affine maps and shapes
#
# The line of the first lesson has one input and one output. With D inputs and H outputs it becomes an affine map, $y =
# x W + b$: W has a number for each pair of input and output. Nearly all mistakes in writing one are mistakes in shapes,
# so this lesson is about them.

# %%
import lesson
import numpy as np

import tinynn
from tinynn import MSE, Affine, Sequential, plots

quick = lesson.start()
rng = np.random.default_rng(0)

# %% [markdown]
# ## One row
#
# Each output weighs all inputs and adds a bias: $y_j = \sum_i x_i W_{ij} + b_j$.

# %%
D, H = 3, 2
x = np.array([[1.0, 2.0, -1.0]])
layer = Affine(D, H)
layer.W = np.array([[1.0, 0.5], [2.0, -1.0], [0.0, 3.0]])
layer.b = np.array([0.1, 0.2])
y = layer.forward(x)

# %%
lesson.ask(
    f"x = {x[0].tolist()}, the second column of W is {layer.W[:, 1].tolist()}, and the second bias {layer.b[1]}. "
    "What is the second output?",
    y[0, 1],
    "1 * 0.5 + 2 * (-1) + (-1) * 3 + 0.2 = -4.3.",
    slips={-4.5: "The bias is missing.", 5.1: "That is the first output."},
)

# %%
lesson.say(f"x {x.shape}, W {layer.W.shape}, b {layer.b.shape} give y {y.shape}, a number for each output:")
for j in range(H):
    terms = " + ".join(f"({x[0, i]:g}) ({layer.W[i, j]:g})" for i in range(D))
    print(f"  y[0,{j}] = {terms} + {layer.b[j]:g} = {y[0, j]:g}")
assert np.allclose(y, [[sum(x[0, i] * layer.W[i, j] for i in range(D)) + layer.b[j] for j in range(H)]])

# %% [markdown]
# ## Many rows
#
# Four rows can be computed one after the other, or at once.

# %%
lesson.choose(
    "X has 4 rows of 3 numbers, (4, 3), and W is (3, 2). The product X W has the shape ...",
    {
        "(3, 3)": "The 3 is what agrees; it is summed over, and gone.",
        "(4, 2)": "(4, 3) times (3, 2): the 3 is summed over, and a row of 2 outputs is left for each of 4 rows.",
        "(2, 4)": "Rows stay rows: one for each example.",
    },
    right="(4, 2)",
)

# %% [markdown]
#
# N rows at once are one product of matrices, (N, D) times (D, H), and b is added to every row. The two inner numbers
# must agree, and the two outer ones are the shape of the result.

# %%
N = 4
X = rng.normal(size=(N, D))
Y = layer.forward(X)
lesson.say(f"X {X.shape} times W {layer.W.shape} is Y {Y.shape}. Row by row it is the same:")
for n in range(N):
    print(f"  row {n}   {layer(X[n : n + 1])[0]}   {Y[n]}")
    assert np.allclose(layer(X[n : n + 1])[0], Y[n])

# %% [markdown]
# An input that does not fit raises an error, which says which layer, which argument and which shape. tinynn never
# stretches an array to make it fit. NumPy does: it turns (N, 1) minus (N,) into (N, N) without a word.

# %%
lesson.say("Three wrong inputs, and what the layer says of them:")
for wrong in (X[:, :2], X[0], X.astype(int)):
    try:
        layer.forward(wrong)
    except (TypeError, ValueError) as error:
        print(f"  {wrong.shape} {wrong.dtype}: {type(error).__name__}")
        lesson.say(str(error))
    else:
        raise AssertionError("this must not pass")
y, t = np.ones((N, 1)), np.arange(N)
lesson.say(f"And NumPy: y {y.shape} minus t {t.shape} is {(y - t).shape}.")

# %% [markdown]
# ## Backward: shapes say which product
#
# $dW = \partial L / \partial W$ has W's shape, (D, H). It is made of what the layer was given: x, which is (N, D), and
# dy, which is (N, H).

# %%
lesson.choose(
    "Which product of x and dy has the shape of W?",
    {
        "$x\\, dy^T$": "(N, D) times (H, N) does not even fit, unless D = H.",
        "$dy^T x$": "(H, N) times (N, D) is (H, D): W's shape transposed.",
        "$x^T dy$": "(D, N) times (N, H) is (D, H); the rows are summed over.",
    },
    right="$x^T dy$",
)

# %% [markdown]
# So $dW = x^T dy$. In the same way dx (N, D) must be $dy\, W^T$, and db (H,) the sum of dy's rows. Shapes do not prove
# a formula, but they exclude most others, unless D = H.

# %%
dy = rng.normal(size=(N, H))
layer.forward(X)
dx = layer.backward(dy)
lesson.say(f"From dy {dy.shape}: $dW = X^T dy$ {layer.dW.shape}, db {layer.db.shape}, $dx = dy\\, W^T$ {dx.shape}.")
assert np.allclose(layer.dW, X.T @ dy) and np.allclose(layer.db, dy.sum(axis=0)) and np.allclose(dx, dy @ layer.W.T)

# %% [markdown]
# In a square layer a transpose slips through: every shape is right, and the gradient is not. A check sees it.


# %%
class Transposed(Affine):
    def backward(self, dy):
        self.dW = dy.T @ self.x
        self.db = dy.sum(axis=0)
        return dy @ self.W.T


report = tinynn.check_layer(Transposed(3, 3), X)
lesson.say(f"A square layer with $dW = dy^T x$: {report.code}. {report.why}")
assert report.code == "dW-transposed"

# %% [markdown]
# ## How many numbers?
#
# An affine map has D H weights and H biases. In a network each layer takes as many numbers as the layer before it
# gives.

# %%
lesson.ask(
    "A network for pictures of 784 pixels has the layers Affine(784, 256) and Affine(256, 10). How many parameters?",
    784 * 256 + 256 + 256 * 10 + 10,
    "784 * 256 + 256 = 200,960 in the first layer, 256 * 10 + 10 = 2,570 in the second.",
    slips={
        784 * 256 + 256 * 10: "These are the weights; each output has a bias, too.",
        200960: "That is the first layer.",
    },
)

# %%
model = Sequential(Affine(3, 4), Affine(4, 2), dtype="float64", seed=0)
print()
print(model.summary())
assert model.params.size == 3 * 4 + 4 + 4 * 2 + 2
try:
    Sequential(Affine(3, 4), Affine(5, 2))
except ValueError as error:
    lesson.say(f"Widths that do not fit are found when the model is built: {error}.")
lesson.show(
    plots.network(model),
    "network",
    "Three inputs, four hidden units and two outputs. Each line is a weight: the wider, the farther from 0.",
)

# %%
lesson.verdict(tinynn.check(model, X, rng.normal(size=(N, 2)), MSE()))
