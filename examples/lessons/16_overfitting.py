# %% [markdown]
# # Overfitting
#
# A network is trained on some rows and used on others. What counts is the loss on the others. This lesson shows how far
# the two can be apart, and measures what three well-known remedies do about it: weight decay, dropout and early
# stopping. The effects differ with the data, so we measure them twice, with several seeds.

# %%
import lesson
import numpy as np
from matplotlib.figure import Figure

import tinynn
from tinynn import Adam, Affine, Dropout, EarlyStopping, ReLU, Sequential, SoftmaxCrossEntropy, plots

quick = lesson.start()

# %% [markdown]
# ## The experiment
#
# Digits of MNIST, with a quarter of the pixels. 300 are trained on, 500 others serve to *validate*: the loss on them is
# measured after each epoch. 2,000 more serve to *test*: they are looked at once, at the end.

# %%
loss = SoftmaxCrossEntropy()
(x, labels), _ = tinynn.datasets.load_mnist()
x, labels = x[:16000].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196), labels[:16000]  # 4 pixels become 1


def split(seed, wrong=0.0, rows=300):
    """Rows to train with, rows to validate with, rows to test with. A share of the training labels is drawn anew."""
    rng = np.random.default_rng(seed)
    train, validation, test = np.split(rng.permutation(len(x))[: rows + 2500], [rows, rows + 500])
    t = labels[train].copy()
    spoilt = rng.permutation(rows)[: round(wrong * rows)]
    t[spoilt] = rng.integers(0, 10, len(spoilt))
    return (x[train], t), (x[validation], labels[validation]), (x[test], labels[test])


def learn(data, seed, dropout=0.0, weight_decay=0.0, callbacks=(), epochs=40, validate=False):
    """A network with 128 hidden units, trained on `data`, and the history of its training."""
    (x, t), validation, _ = data
    model = Sequential(Affine(196, 128), ReLU(), Dropout(dropout), Affine(128, 10), backend="numpy", seed=seed)
    optimizer = Adam(model, 0.003, weight_decay=weight_decay)
    history = model.fit(
        x, t, loss=loss, optimizer=optimizer, epochs=epochs, batch_size=50, seed=seed, progress=False,
        validation_data=validation if validate else None, callbacks=list(callbacks),
    )  # fmt: skip
    return model, history


# %% [markdown]
# ## By heart
#
# We take 300 digits, and give each of them a label that is drawn at random, whatever the picture shows. There is
# nothing to learn. A network with 128 hidden units learns them for 100 epochs.

# %%
lesson.choose(
    "How many of the 300 random labels does the network say right at the end?",
    {
        "about 10 %": "That would be guessing. The network has 26,506 parameters for 300 labels.",
        "about half": "It does not stop there: each row has pixels of its own, and they are enough to tell it apart.",
        "nearly all": "With 26,506 parameters for 300 labels it can learn every single one by heart.",
    },
    right="nearly all",
)
lesson.ask(
    "And how many percent of other digits, with their true labels?",
    10,
    "It has learned nothing about digits, so its answers are as good as guesses among ten.",
    within=4,
)

# %%
data = split(0, wrong=1.0)
model, history = learn(data, 0, epochs=100)
by_heart, others = history["accuracy"][-1], model.evaluate(*data[2], loss=loss)["accuracy"]
lesson.say(f"""{model.params.size:,} parameters. Accuracy on the 300 rows with random labels: {100 * by_heart:.0f} %. On
    2,000 others: {100 * others:.0f} %. A small training loss alone proves nothing.""")
assert by_heart > 0.97 and others < 0.2

# %% [markdown]
# ## Two curves
#
# Now one label in five is drawn at random, as if the person who wrote the labels had been careless; the others are
# true. The network trains on 300 such rows.

# %%
data = split(0, wrong=0.2)
model, history = learn(data, 0, validate=True)
best = int(np.argmin(history["val_loss"])) + 1
axes = Figure(figsize=(7.6, 3.2), layout="constrained").subplots(1, 2)
epochs = np.arange(1, 41)
for a, name in zip(axes, ("loss", "accuracy")):
    a.plot(epochs, history[name], color=plots.BLUE, label="training")
    a.plot(epochs, history[f"val_{name}"], "--", color=plots.VERMILLION, label="validation")
    a.set(xlabel="epoch", ylabel=name)
axes[0].legend(frameon=False)
lesson.show(
    axes[0], "curves",
    """Left: the training loss (solid) falls all the way. The validation loss (dashed) falls, and then rises again: from
    there on the network learns the wrong labels. Right: the accuracy.""",
)  # fmt: skip

# %%
lesson.ask(
    "After which epoch is the network best for other digits? Read it off the left picture.",
    best,
    f"The validation loss is least after epoch {best}, {history['val_loss'][best - 1]:.3f}.",
    slips={40: "The training loss is least there. Look at the other curve."},
    within=4,
)

# %%
lesson.say(f"""The validation loss is {history["val_loss"][best - 1]:.3f} after epoch {best} and
    {history["val_loss"][-1]:.3f} after epoch 40; the training loss went down to {history["loss"][-1]:.3f}.""")
assert best < 30 and history["val_loss"][-1] > 1.05 * history["val_loss"][best - 1]

# %% [markdown]
# ## Three remedies
#
# **Weight decay** adds $\frac{\lambda}{2} \sum w^2$ to the loss: large weights cost. The gradient of this term is
# $\lambda w$, so a step of gradient descent becomes
#
# $$w \leftarrow w - \eta\, (g + \lambda w) = (1 - \eta \lambda)\, w - \eta\, g .$$
#
# Each step shrinks every weight by the same factor, and what the data do not ask for again and again fades away. (Adam
# here applies this factor to the weights directly, and does not scale it by its running means.)

# %%
lesson.ask(
    "With $\\eta = 0.003$ and $\\lambda = 2$, what is left of a weight after 100 steps, if its gradient g is 0?",
    (1 - 0.003 * 2) ** 100,
    "$(1 - 0.006)^{100} = 0.548$.",
    slips={0.4: "The factors are multiplied: each step takes its share of what is left, not of the first value."},
)

# %% [markdown]
# **Dropout** sets each hidden unit to 0 with the probability r, anew for each row and step, so no unit can rely on a
# certain other one. The units that stay are divided by $1 - r$. This keeps the mean of what the next layer gets:
# $(1 - r) \cdot \frac{h}{1 - r} + r \cdot 0 = h$. So in use nothing has to be changed: all units take part.
#
# **Early stopping** ends the training when the validation loss has not become less for some epochs, and takes the
# weights of the best epoch. The validation data have then been used for a choice. That is why there are test data.

# %%
lesson.choose(
    "100,000 units are all 3. After Dropout(0.5), in training, they are ...",
    {
        "0 or 3": "Then their mean would be 1.5, and the next layer would get half of what it gets in use.",
        "0 or 6": "Half of them are 0, the others 3 / (1 - 0.5) = 6: the mean is still 3.",
        "1.5": "Units are dropped, not scaled down.",
    },
    right="0 or 6",
)

# %%
h, dropped = np.full((1, 100_000), 3.0), Dropout(0.5)
dropped.build(np.random.default_rng(0))
y = dropped.forward(h)
lesson.say(f"""After Dropout the values are {np.unique(y).tolist()}, and their mean is {y.mean():.3f}. In use they are
    {np.unique(dropped(h)).tolist()}.""")
assert set(np.unique(y)) == {0, 6} and abs(y.mean() - 3) < 0.05 and (dropped(h) == h).all()

# %% [markdown]
# ## Measured
#
# Each remedy is used alone, once with the true labels, once with one label in five drawn at random. One run says
# little: another seed gives other rows, other first weights and another result. So each is repeated with several seeds,
# and compared with the plain network of the *same* seed. If the mean of the differences is less than twice its standard
# error, it may be chance.

# %%
remedies = {
    "plain": {}, "weight decay 2": {"weight_decay": 2.0}, "dropout 0.5": {"dropout": 0.5},
    "early stopping": {"callbacks": [EarlyStopping(patience=5)], "validate": True},
}  # fmt: skip
seeds, gained = range(2 if quick else 4), {}
for wrong in (0.2,) if quick else (0.0, 0.2):
    found = {name: [] for name in remedies}
    for seed in seeds:
        data = split(seed, wrong)
        for name, options in remedies.items():
            tested = learn(data, seed, **options)[0].evaluate(*data[2], loss=loss)
            found[name].append((tested["loss"], 100 * tested["accuracy"]))
    lesson.say(
        f"{100 * wrong:.0f} % of the labels are drawn at random. The mean of {len(seeds)} seeds, 2,000 digits each:"
    )
    print(f"  {'':<16}{'test loss':>10}{'accuracy':>10}   more than plain, with standard error")
    for name, rows in found.items():
        more = np.array(rows)[:, 1] - np.array(found["plain"])[:, 1]
        gained[name, wrong], error = more.mean(), more.std(ddof=1) / np.sqrt(len(seeds))
        chance = "" if abs(more.mean()) > 2 * error else "   may be chance"
        compared = f"{more.mean().round(1) + 0.0:>8.1f} ± {error:.1f}{chance}"
        print("  {:<16}{:>10.3f}{:>8.1f} %".format(name, *np.mean(rows, axis=0)) + compared * (name != "plain"))
for (name, wrong), more in gained.items():
    assert name == "plain" or (more > 1.5 if wrong else abs(more) < 1.5)

# %% [markdown]
# With true labels the remedies change the accuracy little: 300 digits without mistakes do not mislead the network much.
# With wrong labels each remedy helps clearly, because each of them makes it harder to learn those by heart. The
# strengths 2 and 0.5 were chosen for this network, by trying. More is not always better, as the next numbers show.
#
# The remedy that helps most is another one.

# %%
data = split(0)
accuracies = [
    100 * learn(*arguments)[0].evaluate(*data[2], loss=loss)["accuracy"]
    for arguments in ((data, 0), (data, 0, 0.0, 30.0))
]
data = split(0, rows=3000)
more = 100 * learn(data, 0, epochs=10)[0].evaluate(*data[2], loss=loss)["accuracy"]
lesson.say(f"""300 true labels, plain: {accuracies[0]:.1f} %; with a weight decay of 30: {accuracies[1]:.1f} %. With ten
    times as many rows, 3,000, and a quarter of the epochs: {more:.1f} %.""")
assert accuracies[1] + 10 < accuracies[0] < more - 5

# %%
model = Sequential(Affine(6, 5), ReLU(), Dropout(0.5), Affine(5, 3), seed=0)
rng = np.random.default_rng(0)
lesson.verdict(tinynn.check(model, rng.normal(size=(7, 6)), rng.integers(0, 3, 7), loss))
