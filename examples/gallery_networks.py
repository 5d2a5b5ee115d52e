"""The gallery's points in the plane, and the networks that learn them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import tinynn
from tinynn import MSE, Adam, Affine, Sequential, SoftmaxCrossEntropy


def xor() -> tuple[np.ndarray, np.ndarray]:
    """The four corners of a square, (4, 2), and whether their coordinates differ, (4, 1)."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
    return x, np.array([[0], [1], [1], [0]], dtype="float32")


def moons(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles that reach into each other, with some noise: x (2n, 2), labels (2n,)."""
    angle = rng.uniform(0, np.pi, (2, n))
    upper = np.stack([np.cos(angle[0]), np.sin(angle[0])], axis=1)
    lower = np.stack([1 - np.cos(angle[1]), 0.5 - np.sin(angle[1])], axis=1)
    x = np.concatenate([upper, lower]) + rng.normal(0, 0.12, (2 * n, 2))
    return x.astype("float32"), np.repeat([0, 1], n)


def spiral(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two arms that wind around each other, one and a half turns: x (2n, 2), labels (2n,)."""
    radius = 2 * np.sqrt(rng.uniform(0.02, 1, (2, n)))
    angle = 1.5 * np.pi * radius + np.array([[0], [np.pi]])
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(2 * n, 2)
    return (x + rng.normal(0, 0.04, x.shape)).astype("float32"), np.repeat([0, 1], n)


def layered(*widths: int, activation: Any, weight_init: str = "kaiming_normal", **options: Any) -> Sequential:
    """Affine maps with activations between them."""
    layers: list[tinynn.Layer] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [Affine(n_in, n_out, weight_init), activation()]
    return Sequential(*layers[:-1], **{"backend": "numpy", "seed": 0, **options})


def trained(model: Sequential, x: np.ndarray, t: np.ndarray, epochs: int) -> Sequential:
    """The model after so many epochs of Adam: for labels with their scores, else with the square error."""
    loss, lr = (SoftmaxCrossEntropy(), 0.01) if t.ndim == 1 else (MSE(), 0.05)
    model.fit(x, t, loss=loss, optimizer=Adam(model, lr=lr), epochs=epochs, batch_size=50, seed=0, progress=False)
    return model
