# %% [markdown]
# # The lecture's network
#
# Everything at once: 60,000 pictures of digits as data, 784-256-10 as model, softmax with cross-entropy as loss, Adam
# as algorithm. Before it is trained it is checked; after that it is looked into, and its mistakes are shown.

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
# nothing about its class, so the loss should be near $\log 10$: that of a guess.

# %%
model = Sequential(Affine(784, 256), ReLU(), Affine(256, 10), seed=0)
loss, optimizer = SoftmaxCrossEntropy(), Adam(model, lr=1e-3)
lesson.say(f"""Model: {model.params.size:,} parameters. Its loss before any step is
    {loss(model(x_test), t_test):.2f}; to guess costs log 10 = {np.log(10):.2f}.""")

# %% [markdown]
# ## Checked whole
#
# One forward pass with complex numbers measures the slope of the loss along a random direction of all the weights of a
# layer, exact to the last digits. Seven pictures are enough: all weights are in it.

# %%
report = tinynn.check(model, x[:7], t[:7], loss)
lesson.verdict(report)
assert report

# %% [markdown]
# And does it learn at all? `diagnose` looks at data, weights, gradients and learning rate before the first step.

# %%
diagnosis = tinynn.diagnose(model, loss, x, t, optimizer=optimizer)
lesson.say(f"diagnose looks at {len(diagnosis.lines)} things, and finds {len(diagnosis.findings)} of them wrong.")

# %% [markdown]
# ## Trained
#
# Ten epochs in batches of 256. The loss of an epoch is a mean over its batches; the test's is of the epoch's end.

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
lesson.show(plots.learning_curves(history, names=("training", "test"))[0], "learning_curves")

# %% [markdown]
# The training loss goes on falling when the test loss hardly does: the network begins to learn its pictures by heart.
#
# ## Looked into
#
# Each of the 256 hidden units weighs all pixels. As an image, its weights show what it looks for. At the rim, where no
# picture has ink, there is no gradient, and the weights still are as they were drawn.

# %%
lesson.show(plots.first_layer_weights(model), "first_layer_weights")
hidden = model[1](model[0](x_test))
lesson.say(f"""For one picture, {100 * np.mean(hidden > 0):.0f} % of the hidden units are on;
    {np.sum(~(hidden > 0).any(axis=0))} of the 256 are off for all of them.""")

# %% [markdown]
# ## Its mistakes
#
# The confusion matrix counts which class is taken for which. Precision: of those called a 5, how many are. Recall: of
# the fives, how many are called so. F1 is their harmonic mean.

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
lesson.show(plots.confusion_matrix(t_test, predicted), "confusion_matrix")

# %%
p = np.exp(scores - scores.max(axis=1, keepdims=True))
p /= p.sum(axis=1, keepdims=True)
mistakes = np.flatnonzero(predicted != t_test)
surest = mistakes[np.argsort(-p[mistakes, predicted[mistakes]])][:24]
lesson.show(plots.predictions(x_test[surest], t_test[surest], predicted[surest], count=24), "wrong_predictions")
lesson.say(f"""The mistake it is surest of has p = {p[surest[0], predicted[surest[0]]]:.4f}. Look at the picture: some
    of these digits are hard for us, too, others are not. Deeper networks, with convolutions and shortcuts (ResNet), are
    what comes next; they are made of the same four things, and of gradients by the same rule.""")

# %%
report = tinynn.check(model, x[:7], t[:7], loss)  # the gradients of the trained network, too
lesson.verdict(report)
assert report
