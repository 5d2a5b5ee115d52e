"""examples/mnist_mlp.py in JAX, as its users write it for speed on a CPU: python benchmarks/mnist_jax.py

The images lie on the device, a batch is chosen inside the jitted step, and the old state is donated to it. The last,
shorter batch is filled up to the size of the others, so that the step compiles once. mnist_end_to_end.py runs this.
"""

from __future__ import annotations

import argparse
import lzma
import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

MNIST = Path(__file__).parent.parent / "tinynn" / "datasets" / "mnist"
BATCH = 256
LR, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8


def read(name: str) -> tuple[jax.Array, jax.Array]:
    """Images as rows of pixels from 0 to 1, and their labels."""
    images = lzma.decompress((MNIST / f"{name}-images-idx3-ubyte.xz").read_bytes())
    labels = lzma.decompress((MNIST / f"{name}-labels-idx1-ubyte.xz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 784)  # after the header
    t = np.frombuffer(labels, np.uint8, offset=8)
    x = jax.jit(lambda pixels: pixels / jnp.float32(255))(pixels)  # on the device: bytes are moved, not floats
    return x, jax.device_put(t.astype(np.int32))


def start(rng: np.random.Generator) -> Any:
    """The state: parameters of 784-256-10 (weights Kaiming normal, biases 0), Adam's moments, the number of steps."""
    params = []
    for n_in, n_out in ((784, 256), (256, 10)):
        W = rng.normal(0, (2 / n_in) ** 0.5, (n_in, n_out)).astype(np.float32)
        params.append((W, np.zeros(n_out, np.float32)))
    m, v = jax.tree.map(np.zeros_like, params), jax.tree.map(np.zeros_like, params)
    return jax.device_put((params, m, v, np.float32(0)))  # made by NumPy: jnp would compile every call here


def loss_and_right(params: Any, x: jax.Array, t: jax.Array, counts: Any) -> tuple[jax.Array, jax.Array]:
    """The mean cross-entropy of the rows that count, and how many of them are right."""
    (W1, b1), (W2, b2) = params
    y = jax.nn.relu(x @ W1 + b1) @ W2 + b2
    each = -jnp.sum(jax.nn.one_hot(t, 10) * jax.nn.log_softmax(y), axis=1)
    return jnp.sum(each * counts) / jnp.sum(counts), jnp.sum((y.argmax(axis=1) == t) * counts)


@partial(jax.jit, donate_argnums=(0, 1))
def step(state: Any, sums: Any, x: jax.Array, t: jax.Array, rows: jax.Array) -> tuple[Any, Any]:
    """A step of Adam on these rows (-1: no row); the epoch's sums of loss and right answers go along."""
    params, m, v, k = state
    counts = (rows >= 0).astype(jnp.float32)
    (loss, right), grads = jax.value_and_grad(loss_and_right, has_aux=True)(params, x[rows], t[rows], counts)
    k = k + 1
    rate, full2 = LR / (1 - BETA1**k), 1 / (1 - BETA2**k)
    m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, grads)
    v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, grads)
    params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v * full2) + EPS), params, m, v)
    return (params, m, v, k), (sums[0] + loss * jnp.sum(counts), sums[1] + right)


@jax.jit
def evaluate(params: Any, x: jax.Array, t: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Loss and accuracy on all rows."""
    loss, right = loss_and_right(params, x, t, jnp.ones(len(x)))
    return loss, right / len(x)


def batches(count: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """An epoch's order of the images: a row for each batch, the last filled up with -1."""
    order = np.full((-(-count // BATCH), BATCH), -1, np.int32)
    order.flat[:count] = rng.permutation(count)
    return order


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10, help="times through the training images (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="fixes the first weights and the order of images (0)")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)

    x, t = read("train")
    x_test, t_test = read("t10k")
    state = start(rng)
    print("epoch  loss    accuracy  test loss  test accuracy")
    for epoch in range(1, options.epochs + 1):
        sums = jax.device_put((np.float32(0), np.float32(0)))
        for rows in batches(len(x), rng):
            state, sums = step(state, sums, x, t, rows)
        loss, accuracy = (float(total) / len(x) for total in sums)
        test_loss, test_accuracy = map(float, evaluate(state[0], x_test, t_test))
        print(f"{epoch:5}  {loss:.4f}  {accuracy:8.2%}  {test_loss:9.4f}  {test_accuracy:13.2%}", flush=True)
    print(f"\ntest accuracy {100 * float(evaluate(state[0], x_test, t_test)[1]):.2f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
