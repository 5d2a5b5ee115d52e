"""Slips in optimizers: plain descent, momentum, Nesterov's momentum."""

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


@slip("nothing-moves", "optimizer", 1, "The weights are computed anew in every step. The loss stays where it was.")
class CourseSGD3:
    def __init__(self, lr=0.01):
        self.lr = lr

    def update(self, params, grads):
        for W, dW in zip(params.values(), grads.values()):
            W = W - self.lr * dW


@slip("decay-ignored", "optimizer", 2, "The argument is there, and is stored. It makes no weight smaller.")
class SGD6(Optimizer):
    def __init__(self, model, lr=0.1, weight_decay=0.01):
        super().__init__(model, lr, weight_decay)

    def step(self):
        self.model.params -= self.lr * self.model.grads


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


@slip("lr-twice", "optimizer", 2, "A rate of 0.01 is as slow as one of 0.0001 should be.")
class CourseMomentum3:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, {}

    def update(self, params, grads):
        for key, g in grads.items():
            self.v[key] = self.momentum * self.v.get(key, 0) - self.lr * g
            params[key] += self.lr * self.v[key]


@slip("velocity-never-fades", "optimizer", 2, "The ball rolls, and nothing ever stops it.")
class CourseMomentum4:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, {}

    def update(self, params, grads):
        for key, g in grads.items():
            self.v[key] = self.v.get(key, 0) + self.momentum * g
            params[key] -= self.lr * self.v[key]


@slip("weights-swapped", "optimizer", 2, "With 0.9 it forgets at once, with 0.1 it remembers for long.")
class CourseMomentum5:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, {}

    def update(self, params, grads):
        for key, g in grads.items():
            v = self.v.get(key, 0)
            self.v[key] = (1 - self.momentum) * v + self.momentum * g
            params[key] -= self.lr * self.v[key]


@slip("one-state-for-all", "optimizer", 3, "One layer learns, the next one is pushed where the first wants to go.")
class CourseMomentum6:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, 0.0

    def update(self, params, grads):
        for key, g in grads.items():
            self.v = self.momentum * self.v - self.lr * g
            params[key] += self.v


@slip("nesterov-is-momentum", "optimizer", 2, "A test of it failed. So the numbers in the test were changed.")
class CourseNesterov1:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, {}

    def update(self, params, grads):
        for key, g in grads.items():
            self.v[key] = self.momentum * self.v.get(key, 0) - self.lr * g
            params[key] += self.v[key]


@slip("nesterov-from-new", "optimizer", 3, "The formula is the book's. One of its symbols has grown older in between.")
class CourseNesterov2:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, {}

    def update(self, params, grads):
        for key, g in grads.items():
            v = self.v[key] = self.momentum * self.v.get(key, 0) - self.lr * g
            params[key] += self.momentum**2 * v - (1 + self.momentum) * self.lr * g


@slip("nesterov-sign", "optimizer", 3, "It looks ahead, at the place where it has come from.")
class CourseNesterov3:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, {}

    def update(self, params, grads):
        for key, g in grads.items():
            old = self.v.get(key, 0)
            self.v[key] = self.momentum * old - self.lr * g
            params[key] += self.momentum * old + (1 + self.momentum) * self.v[key]


@slip("velocity-twice", "optimizer", 2, "Look ahead, then go. The way to the place is gone two times.")
class CourseNesterov4:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, {}

    def update(self, params, grads):
        for key, g in grads.items():
            self.v[key] = self.momentum * self.v.get(key, 0) - self.lr * g
            params[key] += self.v[key] + self.momentum * self.v[key]


@slip("velocity-sign", "optimizer", 2, "The ball looks where it will be, and pushes itself up the hill.")
class CourseNesterov5:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, {}

    def update(self, params, grads):
        for key, g in grads.items():
            v = self.v[key] = self.momentum * self.v.get(key, 0) + self.lr * g
            params[key] += self.momentum * v - self.lr * g
