"""Slips in layers without weights: activations, and others that take rows of any width."""

# mypy: allow-untyped-defs, allow-incomplete-defs

from __future__ import annotations

import time

import numpy as np

from ...layers import Activation
from ...layers.layer import Layer
from .slip import slip

# --- sigmoid ---------------------------------------------------------------------------------------------------------


@slip("missing-derivative", "activation", 1, "The forward pass bends, the backward pass goes straight on.")
class Sigmoid1(Activation):
    def forward(self, x):
        return 1 / (1 + np.exp(-x))

    def backward(self, dy):
        return dy


@slip("missing-dy", "activation", 1, "The slope is right. All layers below learn the same from every loss.")
class Sigmoid2(Activation):
    def forward(self, x):
        return 1 / (1 + np.exp(-x))

    def backward(self, dy):
        return self.y * (1 - self.y)


@slip("derivative-of-input", "activation", 2, "A formula from the book, and a letter that meant something else there.")
class Sigmoid3(Activation):
    def forward(self, x):
        return 1 / (1 + np.exp(-x))

    def backward(self, dy):
        return dy * self.x * (1 - self.x)


@slip("derivative-of-output", "activation", 2, "Both functions are right. One of them is called with the wrong thing.")
class Sigmoid4(Activation):
    def sigmoid(self, z):
        return 1 / (1 + np.exp(-z))

    def slope(self, z):
        return self.sigmoid(z) * (1 - self.sigmoid(z))

    def forward(self, x):
        return self.sigmoid(x)

    def backward(self, dy):
        return dy * self.slope(self.y)


@slip("derivative-twice", "activation", 2, "The gradients fade faster than the lecture said they would.")
class Sigmoid5(Activation):
    def forward(self, x):
        y = 1 / (1 + np.exp(-x))
        self.slope = y * (1 - y)
        return y

    def backward(self, dy):
        dx = dy * self.slope
        return dx * self.slope


@slip("derivative-incomplete", "activation", 1, "Where units are off, the gradient should vanish. It does not.")
class Sigmoid6(Activation):
    def forward(self, x):
        return 1 / (1 + np.exp(-x))

    def backward(self, dy):
        return dy * (1 - self.y)


@slip("derivative-incomplete", "activation", 1, "Where units are fully on, the gradient should vanish. It does not.")
class Sigmoid7(Activation):
    def forward(self, x):
        return 1 / (1 + np.exp(-x))

    def backward(self, dy):
        return dy * self.y


@slip("derivative-sign", "activation", 2, "The slope of a sigmoid is at most 1/4. This one reaches 2.")
class Sigmoid8(Activation):
    def forward(self, x):
        return 1 / (1 + np.exp(-x))

    def backward(self, dy):
        return dy * self.y * (1 + self.y)


@slip("sign", "activation", 2, "With one such layer the loss goes up, with two it goes down again, in part.")
class Sigmoid9(Activation):
    def forward(self, x):
        return 1 / (1 + np.exp(-x))

    def backward(self, dy):
        return dy * self.y * (self.y - 1)


@slip("derivative-of-input", "activation", 2, "Something is remembered for backward. It is not what backward needs.")
class CourseSigmoid1:
    def __init__(self):
        self.out = None

    def forward(self, x):
        self.out = x
        return 1 / (1 + np.exp(-x))

    def backward(self, dout):
        return dout * (1.0 - self.out) * self.out


# --- tanh ------------------------------------------------------------------------------------------------------------


@slip("derivative-of-input", "activation", 2, "It learns while its inputs are small.")
class Tanh1(Activation):
    def forward(self, x):
        return np.tanh(x)

    def backward(self, dy):
        return dy * (1 - self.x**2)


@slip("derivative-of-output", "activation", 2, "tanh was applied once more than meant. It nearly works.")
class Tanh2(Activation):
    def forward(self, x):
        return np.tanh(x)

    def backward(self, dy):
        return dy * (1 - np.tanh(self.y) ** 2)


@slip("derivative-incomplete", "activation", 1, "Positive units learn less than negative ones.")
class Tanh3(Activation):
    def forward(self, x):
        return np.tanh(x)

    def backward(self, dy):
        return dy * (1 - self.y)


@slip("derivative-sign", "activation", 1, "Units that are saturated learn the most.")
class Tanh4(Activation):
    def forward(self, x):
        return np.tanh(x)

    def backward(self, dy):
        return dy * (1 + self.y**2)


@slip("derivative-twice", "activation", 2, "The further from 0, the less is learned; more so than with a right one.")
class Tanh5(Activation):
    def forward(self, x):
        return np.tanh(x)

    def backward(self, dy):
        return dy * (1 - self.y**2) ** 2


@slip("missing-dy", "activation", 1, "backward has an argument, and nobody reads it.")
class CourseTanh1:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout):
        return 1 - self.out**2


@slip("missing-derivative", "activation", 1, "forward was written on Monday, backward on Friday.")
class CourseTanh2:
    def forward(self, x):
        return np.tanh(x)

    def backward(self, dout):
        return dout.copy()


# --- ReLU and its relatives ------------------------------------------------------------------------------------------


@slip("mask-from-dy", "activation", 2, "Half of the gradients pass. It is not the half that should.")
class ReLU1(Activation):
    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, dy):
        return np.where(dy > 0, dy, 0)


@slip("mask-inverted", "activation", 1, "The units that are off learn. Those that are on do not.")
class ReLU2(Activation):
    def forward(self, x):
        self.on = x > 0
        return x * self.on

    def backward(self, dy):
        dx = dy.copy()
        dx[self.on] = 0
        return dx


@slip("mask-times-y", "activation", 1, "The larger the output, the larger the step. A ReLU has but two slopes.")
class ReLU3(Activation):
    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, dy):
        return dy * self.y


@slip("writes-into-x", "activation", 2, "Evaluated twice on the same data, the network gives two answers.")
class ReLU4(Activation):
    def forward(self, x):
        x[x < 0] = 0
        return x

    def backward(self, dy):
        return dy * (self.y > 0)


@slip("writes-into-dy", "activation", 2, "Nothing is wrong with it, until somebody else needs the same gradient.")
class CourseReLU1:
    def __init__(self):
        self.mask = None

    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dout[self.mask] = 0
        return dout


@slip("writes-into-dy", "activation", 2, "It saves an array. The layer after it has lent it that array.")
class ReLU5(Activation):
    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, dy):
        dy *= self.x > 0
        return dy


@slip("stale-cache", "activation", 3, "The mask is made where there is none. There is one after the first batch.")
class ReLU6(Activation):
    mask = None

    def forward(self, x):
        if self.mask is None:
            self.mask = x > 0
        return np.maximum(x, 0)

    def backward(self, dy):
        return dy * self.mask


@slip("missing-derivative", "activation", 1, "Units that are off go on learning.")
class ReLU7(Activation):
    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, dy):
        return 1 * dy


@slip("missing-dy", "activation", 1, "The slope of a ReLU is 0 or 1. So is all that comes out here.")
class ReLU8(Activation):
    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, dy):
        return (self.x > 0).astype(dy.dtype)


@slip("mask-inverted", "activation", 1, "A sign of comparison, copied from another line.")
class CourseReLU2:
    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0, x)

    def backward(self, dout):
        return dout * self.mask


@slip("derivative-of-output", "activation", 3, "Softplus, a smooth ReLU: its slope is a sigmoid. Of what?")
class Softplus1(Activation):
    def forward(self, x):
        return np.log(1 + np.exp(x))

    def backward(self, dy):
        return dy / (1 + np.exp(-self.y))


@slip("derivative-of-output", "activation", 3, "Softsign, a cheap tanh: all slopes are a little too large.")
class Softsign1(Activation):
    def forward(self, x):
        return x / (1 + np.abs(x))

    def backward(self, dy):
        return dy / (1 + np.abs(self.y)) ** 2


@slip("derivative-twice", "activation", 3, "Softsign, a cheap tanh: a power was taken of a power.")
class Softsign2(Activation):
    def forward(self, x):
        return x / (1 + np.abs(x))

    def backward(self, dy):
        slope = (1 + np.abs(self.x)) ** -2
        return dy * slope**2


# --- other layers of any width ---------------------------------------------------------------------------------------


@slip("factor-half", "layer", 1, "It learns, at half the speed.")
class Square1(Layer):
    def forward(self, x):
        return x**2

    def backward(self, dy):
        return dy * self.x


@slip("factor-2", "layer", 1, "A 1/2 that was to cancel something, and was forgotten.")
class HalfSquare1(Layer):
    def forward(self, x):
        return x**2 / 2

    def backward(self, dy):
        return dy * 2 * self.x


@slip("sign", "layer", 1, "The exponent of a bell curve. Its inputs, told to come nearer, go away.")
class Exponent1(Layer):
    def forward(self, x):
        return -(x**2) / 2

    def backward(self, dy):
        return dy * self.x


@slip("writes-into-x", "layer", 2, "Rows are centred before they go on. After an epoch, so is the data set.")
class Centre1(Layer):
    def forward(self, x):
        x -= x.mean(axis=0)
        return x

    def backward(self, dy):
        return dy - dy.mean(axis=0)


@slip("random-forward", "layer", 2, "Every second number is dropped, so that none is relied on. Who says which?")
class Dropout1(Layer):
    def forward(self, x):
        self.mask = 2 * (np.random.default_rng().random(x.shape) < 0.5).astype(x.dtype)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


@slip("random-forward", "layer", 2, "It has a seed, and yet the loss is another number each time it is asked.")
class Noise1(Layer):
    def forward(self, x):
        generator = np.random.default_rng(time.time_ns())
        return x + generator.normal(0, 0.1, x.shape).astype(x.dtype)

    def backward(self, dy):
        return dy


@slip("fork-overwritten", "layer", 3, "x goes two ways and comes back on one.")
class Residual1(Layer):
    def forward(self, x):
        return x + np.tanh(x)

    def backward(self, dy):
        return dy * (1 - np.tanh(self.x) ** 2)


@slip("fork-overwritten", "layer", 3, "Swish, x times the sigmoid of x. A product has two factors.")
class Swish1(Layer):
    def forward(self, x):
        self.gate = 1 / (1 + np.exp(-x))
        return x * self.gate

    def backward(self, dy):
        return dy * self.gate


@slip("fork-doubled", "layer", 2, "Past the block and through it, and past it once more.")
class Residual3(Layer):
    def forward(self, x):
        self.h = np.tanh(x)
        return x + self.h

    def backward(self, dy):
        dx = dy.copy()
        dx += dy + dy * (1 - self.h**2)
        return dx


@slip("fork-multiplied", "layer", 2, "Two ways meet again. The sign between them is not that of the picture.")
class Residual4(Layer):
    def forward(self, x):
        self.h = np.tanh(x)
        return x + self.h

    def backward(self, dy):
        return dy * (dy * (1 - self.h**2))


@slip("missing-derivative", "layer", 2, "Only a mean is taken off, which is a constant. Is it?")
class Centred1(Layer):
    def forward(self, x):
        return x - x.mean(axis=0)

    def backward(self, dy):
        return dy
