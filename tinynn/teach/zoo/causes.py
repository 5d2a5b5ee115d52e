"""What can be wrong: the doctor's codes, and what each means in a few words."""

from __future__ import annotations

from ..checking.slips import sentences

CAUSES = {
    **sentences(),  # wrong gradients of layers
    # layers with weights
    "bias-not-summed": "db has a row for each example: the sum over rows is missing",
    "divided-by-n": "the layer divides its gradients by the number of rows, as the loss has done",
    "never-written": "backward never writes one of the gradients",
    "unused-parameter": "forward does not use one of the parameters",
    "decay-in-gradient": "a gradient has a weight decay that is not in the loss",
    "decay-in-loss": "the loss has a weight decay that is not in the gradients",
    "updated-too-early": "W is updated before dx is computed from it",
    "update-in-backward": "backward updates the parameters, which is the optimizer's work",
    # any layer
    "sign": "a gradient has the wrong sign",
    "factor-2": "a gradient is twice what it should be",
    "factor-half": "a gradient is half of what it should be",
    "factor": "a gradient is wrong by a factor such as a width",
    "accumulates": "gradients are added to those of the last backward",
    "stale-cache": "backward uses what an earlier batch has left",
    "writes-into-x": "forward changes its input",
    "writes-into-dy": "backward changes the gradient that it is given",
    "random-forward": "forward gives another output each time",
    "integer-arrays": "the parameters are whole numbers, which no small step changes",
    # attention
    "softmax-wrong-axis": "the softmax of attention runs over another axis than the keys",
    "heads-mixed": "heads are split or merged by a reshape without a transpose",
    "mask-too-weak": "what the mask hides keeps some weight",
    "mask-shifted": "the mask begins one too early or too late",
    "mask-after-softmax": "the mask is applied after the softmax",
    "sees-the-future": "a causal layer has no mask",
    "scale-of-scores": "the scores are not divided by the root of a head's width",
    # layers: true to themselves, and wrong
    "bias-per-sample": "each row of the batch has a bias of its own",
    "dropout-unscaled": "dropout does not scale what it keeps, neither in training nor in use",
    "dropout-scale": "dropout scales what it keeps by another factor than 1 / (1 - p)",
    "dropout-at-use": "dropout drops in use, too",
    "norm-wrong-axes": "mean and variance are taken over the wrong axes",
    "var-for-std": "the variance is divided by in place of its root",
    "root-twice": "the root is taken of the deviation, which is a root already",
    "not-centred": "the mean is not subtracted",
    "sum-for-mean": "the sum of the squares is used in place of their mean",
    "not-mean-square": "the variance is used in place of the mean of the squares",
    # losses: the gradient is wrong
    "missing-1/n": "the loss is a mean, the gradient that of the sum",
    "divided-by-n-twice": "the gradient is divided by the number of rows twice",
    "rows-not-elements": "the loss averages elements, the gradient rows",
    "elements-not-rows": "the loss averages rows, the gradient elements",
    "eps-in-log": "the loss has a small number in the log, its gradient has not",
    "mask-in-loss-only": "the loss has a mask that is not in the gradient",
    "smoothing-in-loss-only": "the loss has smoothed targets, the gradient has not",
    "other-smoothing": "loss and gradient have different smoothed targets",
    # losses: true to themselves, and wrong
    "sigmoid-twice": "the sigmoid is applied twice",
    "sum-not-mean": "the loss is a sum over rows in place of their mean",
    "softmax-over-batch": "the softmax runs over the rows in place of the classes",
    "softmax-over-all": "the softmax runs over all rows and classes together",
    "softmax-twice": "the softmax is applied twice",
    "log-not-natural": "the logarithm is not the natural one",
    "labels-shifted-loss": "loss and gradient use labels that are shifted",
    "eps-in-loss": "a small number in the log: no row costs what it should",
    "no-max-subtraction": "the exponential overflows at large scores",
    "log-of-zero": "the logarithm is taken of a probability that can be 0",
    "all-pairs": "every prediction is compared with every target",
    "mean-over-classes": "the loss is divided by the number of classes, too",
    # optimizers
    "ascent": "the step goes up the gradient",
    "lr-ignored": "the step does not depend on the learning rate",
    "state-shared": "two optimizers share what each should keep for itself",
    "changes-grads": "the step changes the gradients",
    "params-replaced": "the step makes new parameters in place of changing those that there are",
    "decay-sign": "the weight decay has the wrong sign",
    "decay-ignored": "the weight decay is not used",
    "nothing-moves": "the step changes no parameter",
    "another-rule": "the steps are those of another rule than the name says",
    # networks
    "skipped-layer": "backward leaves out one of the layers",
    "wrong-order": "backward goes through the layers in the order of forward",
}
