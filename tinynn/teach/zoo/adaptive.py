"""Slips in optimizers whose steps have a length of their own: AdaGrad, RMSProp, Adam."""

# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-globals

from __future__ import annotations

import numpy as np

from ...optimizers import Optimizer
from .slip import slip


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


@slip("weights-swapped", "optimizer", 2, "rho is 0.9, and of the past a tenth is left after each step.")
class CourseRMSProp2:
    def __init__(self, lr=0.01, rho=0.9):
        self.lr, self.rho, self.h = lr, rho, {}

    def update(self, params, grads):
        for key, g in grads.items():
            self.h[key] = (1 - self.rho) * self.h.get(key, 0) + self.rho * g**2
            params[key] -= self.lr * g / (np.sqrt(self.h[key]) + 1e-7)


@slip("gradient-not-weighted", "optimizer", 2, "After a hundred steps they are all a third as long as they should be.")
class CourseRMSProp3:
    def __init__(self, lr=0.01, rho=0.9):
        self.lr, self.rho, self.h = lr, rho, {}

    def update(self, params, grads):
        for key, g in grads.items():
            self.h[key] = self.rho * self.h.get(key, 0) + g**2
            params[key] -= self.lr * g / (np.sqrt(self.h[key]) + 1e-7)


@slip("state-added-twice", "optimizer", 2, "It is as fast as it should be, for a moment. Then it falls asleep.")
class CourseRMSProp5:
    def __init__(self, lr=0.01, rho=0.9):
        self.lr, self.rho, self.h = lr, rho, {}

    def update(self, params, grads):
        for key, g in grads.items():
            h = self.h.setdefault(key, np.zeros_like(g))
            h += self.rho * h + (1 - self.rho) * g**2
            params[key] -= self.lr * g / (np.sqrt(h) + 1e-7)


@slip("old-squares", "optimizer", 3, "The first step is a jump to the other end of the world.")
class CourseRMSProp4:
    def __init__(self, lr=0.01, rho=0.9):
        self.lr, self.rho, self.h = lr, rho, {}

    def update(self, params, grads):
        for key, g in grads.items():
            h = self.h.get(key, 0)
            params[key] -= self.lr * g / (np.sqrt(h) + 1e-7)
            self.h[key] = self.rho * h + (1 - self.rho) * g**2


@slip("another-rule", "optimizer", 2, "Its steps should grow shorter for ever. After a while they do not.")
class CourseAdaGrad1:
    def __init__(self, lr=0.01):
        self.lr, self.h = lr, {}

    def update(self, params, grads):
        for key, g in grads.items():
            self.h[key] = 0.9 * self.h.get(key, 0) + 0.1 * g**2
            params[key] -= self.lr * g / (np.sqrt(self.h[key]) + 1e-7)


@slip("state-not-kept", "optimizer", 2, "All steps are of one length, and their direction is all that is left of them.")
class CourseAdaGrad2:
    def __init__(self, lr=0.01):
        self.lr, self.h = lr, {}

    def update(self, params, grads):
        for key, g in grads.items():
            self.h[key] = g**2
            params[key] -= self.lr * g / (np.sqrt(self.h[key]) + 1e-7)


@slip("t-per-tensor", "optimizer", 3, "The more layers there are, the shorter are the first steps of the last ones.")
class CourseAdam2:
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):
        self.lr, self.beta1, self.beta2, self.t = lr, beta1, beta2, 0
        self.m, self.v = {}, {}

    def update(self, params, grads):
        for key, g in grads.items():
            self.t += 1
            self.m[key] = self.beta1 * self.m.get(key, 0) + (1 - self.beta1) * g
            self.v[key] = self.beta2 * self.v.get(key, 0) + (1 - self.beta2) * g**2
            m = self.m[key] / (1 - self.beta1**self.t)
            v = self.v[key] / (1 - self.beta2**self.t)
            params[key] -= self.lr * m / (np.sqrt(v) + 1e-8)


@slip("half-corrected", "optimizer", 2, "There are two means. They start at 0, both of them.")
class CourseAdam3:
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):
        self.lr, self.beta1, self.beta2, self.t = lr, beta1, beta2, 0
        self.m, self.v = {}, {}

    def update(self, params, grads):
        self.t += 1
        for key, g in grads.items():
            self.m[key] = self.beta1 * self.m.get(key, 0) + (1 - self.beta1) * g
            self.v[key] = self.beta2 * self.v.get(key, 0) + (1 - self.beta2) * g**2
            m = self.m[key] / (1 - self.beta1**self.t)
            v = self.v[key]
            params[key] -= self.lr * m / (np.sqrt(v) + 1e-8)


@slip("corrected-stored", "optimizer", 3, "The first step is right. From the second on they are too short.")
class CourseAdam4:
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):
        self.lr, self.beta1, self.beta2, self.t = lr, beta1, beta2, 0
        self.m, self.v = {}, {}

    def update(self, params, grads):
        self.t += 1
        for key, g in grads.items():
            self.m[key] = self.beta1 * self.m.get(key, 0) + (1 - self.beta1) * g
            self.v[key] = self.beta2 * self.v.get(key, 0) + (1 - self.beta2) * g**2
            m = self.m[key] = self.m[key] / (1 - self.beta1**self.t)
            v = self.v[key] = self.v[key] / (1 - self.beta2**self.t)
            params[key] -= self.lr * m / (np.sqrt(v) + 1e-8)


@slip("beta1-decays", "optimizer", 3, "From the paper, as it stood there in December 2014. The eighth digit differs.")
class CourseAdam5:
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):
        self.lr, self.beta1, self.beta2, self.t = lr, beta1, beta2, 0
        self.m, self.v = {}, {}

    def update(self, params, grads):
        self.t += 1
        beta1 = self.beta1 * (1 - 1e-8) ** (self.t - 1)
        for key, g in grads.items():
            self.m[key] = beta1 * self.m.get(key, 0) + (1 - beta1) * g
            self.v[key] = self.beta2 * self.v.get(key, 0) + (1 - self.beta2) * g**2
            m = self.m[key] / (1 - self.beta1**self.t)
            v = self.v[key] / (1 - self.beta2**self.t)
            params[key] -= self.lr * m / (np.sqrt(v) + 1e-8)


@slip("correction-multiplied", "optimizer", 2, "For a thousand steps it hardly moves. Then it begins to learn.")
class CourseAdam6:
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):
        self.lr, self.beta1, self.beta2, self.t = lr, beta1, beta2, 0
        self.m, self.v = {}, {}

    def update(self, params, grads):
        self.t += 1
        for key, g in grads.items():
            self.m[key] = self.beta1 * self.m.get(key, 0) + (1 - self.beta1) * g
            self.v[key] = self.beta2 * self.v.get(key, 0) + (1 - self.beta2) * g**2
            m = self.m[key] * (1 - self.beta1**self.t)
            v = self.v[key] * (1 - self.beta2**self.t)
            params[key] -= self.lr * m / (np.sqrt(v) + 1e-8)


@slip("corrected-twice", "optimizer", 3, "Both ways to write it are in the paper. Here they are in one line.")
class CourseAdam7:
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):
        self.lr, self.beta1, self.beta2, self.t = lr, beta1, beta2, 0
        self.m, self.v = {}, {}

    def update(self, params, grads):
        self.t += 1
        one, two = 1 - self.beta1**self.t, 1 - self.beta2**self.t
        for key, g in grads.items():
            self.m[key] = self.beta1 * self.m.get(key, 0) + (1 - self.beta1) * g
            self.v[key] = self.beta2 * self.v.get(key, 0) + (1 - self.beta2) * g**2
            step = self.lr * np.sqrt(two) / one
            params[key] -= step * (self.m[key] / one) / (np.sqrt(self.v[key] / two) + 1e-8)
