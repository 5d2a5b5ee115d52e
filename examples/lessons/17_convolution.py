# %% [markdown]
# # Convolution
#
# To an affine layer a picture is a list of 784 numbers. It does not know which pixels are neighbours, and what it has
# learned in one corner it has to learn again in every other. A convolution looks at a small window of the picture, and
# walks with it over the whole: the same few weights at every place.

# %%
import lesson
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import tinynn
from tinynn import Adam, Affine, Conv2D, Flatten, MaxPool2D, ReLU, Sequential, SoftmaxCrossEntropy, plots

quick = lesson.start()
rng = np.random.default_rng(0)
(x, labels), _ = tinynn.datasets.load_mnist(flatten=False)
x = x[..., None]  # images (N, H, V, C): height, width, and one channel

# %% [markdown]
# ## A window walks over a digit
#
# The kernel W has 3 x 3 weights. At the place (p, q) it lies on the pixels from (p, q) to (p + 2, q + 2). Each weight
# is multiplied by the pixel below it, and the products are added:
#
# $$y_{pq} = \sum_{i=0}^{2} \sum_{j=0}^{2} x_{p+i,\,q+j}\, W_{ij} + b .$$
#
# A kernel with -1 in its left column and 1 in its right one compares left with right: it finds edges.

# %%
lesson.ask(
    "A window has the rows (0, 0, 1), (0, 0, 1), (0, 1, 1). Which y does this kernel give, with b = 0?",
    3,
    "The right column counts 1 + 1 + 1, the middle one nothing, and the left one is 0.",
    slips={4: "The middle column has the weight 0."},
)

# %%
edges = Conv2D(1, 1, 3)
edges.W = np.array([[-1.0, 0.0, 1.0]] * 3).reshape(3, 3, 1, 1)
digit = x[labels == 7][0].astype("float64")
y = edges.forward(digit[None])[0, :, :, 0]
p, q = np.unravel_index(y.argmax(), y.shape)
window = digit[p : p + 3, q : q + 3, 0]
lesson.say(f"The window at ({p}, {q}), the kernel, and the products, whose sum is y[{p},{q}] = {y[p, q]:.2f}:")
for row, weights in zip(window, edges.W[:, :, 0, 0]):
    columns = row, weights, row * weights + 0.0
    print("  " + "   ".join("".join(f"{number:>7.2f}" for number in numbers) for numbers in columns))
kernel = edges.W[:, :, 0, 0]
assert np.allclose(y, [[(digit[p : p + 3, q : q + 3, 0] * kernel).sum() for q in range(26)] for p in range(26)])

figure = Figure(figsize=(7.6, 3.8), layout="constrained")
axes = figure.subplots(1, 2)
axes[0].imshow(digit[:, :, 0], cmap="gray_r")
axes[1].imshow(y, cmap="RdBu", vmin=-3, vmax=3)
for place, colour in (((p, q), plots.ORANGE), ((4, 2), plots.GREEN), ((11, 19), plots.PURPLE)):
    for a, size in zip(axes, (3, 1)):
        corner = place[1] - 0.5, place[0] - 0.5
        a.add_patch(Rectangle(corner, size, size, fill=False, edgecolor=colour, linewidth=2.5))
axes[0].set(title="x, 28 x 28", xticks=[], yticks=[])
axes[1].set(title="y, 26 x 26", xticks=[], yticks=[])
lesson.show(
    axes[0], "window",
    """Left: the digit, and the window at three places. Right: the result, blue where y is positive, red where it is
    negative; the little squares are the results of the three windows. A left edge of the stroke is blue, a right edge
    is red, and where nothing changes from left to right y is 0.""",
)  # fmt: skip

# %% [markdown]
# ## The size of the result
#
# A window of K pixels in a row of H pixels fits at $H - K + 1$ places. *Padding* puts P zeros on either side, so that
# the picture need not shrink. With a *stride* of S the window moves by S pixels at a time. Together, with floor for
# rounding down:
#
# $$H_y = \operatorname{floor}\left(\frac{H + 2 P - K}{S}\right) + 1 .$$

# %%
lesson.ask(
    "A picture is 28 pixels high, the kernel 5, padding 2, stride 2. How high is the result?",
    14,
    "(28 + 4 - 5) / 2 = 13.5, rounded down to 13, and 1 more.",
    slips={13: "The first place counts, too: + 1.", 28: "That is so with a stride of 1."},
)

# %%
print("\n  kernel  padding  stride     result")
for K, P, S in ((3, 0, 1), (3, 1, 1), (5, 2, 1), (5, 2, 2), (2, 0, 2), (28, 0, 1)):
    shape = Conv2D(1, 8, K, stride=S, padding=P).forward(x[:1]).shape
    print(f"  {K:>6}{P:>9}{S:>8}     {shape[1]} x {shape[2]}, {shape[3]} channels")
    assert shape[1] == (28 + 2 * P - K) // S + 1

# %% [markdown]
# ## Channels, and how many weights
#
# One kernel finds one thing. A layer has O kernels, and gives O numbers at each place: O *channels*. If its input has C
# channels, a kernel covers all of them. So W is (K, K, C, O) and b is (O,), whatever the size of the picture.

# %%
lesson.ask(
    "How many parameters has a convolution with 8 kernels of 3 x 3 on pictures with one channel?",
    80,
    "3 * 3 * 1 * 8 = 72 weights and 8 biases.",
    slips={72: "Each kernel has a bias, too."},
)

# %%
layer = Conv2D(1, 8, 3)
layer.build()
affine = 784 * 26 * 26 * 8 + 26 * 26 * 8
lesson.say(f"""{layer!r} has {layer.W.size + layer.b.size} parameters. An affine layer from 28 x 28 pixels to the same
    26 x 26 x 8 numbers would have {affine:,}.""")
assert layer.W.size + layer.b.size == 80

# %% [markdown]
# ## The gradient of a weight that is used everywhere
#
# $W_{ij}$ is used at every place (p, q), there with the pixel $x_{p+i,\,q+j}$. It reaches the loss on as many ways as
# there are places, and the chain rule adds them up:
#
# $$\frac{\partial L}{\partial W_{ij}} = \sum_{p,q} x_{p+i,\,q+j}\, dy_{pq} .$$
#
# (In a batch the sum is over all pictures as well.) In the same way a pixel stands in up to K K windows, and its
# gradient is the sum of what comes back from each.
#
# There is another way to see it. A convolution *is* an affine map, with a large matrix that is mostly 0, and whose
# other entries are the same few weights again and again. Give each entry a gradient of its own, as in an affine layer,
# and add those up that belong to the same weight.

# %%
size, out = 6, 4
image, kernel = rng.normal(size=(size, size)), rng.normal(size=(3, 3))
dy = rng.normal(size=(out, out))
matrix, owner = np.zeros((size * size, out * out)), np.full((size * size, out * out), -1)
for p in range(out):
    for q in range(out):
        for i in range(3):
            for j in range(3):
                matrix[(p + i) * size + q + j, p * out + q] = kernel[i, j]
                owner[(p + i) * size + q + j, p * out + q] = 3 * i + j
layer = Conv2D(1, 1, 3)
layer.W = kernel[:, :, None, None]
y = layer.forward(image[None, :, :, None])
dx = layer.backward(dy[None, :, :, None])
each = np.outer(image.ravel(), dy.ravel())  # dW = x^T dy of the affine layer
added = np.array([each[owner == k].sum() for k in range(9)]).reshape(3, 3)
values, h = [], 1e-6
for change in (h, -h):  # a finite difference
    layer.W[0, 0, 0, 0] = kernel[0, 0] + change
    values.append((layer(image[None, :, :, None])[0, :, :, 0] * dy).sum())
measured = (values[0] - values[1]) / (2 * h)
lesson.say(f"""A picture of {size} x {size}, so the matrix is {matrix.shape}; {np.count_nonzero(matrix)} of its
    {matrix.size} entries are not 0, and they have {len(np.unique(matrix)) - 1} different values. The gradient of
    $W_{{00}}$: added up over the entries {added[0, 0]:.8f}, by tinynn {layer.dW[0, 0, 0, 0]:.8f}, by a finite
    difference {measured:.8f}.""")
assert np.allclose(image.ravel() @ matrix, y.ravel()) and np.allclose(matrix @ dy.ravel(), dx.ravel())
assert np.allclose(added, layer.dW[:, :, 0, 0]) and np.isclose(added[0, 0], measured, rtol=1e-6)
axes = Figure(figsize=(4.6, 5), layout="constrained").subplots()
axes.imshow(np.where(owner < 0, np.nan, owner), cmap="tab10", vmin=0, vmax=9)
axes.set(xlabel="place in y (4 x 4)", ylabel="pixel of x (6 x 6)", xticks=[0, 4, 8, 12], yticks=range(0, 36, 6))
lesson.show(
    axes, "matrix",
    """The convolution as the matrix of an affine map. Each colour is one of the nine weights; white is 0. Every weight
    stands in each of the 16 columns once, so its gradient is a sum of 16 terms.""",
)  # fmt: skip

# %%
lesson.ask(
    "All 28 x 28 pixels of a picture are 1, the kernel is 3 x 3, dy is 1 everywhere. What is the gradient of a weight?",
    676,
    "A term 1 * 1 for each of the 26 * 26 = 676 places.",
    slips={784: "The window fits at 26 x 26 places.", 9: "That is how many weights there are."},
)

# %% [markdown]
# ## A shifted digit
#
# If the digit moves by two pixels, the result moves by two pixels, and is otherwise the same. A kernel that has learned
# to find an edge finds it everywhere.

# %%
moved = np.roll(digit, 2, axis=1)
assert np.allclose(edges(moved[None])[:, :, 2:], edges(digit[None])[:, :, :-2])
lesson.say("Moved by two columns, all numbers of y are the same, two columns further to the right.")

# %% [markdown]
# ## Does it help?
#
# Three networks with 1,000 digits of 14 x 14 pixels: a convolution with max pooling (the largest of each 2 x 2 numbers)
# and an affine layer; and two networks of affine layers, one with about as many parameters and one with four times as
# many. Tested on 2,000 other digits, as they are and moved by up to two pixels.

# %%
small = np.ascontiguousarray(x[:20000].reshape(-1, 14, 2, 14, 2, 1).mean(axis=(2, 4)))
test, t_test = small[18000:], labels[18000:20000]
steps = rng.integers(-2, 3, (2000, 2))
moved = np.array([np.roll(image, step, axis=(0, 1)) for image, step in zip(test, steps)])
loss, seeds = SoftmaxCrossEntropy(), range(1 if quick else 3)
networks = {
    "convolution": lambda: (Conv2D(1, 8, 3), ReLU(), MaxPool2D(2), Flatten(), Affine(288, 10)),
    "affine, 14 units": lambda: (Flatten(), Affine(196, 14), ReLU(), Affine(14, 10)),
    "affine, 64 units": lambda: (Flatten(), Affine(196, 64), ReLU(), Affine(64, 10)),
}
right = {}
print(f"\n  {'':<18}{'parameters':>12}{'as they are':>14}{'moved':>10}")
for name, make in networks.items():
    found = []
    for seed in seeds:
        rows, model = slice(1000 * seed, 1000 * seed + 1000), Sequential(*make(), backend="numpy", seed=seed)
        options = {"optimizer": Adam(model, 0.005), "epochs": 10, "batch_size": 50, "seed": seed, "progress": False}
        model.fit(small[rows], labels[rows], loss=loss, **options)
        found.append([100 * model.evaluate(a, t_test, loss=loss)["accuracy"] for a in (test, moved)])
    right[name] = np.mean(found, axis=0)
    print("  {:<18}{:>12,}{:>12.1f} %{:>8.1f} %".format(name, model.params.size, *right[name]))
assert right["convolution"][0] > right["affine, 14 units"][0] + 1 and max(moved for _, moved in right.values()) < 50

# %% [markdown]
# With about as many parameters, the convolution is better. (The price is time: each weight is used at 144 places.) But
# it does not make a network indifferent to shifts: its result moves with the digit, and the affine layer behind it has
# learned where things are. The remedy is to train with moved digits, too: `examples/mnist_resnet.py` has an option
# for it, `--shift`.

# %%
model = Sequential(Conv2D(1, 2, 3, padding=1), ReLU(), MaxPool2D(2), Flatten(), Affine(18, 3), seed=0)
lesson.verdict(tinynn.check(model, rng.normal(size=(5, 6, 6, 1)), rng.integers(0, 3, 5), loss))
