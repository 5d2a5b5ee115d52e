# %% [markdown]
# # Residual connections
#
# A drawing of a ResNet shows many layers, and arrows that lead past them. The arrows were the new idea, and they
# are what allows so many layers. This lesson derives what an arrow does to the gradient, and measures it
# in networks of up to 30 layers.

# %%
from functools import partial

import lesson
import numpy as np
from matplotlib.figure import Figure

import tinynn
from tinynn import Adam, Affine, BatchNorm, Conv2D, Flatten, ReLU, Residual, Sequential, SoftmaxCrossEntropy
from tinynn.initializers import normal

quick = lesson.start()
rng = np.random.default_rng(0)

# %% [markdown]
# ## One block
#
# A block computes $y = x + f(x)$, where f is a few layers. So f need not produce the whole result; it learns what is to
# be added to x. x goes two ways, and the gradient comes back on both. With J, the derivative of f at x:
#
# $$\frac{\partial y}{\partial x} = 1 + J, \qquad dx = dy + J^T dy .$$
#
# The first term is dy itself. Whatever f does to the gradient, on the other way it arrives as it was.

# %%
lesson.ask(
    "10 blocks, one after the other, and each f has the derivative 0.1. By which factor does the gradient change?",
    1.1**10,
    "Each block multiplies by 1 + 0.1, and $1.1^{10} = 2.59$.",
    slips={1e-10: "That is so without the connection: $0.1^{10}$.", 2: "The factors 1.1 are multiplied."},
)

# %%
lesson.say(f"The factor is {1.1**10:.2f} with the connections and {0.1**10:.0e} without them.")
inner = [Affine(4, 4), ReLU(), Affine(4, 4)]
block = Residual(*inner)
x, dy = rng.normal(size=(2, 5, 4))
y, dx = block.forward(x), block.backward(dy)
way = dy
for layer in reversed(inner):
    way = layer.backward(way)
apart = abs(y - x - inner[2].y).max(), abs(dx - dy - way).max()
lesson.say(f"""tinynn's Residual on random numbers: y differs from x + f(x) by {apart[0]:.0e} at most, and dx differs by
    {apart[1]:.0e} from dy plus what comes back through f.""")
assert np.allclose(y, x + inner[2].y) and np.allclose(dx, dy + way)

# %% [markdown]
# ## Many blocks, many ways
#
# Two blocks give $(1 + J_2)\, (1 + J_1) = 1 + J_1 + J_2 + J_2 J_1$: a sum over all ways through the network. Each way
# leads at each block either through f or past it.

# %%
lesson.ask(
    "How many ways lead through 5 blocks?",
    32,
    "Two choices at each of 5 blocks: $2^5$.",
    slips={10: "The choices are multiplied: 2 * 2 * 2 * 2 * 2.", 25: "It is $2^5$, not $5^2$."},
)

# %% [markdown]
# Most of these ways are shorter than the network is deep, and the shortest leads past every f.
#
# ## How large must f be at the start?
#
# Let f be ReLU and an affine map with D inputs and weights of mean 0 and variance v. As the lesson on initialization
# has derived, f multiplies the mean square by $D\, v / 2$. Since the weights are drawn independently of x, the mean
# square of $x + f(x)$ is the sum of both: a block multiplies it by $1 + D\, v / 2$.

# %%
lesson.ask(
    "With Kaiming's weights, v = 2 / D, by which factor does the mean square grow in 10 blocks?",
    1024,
    "Each block doubles it: $2^{10} = 1024$.",
    slips={1: "That is so without the connections.", 20: "Factors are multiplied, not added."},
)

# %% [markdown]
# So Kaiming's weights are too large for blocks. With L blocks, let v be $2 / (D L)$. The factor of all blocks is then
# $(1 + 1/L)^L$, which is less than $e = 2.72$ for any L.
#
# ## Measured
#
# Networks with 30 functions f, as they are at the start: without connections and with them, each with two sizes of
# weights. For each layer we look at the gradient that arrives there, and at how alike the units are for different
# digits: the mean cosine of the angle between them.

# %%
(x, t), _ = tinynn.datasets.load_mnist()
x = x[:3000].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)  # 4 pixels become one
x, t = (x - x.mean()) / x.std(), t[:3000]
loss, D = SoftmaxCrossEntropy(), 64


def network(depth, connected, variance, seed=0, dtype="float32"):
    """`depth` times f, ReLU and an affine map, between a first and a last affine map."""
    weight_init = partial(normal, std=np.sqrt(variance))
    layers = [Affine(196, D)]
    for _ in range(depth):
        f = ReLU(), Affine(D, D, weight_init=weight_init)
        layers += [Residual(*f)] if connected else f
    last = ReLU(), Affine(D, 10, weight_init="xavier_normal")
    return Sequential(*layers, *last, backend="numpy", dtype=dtype, seed=seed)


def at_the_start(connected, variance):
    """The size of the gradient that arrives at each f, and the mean cosine between the units of 100 digits."""
    model = network(30, connected, variance, dtype="float64")
    y, sizes, cosines = x[:100].astype("float64"), [], []
    for layer in model:
        y = layer.forward(y)
        if y.shape[1] == D and not isinstance(layer, ReLU):
            unit = y / np.linalg.norm(y, axis=1, keepdims=True)
            cosines.append((unit @ unit.T)[np.triu_indices(100, 1)].mean())
    loss.forward(y, t[:100])
    dy = loss.backward()
    for layer in list(model)[:0:-1]:
        dy = layer.backward(dy)
        if dy.shape[1] == D and not isinstance(layer, ReLU):
            sizes.append(np.sqrt(np.mean(dy**2)))
    return sizes[::-1], cosines


networks = {
    "without, v = 1/D": (False, 1 / D), "without, v = 2/D": (False, 2 / D), "with, v = 2/D": (True, 2 / D),
    "with, v = 2/(30 D)": (True, 2 / (30 * D)),
}  # fmt: skip
lesson.say("The size of the gradient (root of the mean square) at the last and the first f, and the mean cosine there:")
print(f"  {'connections':<22}{'gradient, last':>16}{'first':>10}{'cosine, first':>18}{'last':>10}")
axes = Figure(figsize=(7.6, 3.4), layout="constrained").subplots(1, 2)
start = {}
for (name, options), style in zip(networks.items(), (":", "-.", "--", "-")):
    sizes, cosines = start[name] = at_the_start(*options)
    print(f"  {name:<22}{sizes[-1]:>16.2g}{sizes[0]:>10.2g}{cosines[0]:>18.3f}{cosines[-1]:>10.3f}")
    axes[0].semilogy(sizes, style, label=name)
    axes[1].plot(cosines, style)
axes[0].set(xlabel="after so many f", ylabel="size of the gradient")
axes[1].set(xlabel="after so many f", ylabel="mean cosine between digits", ylim=(0, 1.02))
axes[0].legend(frameon=False, fontsize=8)
lesson.show(
    axes[0], "depth",
    """Left: how large the gradient is that arrives at each of the 30 f. It vanishes without connections and with small
    weights (dotted), explodes with connections and Kaiming's weights (dashed), and keeps its size in two networks.
    Right: how alike the units of different digits are; 1 means that they differ by a factor alone. (The first two
    curves are the same, as a factor does not change an angle.) Only one network keeps the digits as different as they
    were.""",
)  # fmt: skip
first, kaiming, exploding, good = (start[name] for name in networks)
assert first[0][0] < 1e-3 * first[0][-1] and exploding[0][0] > 1e3 * exploding[0][-1]
assert max(kaiming[0]) < 5 * min(kaiming[0]) and max(good[0]) < 5 * min(good[0])
assert kaiming[1][-1] > 0.95 and good[1][-1] < 0.6

# %% [markdown]
# So a gradient of the right size is not enough. Without connections Kaiming's weights keep it, but after 30 layers all
# digits look nearly the same, and the layers behind can hardly tell them apart.

# %%
lesson.choose(
    "Which of the two will learn with 30 layers: without connections and v = 2/D, or with them and v = 2/(30 D)?",
    {
        "both": "The gradients have the same size in both. But what do they tell the first layers?",
        "the one with connections": "Its gradients keep their size, and its digits stay different.",
        "none": "One of them has gradients of a good size and digits that are different.",
    },
    right="the one with connections",
)

# %%
seeds, right = range(1 if quick else 2), {}
epochs = 3 if quick else 5
lesson.say(f"1,000 digits, {epochs} epochs of Adam. How many of 2,000 others are right, in percent:")
print(f"  {'layers f':>10}{'without connections':>22}{'with connections':>20}")
for depth in (2, 10, 30):
    for connected, variance in ((False, 2 / D), (True, 2 / (D * depth))):
        found = []
        for seed in seeds:
            model = network(depth, connected, variance, seed)
            options = {"optimizer": Adam(model), "epochs": epochs, "batch_size": 50, "seed": seed, "progress": False}
            model.fit(x[:1000], t[:1000], loss=loss, **options)
            found.append(100 * np.mean(model(x[1000:]).argmax(axis=1) == t[1000:]))
        right[depth, connected] = np.mean(found)
    print(f"  {depth:>10}{right[depth, False]:>22.1f}{right[depth, True]:>20.1f}")
assert right[30, False] < 60 < 75 < right[30, True] and right[2, False] > 70

# %% [markdown]
# With 2 layers the connections change little. With 30 they decide whether the network learns. But 30 layers are
# hardly better here than 2: these are small pictures, and few. Depth is worth it where there is more to learn.
#
# ## The block of a ResNet
#
# There f is convolution, batch normalization, ReLU, and once more convolution and batch normalization, and ReLU follows
# the sum (He et al. 2016). The convolutions have no bias, as the batch normalization would take it off. Where f changes
# the number of channels or the size, x no longer fits f(x). Then x goes through a convolution with a kernel of
# 1 x 1, the `shortcut`.

# %%
f = Conv2D(1, 4, 3, stride=2, padding=1, bias=False), BatchNorm(4), ReLU()
f += Conv2D(4, 4, 3, padding=1, bias=False), BatchNorm(4)
block = Residual(*f, shortcut=Conv2D(1, 4, 1, stride=2))
model = Sequential(block, ReLU(), Flatten(), Affine(36, 3), seed=0, shape=(6, 6, 1))
lesson.verdict(tinynn.check(model, rng.normal(size=(5, 6, 6, 1)), rng.integers(0, 3, 5), loss))
