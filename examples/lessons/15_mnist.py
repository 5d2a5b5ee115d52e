# %% [markdown]
# # A network for MNIST
#
# Everything at once: 60,000 pictures of handwritten digits as data, 784-256-10 as model, softmax with cross-entropy as
# loss, Adam as algorithm. Before it is trained it is checked; after that it is looked into, and its mistakes are shown.

# %%
import lesson
import numpy as np

import tinynn
from tinynn import Adam, Affine, ReLU, Sequential, SoftmaxCrossEntropy, metrics, plots

quick = lesson.start()
(x, t), (x_test, t_test) = tinynn.datasets.load_mnist()
lesson.say(f"""Data: {len(x):,} pictures to learn from, {len(x_test):,} to test with. A picture is a row of
    {x.shape[1]} numbers from {x.min():g} to {x.max():g}; {100 * np.mean(x == 0):.0f} % of them are 0, the paper.""")

# %% [markdown]
# ## Model, loss, algorithm
#
# Kaiming normal weights, zero biases, ReLU between the two affine maps. At the start the ten scores of a picture say
# nothing about its class: that is guessing.

# %%
lesson.ask(
    "A guess gives each of the ten classes the same probability. What is its cross-entropy?",
    np.log(10),
    "-log(1/10) = log 10, with the natural logarithm. A network that starts far above it is very sure, and wrong.",
    slips={
        0.1: "That is the probability.",
        1: "That is with the logarithm to the base 10.",
        -np.log(10): "-log p > 0.",
    },
)

# %%
model = Sequential(Affine(784, 256), ReLU(), Affine(256, 10), seed=0)
loss, optimizer = SoftmaxCrossEntropy(), Adam(model, lr=1e-3)
lesson.say(f"""Model: {model.params.size:,} parameters. Its loss before any step is
    {loss(model(x_test), t_test):.2f}; to guess costs log 10 = {np.log(10):.2f}.""")

# %% [markdown]
# ## Checked whole
#
# One forward pass with complex numbers measures the slope of the loss along a random direction of all the weights of a
# layer, exact to the last digits. Seven pictures are enough: all weights take part.

# %%
report = tinynn.check(model, x[:7], t[:7], loss)
lesson.verdict(report)
assert report

# %% [markdown]
# And will it learn at all? `diagnose` looks at data, weights, gradients and learning rate before the first step.

# %%
diagnosis = tinynn.diagnose(model, loss, x, t, optimizer=optimizer)
lesson.say(f"diagnose looks at {len(diagnosis.lines)} things, and finds {len(diagnosis.findings)} of them wrong.")

# %% [markdown]
# ## Trained
#
# Ten epochs in batches of 256. The training loss of an epoch is the mean over its batches, each as it was when its turn
# came; the test loss is that at the epoch's end.

# %%
lesson.ask(
    "60,000 pictures in batches of 256: how many steps has an epoch?",
    235,
    "234 full batches, and one of the 96 pictures that are left.",
    slips={234: "96 pictures are left after 234 batches.", 234.375: "The last batch is smaller, but it is a step."},
)

# %%
rows, epochs = (6000, 2) if quick else (60000, 10)
print()
history = model.fit(
    x[:rows], t[:rows], loss=loss, optimizer=optimizer, epochs=epochs, batch_size=256,
    validation_data=(x_test, t_test), seed=0, progress=False,
)  # fmt: skip
print("epoch    loss  accuracy  test loss  test accuracy")
for number, row in enumerate(history.rows, 1):
    values = row["loss"], 100 * row["accuracy"], row["val_loss"], 100 * row["val_accuracy"]
    print("{:>5}  {:.4f}  {:6.2f} %  {:9.4f}  {:11.2f} %".format(number, *values))
lesson.show(
    plots.learning_curves(history, names=("training", "test"))[0], "learning_curves",
    """Loss and accuracy on the pictures that the network learns from, and on those that it has never seen. In the first
    epochs training is behind: its mean is taken while the network still improves, that of the test at the end.""",
)  # fmt: skip

# %%
lesson.choose(
    "The training loss goes on falling, and the test loss hardly does. What does the network learn in these epochs?",
    {
        "nothing": "The training loss falls, so it does learn something.",
        "its own pictures by heart": "What it learns helps with those, and not with others: it begins to overfit.",
        "digits, more exactly": "Then the test loss would fall as well.",
    },
    right="its own pictures by heart",
)

# %% [markdown]
# ## Looked into
#
# Each of the 256 hidden units weighs all pixels. As an image, its weights show what it looks for. At the rim, where no
# picture has ink, there is no gradient, and the weights still are as they were drawn.

# %%
lesson.show(
    plots.first_layer_weights(model),
    "first_layer_weights",
    "The weights into 64 of the hidden units, each at the place of its pixel. Some units look for a stroke or a bend.",
)
hidden = model[1](model[0](x_test))
lesson.say(f"""On the average over the {len(x_test):,} test pictures, {100 * np.mean(hidden > 0):.0f} % of the
    hidden units are on (above 0); {np.sum(~(hidden > 0).any(axis=0))} of the 256 are off for all pictures.""")

# %% [markdown]
# ## Its mistakes
#
# The confusion matrix counts which class is taken for which. Precision: of the pictures that are called a 5, how many
# are fives. Recall: of the fives, how many are called so. F1 is the harmonic mean of the two, and
# support the number of pictures of a class.

# %%
lesson.ask(
    "Of 60 fives 45 are called a five; 50 pictures are called so in all. What is the recall of class 5?",
    0.75,
    "45 of the 60 fives are found.",
    slips={0.9: "That is the precision: 45 of the 50 that are called a five."},
)

# %%
scores = model.predict(x_test)
predicted = scores.argmax(axis=1)
counts = metrics.confusion_matrix(predicted, t_test)
wrong = counts - np.diag(np.diag(counts))
true, taken = np.unravel_index(wrong.argmax(), wrong.shape)
lesson.say(f"""{wrong.sum()} of {len(t_test):,} are wrong, {100 * metrics.accuracy(scores, t_test):.2f} % right. Most
    often a {true} is taken for a {taken}: {wrong[true, taken]} times. Among the network's first two guesses the right
    one is in {100 * metrics.top_k_accuracy(scores, t_test, 2):.2f} %.""")
print()
print(metrics.class_report(predicted, t_test))
lesson.show(
    plots.confusion_matrix(predicted, t_test), "confusion_matrix",
    "A row for each true class: how many of its pictures are taken for which. On the diagonal they are right.",
)  # fmt: skip

# %%
p = np.exp(scores - scores.max(axis=1, keepdims=True))
p /= p.sum(axis=1, keepdims=True)
mistakes = np.flatnonzero(predicted != t_test)
surest = mistakes[np.argsort(-p[mistakes, predicted[mistakes]])][:24]
lesson.show(
    plots.predictions(x_test[surest], predicted[surest], t_test[surest], count=24), "wrong_predictions",
    "The 24 mistakes that the network is surest of, with what it says, and what is true.",
)  # fmt: skip
lesson.say(f"""The mistake that it is surest of has p = {p[surest[0], predicted[surest[0]]]:.4f}. Some of these digits
    are hard for us, too, others are not. Deeper networks, with convolutions and shortcuts, read more of them; they are
    made of the same four things, and of gradients by the same rule.""")

# %%
report = tinynn.check(model, x[:7], t[:7], loss)  # the gradients of the trained network, too
lesson.verdict(report)
assert report
