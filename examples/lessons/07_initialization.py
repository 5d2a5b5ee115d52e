# %% [markdown]
# # Initialization
#
# Before the first step the weights need first values. The biases may start at 0, but how large should the weights be?
# Weights of a wrong size keep a deep network from learning, however long you train it. The right size follows from one
# short calculation, which we do first. Then we measure it.

# %%
from functools import partial

import lesson
import numpy as np
from matplotlib.figure import Figure

import tinynn
from tinynn import MSE, SGD, Affine, ReLU, Sequential, initializers, minibatches

quick = lesson.start()
rng, loss = np.random.default_rng(0), MSE()

# %% [markdown]
# ## All weights equal
#
# The simplest first value is 0, and for a straight line it was good enough. Take a network with one hidden layer,
# $h = \operatorname{ReLU}(x W_1 + b_1)$ and $y = h W_2 + b_2$, and let all weights and biases be 0. Then h = 0. By the
# chain rule, the gradient of the second weights is $dW_2 = h^T dy$, and the gradient of the hidden units is
# $dh = dy\, W_2^T$.

# %%
lesson.choose(
    "Which parameters have a gradient that is not 0?",
    {
        "all of them": "$dW_2 = h^T dy$ is 0, because h is 0; and $dh = dy\\, W_2^T$ is 0, because $W_2$ is 0.",
        "$W_2$ and $b_2$": "$dW_2 = h^T dy$, and h is 0.",
        "$b_2$ alone": "h = 0 makes $dW_2$ zero, and $W_2 = 0$ makes dh zero, and with it $dW_1$ and $db_1$.",
    },
    right="$b_2$ alone",
)

# %%
x, t = rng.normal(size=(100, 8)), rng.normal(size=(100, 2))


def two_layers(weight_init):
    layers = Affine(8, 16, weight_init=weight_init), ReLU(), Affine(16, 2, weight_init=weight_init)
    return Sequential(*layers, backend="numpy", dtype="float64", seed=0)


model = two_layers("zeros")
loss.forward(model.forward(x), t)
model.backward(loss.backward())
gradients = {"dW1": model[0].dW, "db1": model[0].db, "dW2": model[2].dW, "db2": model[2].db}
largest = {name: abs(gradient).max() for name, gradient in gradients.items()}
lesson.say("The largest number in each: " + ", ".join(f"{name} {value:.4f}" for name, value in largest.items()) + ".")
assert [name for name, value in largest.items() if value > 0] == ["db2"]

# %% [markdown]
# So the network learns one bias for each output, and nothing about x. Now let all weights be 0.1. The gradients are no
# longer 0. But all 16 hidden units compute the same number from the same x, and their weights in the next layer are the
# same, so they get the same gradient.

# %%
lesson.ask(
    "After 100 steps of gradient descent, how many different columns has $W_1$? (Each hidden unit has one of 16.)",
    1,
    "Equal units with equal gradients stay equal: 16 of them can do no more than one.",
    slips={16: "What could make two units different? Their weights and their gradients are the same."},
)

# %%
lesson.say("After 100 steps:")
for name, weight_init in (("all 0.1", partial(initializers.constant, value=0.1)), ("random", "kaiming_normal")):
    model = two_layers(weight_init)
    history = model.fit(x, t, loss=loss, optimizer=SGD(model, 0.1), epochs=100, batch_size=100, seed=0, progress=False)
    columns = len(np.unique(model[0].W.round(10), axis=1).T)
    print(f"  {name:<8}  different columns {columns:>2}   loss {history['loss'][-1]:.4f}")
    assert columns == (1 if name == "all 0.1" else 16)

# %% [markdown]
# Random weights break this symmetry. That is why they are random.
#
# ## How large? Forward
#
# Let the weights have mean 0 and variance v, independent of each other and of x. A unit sums D products,
# $y_j = \sum_i x_i W_{ij}$. The products have mean 0 and are uncorrelated, so their variances add up:
#
# $$\operatorname{var}(y_j) = \sum_i \operatorname{var}(W_{ij})\, x_i^2 = D\, v\, q, \qquad
# q = \frac{1}{D} \sum_i x_i^2 .$$
#
# q is the mean square of the inputs. ReLU then sets the negative half of the y to 0. Negative and positive y are
# equally frequent and equally large, so half of the mean square is left. One layer with its ReLU multiplies the mean
# square by
#
# $$\frac{D\, v}{2}, \qquad \text{which is 1 for} \quad v = \frac{2}{D} .$$
#
# These are Kaiming's weights (He et al. 2015). Without the ReLU the variance would be $v = 1 / D$.

# %%
lesson.ask(
    "A layer has D = 200 inputs, and ReLU follows. Which standard deviation of the weights keeps the mean square?",
    0.1,
    "v = 2 / 200 = 0.01, and its root is 0.1.",
    slips={0.01: "This is the variance. Take its root.", 200**-0.5: "This is for a layer without ReLU."},
)

# %% [markdown]
# ## Backward
#
# $dx_i = \sum_j dy_j W_{ij}$ is a sum over the H outputs, and ReLU has set half of the dy to 0. So the mean square of
# the gradient is multiplied by $H\, v / 2$. With D = H both directions ask for the same v. Otherwise you have to
# choose: Xavier's weights (Glorot & Bengio 2010), made for layers without ReLU, take the middle, $v = 2 / (D + H)$.

# %%
lesson.ask(
    "With $v = 1 / D$ and ReLU, by which factor is the mean square smaller after 10 layers?",
    1024,
    "Each layer halves it: $2^{10} = 1024$. (The root of the mean square is 32 times smaller.)",
    slips={32: "This is the factor of its root.", 20: "Factors are multiplied, not added: 2 * 2 * 2 ..."},
)

# %% [markdown]
# ## Measured
#
# A stack of 30 layers of 256 units, and four sizes of weights. Forward and backward, each layer should multiply the
# root of the mean square by $\sqrt{D\, v / 2}$.

# %%
DEPTH, D = 30, 256
stds = {"std 0.01": 0.01, "variance 1/D": D**-0.5, "variance 2/D, Kaiming": (2 / D) ** 0.5, "std 0.2": 0.2}


def sizes(std):
    """The root mean square of each layer's output after ReLU, and of the gradient that reaches each layer's input."""
    y, dy = rng.normal(size=(2, 128, D))
    forward, backward, layers = [], [], []
    for _ in range(DEPTH):
        W = rng.normal(0, std, (D, D))
        y = np.maximum(y @ W, 0)
        layers.append((W, y > 0))
        forward.append(np.sqrt(np.mean(y**2)))
    for W, on in reversed(layers):
        dy = (dy * on) @ W.T
        backward.append(np.sqrt(np.mean(dy**2)))
    return forward, backward


lesson.say("The root of the mean square of the units, and the factor of a layer forward and backward:")
print(f"  {'weights':<24}{'layer 1':>9}{'layer 30':>10}{'forward':>10}{'backward':>10}{'calculated':>12}")
axes = Figure(figsize=(7.6, 3.4), layout="constrained").subplots(1, 2, sharey=True)
for (name, std), style in zip(stds.items(), ("s--", "^:", "o-", "D-.")):
    forward, backward = sizes(std)
    factors = [(a[-1] / a[0]) ** (1 / (DEPTH - 1)) for a in (forward, backward)]
    values = forward[0], forward[-1], *factors, std * np.sqrt(D / 2)
    print("  {:<24}{:>9.2g}{:>10.2g}{:>10.3f}{:>10.3f}{:>12.3f}".format(name, *values))
    assert np.allclose(factors, values[-1], rtol=0.05)
    for a, values in zip(axes, (forward, backward[::-1])):
        a.semilogy(range(1, DEPTH + 1), values, style, markersize=3, label=name)
axes[0].set(title="forward", xlabel="layer", ylabel="root of the mean square")
axes[1].set(title="backward", xlabel="layer")
axes[0].legend(frameon=False)
lesson.show(
    axes[0], "sizes",
    """Left: the size of the units in layers 1 to 30. Right: the size of the gradient that comes back to each layer,
    from layer 30 on the right to layer 1 on the left. On these logarithmic scales a constant factor is a straight
    line. Only with the variance 2 / D is the line level, forward and backward.""",
)  # fmt: skip

# %% [markdown]
# ## Does it matter?
#
# Twenty hidden layers learn digits: ten outputs, each of which should be 1 for its own digit and 0 for the others, and
# the mean squared error. A network that ignores its input can answer 0.1 everywhere. A tenth of the targets is 1, so
# this costs $0.1 \cdot 0.9^2 + 0.9 \cdot 0.1^2 = 0.09$. A network whose loss stays there has learned nothing.

# %%
(x, labels), _ = tinynn.datasets.load_mnist()
x = x[:500].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)  # half as high and wide: 4 pixels become one
x, t = (x - x.mean()) / x.std(), np.eye(10, dtype="float32")[labels[:500]]


def learn(factor, lr):
    """The loss before the first step, and after some epochs, with weights of variance factor / D."""
    layers = []
    for D in (196, *[64] * 19):
        layers += [Affine(D, 64, weight_init=partial(initializers.normal, std=np.sqrt(factor / D))), ReLU()]
    model = Sequential(*layers, Affine(64, 10, weight_init="xavier_normal"), backend="numpy", seed=0)
    optimizer, before = SGD(model, lr), loss(model(x), t)
    for epoch in range(4 if quick else 10):
        for rows, targets in minibatches(x, t, 25, seed=epoch):
            if not np.isfinite(loss.forward(model.forward(rows), targets)):
                return before, np.nan
            model.backward(loss.backward())
            optimizer.step()
    return before, loss(model(x), t)


np.seterr(all="ignore")  # where the weights are too large, numbers overflow
lesson.say("Three variances, two learning rates: the loss before the first step, and at the end (nan: it overflowed).")
print(f"  {'variance':<18}{'before':>12}{'lr 0.1':>12}{'lr 1':>12}")
ends = {}
for name, factor in (("1/D", 1), ("2/D, Kaiming", 2), ("8/D", 8)):
    (before, ends[name]), (_, of_lr_1) = learn(factor, 0.1), learn(factor, 1)
    print(f"  {name:<18}{before:>12.4g}{ends[name]:>12.4f}{of_lr_1:>12.4f}")
assert ends["2/D, Kaiming"] < 0.083 < 0.089 < ends["1/D"] and np.isnan(ends["8/D"])

# %% [markdown]
# With $v = 1 / D$ hardly anything of x is left after 20 layers, and the first layers get hardly any gradient. A larger
# learning rate helps a little, and is too large for Kaiming's weights. With $v = 8 / D$ the mean square grows by 4 in
# each layer, and numbers overflow.
#
# With two or three layers such a factor does little harm; with depth it becomes a power. tinynn's `Affine` and `Conv2D`
# begin with Kaiming's weights; PyTorch has them as `nn.init.kaiming_normal_`.

# %%
model = two_layers("kaiming_normal")
lesson.verdict(tinynn.check(model, rng.normal(size=(7, 8)), rng.normal(size=(7, 2)), loss))
