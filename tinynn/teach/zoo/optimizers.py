"""Slips in optimizers."""

# ruff: noqa: RUF012
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-globals

from __future__ import annotations

import numpy as np

from ...optimizers import Optimizer
from .slip import slip

# --- gradient descent ------------------------------------------------------------------------------------------------


@slip("ascent", "optimizer", 1, "The gradients are right, and the loss goes up.")
class SGD1(Optimizer):
    def __init__(self, model, lr=0.1):
        super().__init__(model, lr, weight_decay=0)

    def step(self):
        self.model.params += self.lr * self.model.grads


@slip("lr-ignored", "optimizer", 1, "All learning rates work equally well.")
class SGD2(Optimizer):
    def __init__(self, model, lr=0.1):
        super().__init__(model, lr, weight_decay=0)

    def step(self):
        self.model.params -= 0.01 * self.model.grads


@slip("changes-grads", "optimizer", 2, "The step is right. The lengths of the gradients that are logged are not.")
class SGD3(Optimizer):
    def __init__(self, model, lr=0.1):
        super().__init__(model, lr, weight_decay=0)

    def step(self):
        self.model.grads *= self.lr
        self.model.params -= self.model.grads


@slip("params-replaced", "optimizer", 2, "It computes better weights. The layers never hear of them.")
class SGD4(Optimizer):
    def __init__(self, model, lr=0.1):
        super().__init__(model, lr, weight_decay=0)

    def step(self):
        self.model.params = self.model.params - self.lr * self.model.grads


@slip("decay-sign", "optimizer", 2, "Weight decay, by which the weights grow.")
class SGD5(Optimizer):
    def __init__(self, model, lr=0.1, weight_decay=0.01):
        super().__init__(model, lr, weight_decay)

    def step(self):
        self.model.params -= self.lr * (self.model.grads - self.weight_decay * self.model.params)


@slip("ascent", "optimizer", 1, "Plus or minus?")
class CourseSGD1:
    def __init__(self, lr=0.01):
        self.lr = lr

    def update(self, params, grads):
        for key in params:
            params[key] += self.lr * grads[key]


@slip("params-replaced", "optimizer", 3, "One character longer, it would work.")
class CourseSGD2:
    def __init__(self, lr=0.01):
        self.lr = lr

    def update(self, params, grads):
        for key in params:
            params[key] = params[key] - self.lr * grads[key]


# --- momentum --------------------------------------------------------------------------------------------------------


@slip("state-not-kept", "optimizer", 2, "With momentum 0.9 it is as fast as without.")
class Momentum1(Optimizer):
    def __init__(self, model, lr=0.1, momentum=0.9):
        super().__init__(model, lr, weight_decay=0)
        self.momentum = momentum

    def step(self):
        velocity = np.zeros_like(self.model.params)
        velocity = self.momentum * velocity - self.lr * self.model.grads
        self.model.params += velocity


@slip("momentum-sign", "optimizer", 2, "The ball rolls forth, and back, and forth, and back.")
class Momentum2(Optimizer):
    state = ("velocity",)

    def __init__(self, model, lr=0.1, momentum=0.9):
        super().__init__(model, lr, weight_decay=0)
        self.momentum = momentum

    def step(self):
        self.velocity = self.lr * self.model.grads - self.momentum * self.velocity
        self.model.params -= self.velocity


@slip("state-shared", "optimizer", 3, "One network learns well. Two in one program disturb each other.")
class CourseMomentum1:
    v = {}

    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum = lr, momentum

    def update(self, params, grads):
        for key in params:
            v = self.v.get(key, 0)
            self.v[key] = self.momentum * v - self.lr * grads[key]
            params[key] += self.v[key]


@slip("state-not-kept", "optimizer", 2, "A dictionary is made where one is needed.")
class CourseMomentum2:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum = lr, momentum

    def update(self, params, grads):
        self.v = {key: np.zeros_like(value) for key, value in params.items()}
        for key in params:
            self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]
            params[key] += self.v[key]


# --- steps of their own length: Adagrad, RMSProp, Adam ---------------------------------------------------------------


@slip("no-root", "optimizer", 2, "Where gradients are small, the steps are enormous.")
class CourseRMSProp1:
    def __init__(self, lr=0.01, rho=0.9):
        self.lr, self.rho, self.h = lr, rho, None

    def update(self, params, grads):
        if self.h is None:
            self.h = {key: np.zeros_like(value) for key, value in params.items()}
        for key in params:
            self.h[key] = self.rho * self.h[key] + (1 - self.rho) * grads[key] ** 2
            params[key] -= self.lr * grads[key] / (self.h[key] + 1e-7)


@slip("no-bias-correction", "optimizer", 2, "The first steps are three times as long as they should be.")
class Adam1(Optimizer):
    state = ("m", "v")

    def __init__(self, model, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        super().__init__(model, lr, weight_decay=0)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def step(self):
        g = self.model.grads
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g**2
        self.model.params -= self.lr * self.m / (np.sqrt(self.v) + self.eps)


@slip("t-not-advanced", "optimizer", 3, "The first step is right to the last digit.")
class Adam2(Optimizer):
    state = ("m", "v")

    def __init__(self, model, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        super().__init__(model, lr, weight_decay=0)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self.t = 1

    def step(self):
        g = self.model.grads
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g**2
        m = self.m / (1 - self.beta1**self.t)
        v = self.v / (1 - self.beta2**self.t)
        self.model.params -= self.lr * m / (np.sqrt(v) + self.eps)


@slip("eps-inside-root", "optimizer", 3, "Where gradients are tiny, the steps are far too short.")
class Adam3(Optimizer):
    state = ("m", "v")

    def __init__(self, model, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        super().__init__(model, lr, weight_decay=0)
        self.beta1, self.beta2, self.eps, self.t = beta1, beta2, eps, 0

    def step(self):
        g = self.model.grads
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g**2
        m = self.m / (1 - self.beta1**self.t)
        v = self.v / (1 - self.beta2**self.t)
        self.model.params -= self.lr * m / np.sqrt(v + self.eps)


@slip("betas-swapped", "optimizer", 2, "It answers to a turn in the road a thousand steps later.")
class Adam4(Optimizer):
    state = ("m", "v")

    def __init__(self, model, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        super().__init__(model, lr, weight_decay=0)
        self.beta1, self.beta2, self.eps, self.t = beta1, beta2, eps, 0

    def step(self):
        g = self.model.grads
        self.t += 1
        self.m = self.beta2 * self.m + (1 - self.beta2) * g
        self.v = self.beta1 * self.v + (1 - self.beta1) * g**2
        m = self.m / (1 - self.beta2**self.t)
        v = self.v / (1 - self.beta1**self.t)
        self.model.params -= self.lr * m / (np.sqrt(v) + self.eps)


@slip("v-not-squared", "optimizer", 1, "NumPy warns of a root, and half of the weights are NaN.")
class Adam5(Optimizer):
    state = ("m", "v")

    def __init__(self, model, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        super().__init__(model, lr, weight_decay=0)
        self.beta1, self.beta2, self.eps, self.t = beta1, beta2, eps, 0

    def step(self):
        g = self.model.grads
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g
        m = self.m / (1 - self.beta1**self.t)
        v = self.v / (1 - self.beta2**self.t)
        self.model.params -= self.lr * m / (np.sqrt(v) + self.eps)


@slip("no-root", "optimizer", 2, "The steps should all be about as long as lr. Here the flat directions run away.")
class Adam6(Optimizer):
    state = ("m", "v")

    def __init__(self, model, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        super().__init__(model, lr, weight_decay=0)
        self.beta1, self.beta2, self.eps, self.t = beta1, beta2, eps, 0

    def step(self):
        g = self.model.grads
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g**2
        m = self.m / (1 - self.beta1**self.t)
        v = self.v / (1 - self.beta2**self.t)
        self.model.params -= self.lr * m / (v + self.eps)


@slip("no-bias-correction", "optimizer", 2, "In a dictionary for each, and without two divisions.")
class CourseAdam1:
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):
        self.lr, self.beta1, self.beta2 = lr, beta1, beta2
        self.m, self.v = {}, {}

    def update(self, params, grads):
        for key, g in grads.items():
            self.m[key] = self.beta1 * self.m.get(key, 0) + (1 - self.beta1) * g
            self.v[key] = self.beta2 * self.v.get(key, 0) + (1 - self.beta2) * g**2
            params[key] -= self.lr * self.m[key] / (np.sqrt(self.v[key]) + 1e-8)
