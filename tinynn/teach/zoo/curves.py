"""Slips in the younger activations, LeakyReLU, ELU, GELU, SiLU and softplus, and in dropout."""

# mypy: allow-untyped-defs, allow-incomplete-defs

from __future__ import annotations

import math

import numpy as np

from ...backends.numpy.activations import gelu, gelu_tanh
from ...layers import Activation
from .slip import slip


class Leaky(Activation):
    """x, and a fifth of it on the left."""

    def __init__(self):
        pass

    def forward(self, x):
        return np.where(x > 0, x, x / 5)


@slip("mask-of-relu", "activation", 1, "Forward leaks. Backward, copied from the exercise before, does not.")
class Leaky1(Leaky):
    def backward(self, dy):
        return dy * (self.x > 0)


@slip("mask-inverted", "activation", 1, "A fifth of the gradient leaks. It leaks on the wrong side.")
class Leaky2(Leaky):
    def backward(self, dy):
        return np.where(self.x > 0, dy / 5, dy)


@slip("slope-differs", "activation", 2, "Somebody has tuned a number, in one of two places.")
class Leaky3(Leaky):
    def backward(self, dy):
        return np.where(self.x > 0, dy, 0.01 * dy)


@slip("derivative-of-input", "activation", 2, "On the left the gradient grows with the distance.")
class Leaky4(Leaky):
    def backward(self, dy):
        return np.where(self.x > 0, dy, self.x / 5 * dy)


@slip("derivative-sign", "activation", 2, "On the left it walks up, where it should walk down.")
class Leaky5(Leaky):
    def backward(self, dy):
        return np.where(self.x > 0, dy, -dy / 5)


class Exponential(Activation):
    """ELU, whose left side comes down to -2."""

    def __init__(self):
        pass

    def forward(self, x):
        return np.where(x > 0, x, 2 * (np.exp(x) - 1))


@slip("alpha-misplaced", "activation", 2, "y + 1, says the book, and means an alpha of 1.")
class ELU2(Exponential):
    def backward(self, dy):
        return dy * np.where(self.x > 0, 1, self.y + 1)


@slip("alpha-misplaced", "activation", 1, "Forward has an alpha, backward never heard of it.")
class ELU3(Exponential):
    def backward(self, dy):
        return dy * np.where(self.x > 0, 1, np.exp(self.x))


@slip("derivative-of-input", "activation", 2, "A slope is never below 0, says the book. Some are, here.")
class ELU4(Exponential):
    def backward(self, dy):
        return dy * np.where(self.x > 0, 1, self.x + 2)


@slip("derivative-of-output", "activation", 3, "The function of the slope is right. It is given what f has made.")
class ELU5(Exponential):
    def backward(self, dy):
        return dy * np.where(self.x > 0, 1, 2 * np.exp(self.y))


@slip("mask-of-relu", "activation", 1, "The left side takes part in forward only.")
class ELU6(Exponential):
    def backward(self, dy):
        return dy * (self.y > 0)


@slip("derivative-incomplete", "activation", 2, "The bell curve here is narrower than Gauss drew it.")
class GELU2(Activation):
    def forward(self, x):
        return gelu(x)

    def backward(self, dy):
        x = self.x
        bell = np.exp(-x * x) / math.sqrt(2 * math.pi)
        return dy * (gelu(x) / x + x * bell)


@slip("derivative-incomplete", "activation", 3, "A cube's derivative, and one factor of it lost on the way.")
class GELU3(Activation):
    def forward(self, x):
        return gelu_tanh(x)

    def backward(self, dy):
        x, c = self.x, math.sqrt(2 / math.pi)
        t = np.tanh(c * (x + 0.044715 * x**3))
        return dy * (1 + t + x * (1 - t * t) * c * (1 + 0.044715 * x * x)) / 2


@slip("gelu-forms-mixed", "activation", 3, "Both halves are in every library, and both are called the same.")
class GELU4(Activation):
    def forward(self, x):
        return gelu(x)

    def backward(self, dy):
        x, c = self.x, math.sqrt(2 / math.pi)
        t = np.tanh(c * (x + 0.044715 * x**3))
        return dy * (1 + t + x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x)) / 2


class Gate(Activation):
    """SiLU: x times its own sigmoid."""

    def forward(self, x):
        self.s = 1 / (1 + np.exp(-x))
        return x * self.s


@slip("derivative-incomplete", "activation", 2, "A pair of brackets that was in the paper, and is not in the code.")
class Silu1(Gate):
    def backward(self, dy):
        return dy * (self.s + self.x * (1 - self.s))


@slip("derivative-incomplete", "activation", 2, "x and y stand side by side on the keyboard, nearly.")
class Silu2(Gate):
    def backward(self, dy):
        return dy * self.s * (1 + self.y * (1 - self.s))


class Soft(Activation):
    """Softplus."""

    def forward(self, x):
        return np.log(1 + np.exp(x))


@slip("derivative-incomplete", "activation", 2, "Its derivative is a famous curve. This is the next one.")
class Softplus2(Soft):
    def backward(self, dy):
        s = 1 / (1 + np.exp(-self.x))
        return dy * s * (1 - s)


@slip("mask-of-relu", "activation", 1, "It is almost a ReLU, so why not.")
class Softplus3(Soft):
    def backward(self, dy):
        return dy * (self.x > 0)


class Dropping(Activation):
    """Dropout that drops two of five."""

    def __init__(self):
        pass

    def forward(self, x):
        self.mask = self.rng.random(x.shape) >= 0.4
        return x * self.mask / 0.6


@slip("mask-not-scaled", "activation", 1, "What is kept counts for more in forward, and not on the way back.")
class Drop1(Dropping):
    def backward(self, dy):
        return dy * self.mask


@slip("mask-missing", "activation", 1, "Units that were not there are blamed all the same.")
class Drop2(Dropping):
    def backward(self, dy):
        return dy / 0.6


@slip("mask-redrawn", "activation", 2, "Two draws, two sets of units: those that spoke and those that are asked.")
class Drop3(Dropping):
    def backward(self, dy):
        return dy * (self.rng.random(dy.shape) >= 0.4) / 0.6


@slip("mask-inverted", "activation", 1, "The absent ones learn, the others have the day off.")
class Drop4(Dropping):
    def backward(self, dy):
        return dy * ~self.mask / 0.6


@slip("mask-of-one-column", "activation", 2, "A shape was in the way, and somebody has found an index for it.")
class Drop5(Dropping):
    def backward(self, dy):
        return dy * self.mask[:, :1] / 0.6


@slip("derivative-twice", "activation", 2, "Dividing is good; dividing again is one time too many.")
class Drop6(Dropping):
    def backward(self, dy):
        return dy * self.mask / 0.6 / 0.6


@slip("mask-from-y", "activation", 3, "Right for years. Then somebody put it behind a ReLU.")
class Drop7(Dropping):
    def backward(self, dy):
        return dy * (self.y != 0) / 0.6
