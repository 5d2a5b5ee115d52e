"""The contenders of train_step.py, and the worker process in which one of them runs.

Everyone has the same job: weights, rows and labels as NumPy arrays; ReLU between affine layers; softmax cross-entropy,
its value computed in each step; Adam at 1e-3; float32. The batches are prepared beforehand, as each framework likes its
arrays, so that no choosing, copying or converting of rows is measured. Each peer is written as its users would write it
for speed; where two ways are in use, the faster counts.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LR, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8
CLASSES = 10

# What makes a framework use one core. (JAX sizes its thread pool by NPROC; the flags that XLA has for it do nothing.)
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NPROC": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


def unpack(params: Array, widths: list[int]) -> list[tuple[Array, Array]]:
    """(W, b) of each layer, from the flat vector W1, b1, W2, b2, ... for layers of these widths."""
    pairs, start = [], 0
    for n_in, n_out in itertools.pairwise(widths):
        W = params[start : start + n_in * n_out].reshape(n_in, n_out)
        b = params[start + n_in * n_out : start + n_in * n_out + n_out]
        pairs.append((W, b))
        start += n_in * n_out + n_out
    return pairs


def pack(pairs: list[tuple[Any, Any]]) -> Array:
    """The flat vector of (W, b) of each layer."""
    return np.concatenate([np.asarray(a).ravel() for pair in pairs for a in pair])


class Contender:
    """One way to train. `start` makes a new model; `run` takes steps with the batches in their order, round and round.

    The constructor imports the framework.
    """

    learns = True  # False: nothing changes from step to step

    def __init__(self, one_thread: bool) -> None:
        pass

    def start(self, params: Array, widths: list[int], x: Array, t: Array, batch: int) -> None:
        """A new model from the weights `params`, for batches that are blocks of `batch` rows of x and t."""
        blocks = [slice(i, i + batch) for i in range(0, len(x) - batch + 1, batch)]
        self.x, self.t = [self.convert(x[rows]) for rows in blocks], [self.convert(t[rows]) for rows in blocks]
        self.build(unpack(params, widths))

    def convert(self, rows: Array) -> Any:
        """A batch as the framework's own array."""
        return rows

    def build(self, pairs: list[tuple[Array, Array]]) -> None:
        """The model with these weights, and its optimizer."""
        raise NotImplementedError

    def step(self, x: Any, t: Any) -> None:
        """Forward, loss, backward, update."""
        raise NotImplementedError

    def run(self, first: int, count: int) -> None:
        """The steps first, first + 1, ..., all `count` of them done on return."""
        x, t, step = self.x, self.t, self.step
        for i in range(first, first + count):
            step(x[i % len(x)], t[i % len(x)])

    def params(self) -> Array:
        """The parameters now."""
        raise NotImplementedError


class Floor(Contender):
    """The matrix products of a step and nothing else, by NumPy's BLAS, into arrays that are there already."""

    learns = False

    def build(self, pairs: list[tuple[Array, Array]]) -> None:
        batch, dtype = len(self.x[0]), self.x[0].dtype
        rng = np.random.default_rng(0)
        self.W = [W for W, _ in pairs]
        self.dW = [np.empty_like(W) for W in self.W]
        self.y = [np.empty((batch, W.shape[1]), dtype) for W in self.W]
        self.dy = [rng.normal(size=y.shape).astype(dtype) for y in self.y]
        self.dx = [np.empty((batch, W.shape[0]), dtype) for W in self.W]

    def step(self, x: Array, t: Array) -> None:
        inputs = [x, *self.y[:-1]]
        for x, W, y in zip(inputs, self.W, self.y):
            np.dot(x, W, out=y)
        for i in reversed(range(len(inputs))):
            np.dot(inputs[i].T, self.dy[i], out=self.dW[i])
            if i > 0:  # nobody needs dx of the first layer
                np.dot(self.dy[i], self.W[i].T, out=self.dx[i])


class Tinynn(Contender):
    """The loop of tinynn's own documentation."""

    backend = "numba"
    dtype = "float32"

    def __init__(self, one_thread: bool) -> None:
        import tinynn

        self.tinynn = tinynn

    def build(self, pairs: list[tuple[Array, Array]]) -> None:
        nn = self.tinynn
        affine = [nn.Affine(*W.shape) for W, _ in pairs]
        layers = [layer for a in affine for layer in (a, nn.ReLU())][:-1]
        self.model = nn.Sequential(*layers, backend=self.backend, dtype=self.dtype)
        for layer, (W, b) in zip(affine, pairs):
            layer.W, layer.b = W.astype(self.dtype), b.astype(self.dtype)
        self.loss = nn.SoftmaxCrossEntropy(backend=self.backend)
        self.optimizer = nn.Adam(self.model, LR, BETA1, BETA2, EPS)

    def step(self, x: Array, t: Array) -> None:
        y = self.model.forward(x)
        self.loss.forward(y, t)
        self.model.backward(self.loss.backward())
        self.optimizer.step()

    def params(self) -> Array:
        return self.model.params


class TinynnNumpy(Tinynn):
    """The same on the plain NumPy backend."""

    backend = "numpy"


class Reference(TinynnNumpy):
    """What all parameters are compared with: the plain NumPy backend in double precision."""

    dtype = "float64"

    def convert(self, rows: Array) -> Array:
        return rows.astype(self.dtype) if rows.dtype.kind == "f" else rows


class TorchEager(Contender):
    """PyTorch as in its tutorials: nn.Linear, F.cross_entropy, torch.optim.Adam."""

    fused = False

    def __init__(self, one_thread: bool) -> None:
        import torch

        self.torch = torch
        if one_thread:
            torch.set_num_threads(1)

    def convert(self, rows: Array) -> Any:
        return self.torch.from_numpy(rows)

    def module(self, pairs: list[tuple[Array, Array]]) -> Any:
        """The layers, with the weights copied in."""
        torch = self.torch
        linear = [torch.nn.Linear(*W.shape) for W, _ in pairs]
        with torch.no_grad():
            for layer, (W, b) in zip(linear, pairs):
                layer.weight.copy_(torch.from_numpy(W.T))
                layer.bias.copy_(torch.from_numpy(b))
        return torch.nn.Sequential(*[layer for one in linear for layer in (one, torch.nn.ReLU())][:-1])

    def build(self, pairs: list[tuple[Array, Array]]) -> None:
        self.model = self.module(pairs)
        parameters = self.model.parameters()
        self.optimizer = self.torch.optim.Adam(parameters, lr=LR, betas=(BETA1, BETA2), eps=EPS, fused=self.fused)

    def step(self, x: Any, t: Any) -> None:
        self.optimizer.zero_grad()
        loss = self.torch.nn.functional.cross_entropy(self.model(x), t)
        loss.backward()
        self.optimizer.step()

    def params(self) -> Array:
        arrays = [p.detach().numpy() for p in self.model.parameters()]
        return pack([(W.T, b) for W, b in zip(arrays[::2], arrays[1::2])])


class TorchFused(TorchEager):
    """The same with Adam(fused=True), one kernel for each parameter array."""

    fused = True


class TorchCompile(TorchEager):
    """The whole step as one graph under torch.compile: gradients by torch.func, Adam by hand, in place.

    That is faster than compiling the model alone and calling backward and a fused Adam (at 32 x 32, twice).
    """

    def build(self, pairs: list[tuple[Array, Array]]) -> None:
        torch = self.torch
        torch._dynamo.reset()  # no memory of the shapes before
        self.model = self.module(pairs)
        model = self.model
        params = {name: p.detach() for name, p in model.named_parameters()}
        m = {name: torch.zeros_like(p) for name, p in params.items()}
        v = {name: torch.zeros_like(p) for name, p in params.items()}

        def loss(params: Any, x: Any, t: Any) -> Any:
            return torch.nn.functional.cross_entropy(torch.func.functional_call(model, params, (x,)), t)

        def whole(params: Any, m: Any, v: Any, rate: Any, full2: Any, x: Any, t: Any) -> Any:
            grads, value = torch.func.grad_and_value(loss)(params, x, t)
            for name, g in grads.items():
                m[name].mul_(BETA1).add_(g, alpha=1 - BETA1)
                v[name].mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
                params[name].sub_(rate * m[name] / ((v[name] * full2).sqrt() + EPS))
            return value

        self.state = params, m, v
        self.whole = torch.compile(whole, dynamic=False, fullgraph=True)
        self.k = 0

    def step(self, x: Any, t: Any) -> None:
        self.k += 1
        rate = self.torch.tensor(LR / (1 - BETA1**self.k))  # a tensor: a number would be compiled in
        full2 = self.torch.tensor(1 / (1 - BETA2**self.k))
        self.whole(*self.state, rate, full2, x, t)

    def run(self, first: int, count: int) -> None:
        with self.torch.no_grad():
            super().run(first, count)


class Jax(Contender):
    """The whole step under jax.jit, Adam by hand, the old parameters and moments donated."""

    def __init__(self, one_thread: bool) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp = jax, jnp

        def loss(params: Any, x: Any, t: Any) -> Any:
            for W, b in params[:-1]:
                x = jax.nn.relu(x @ W + b)
            W, b = params[-1]
            log_p = jax.nn.log_softmax(x @ W + b)
            return -jnp.mean(jnp.sum(jax.nn.one_hot(t, CLASSES) * log_p, axis=1))

        def step(params: Any, m: Any, v: Any, k: Any, x: Any, t: Any) -> Any:
            value, grads = jax.value_and_grad(loss)(params, x, t)
            k = k + 1
            rate, full2 = LR / (1 - BETA1**k), 1 / (1 - BETA2**k)
            m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, grads)
            v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, grads)
            params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v * full2) + EPS), params, m, v)
            return params, m, v, k, value

        self.jitted = jax.jit(step, donate_argnums=(0, 1, 2, 3))

    def convert(self, rows: Array) -> Any:
        return self.jnp.array(rows)

    def build(self, pairs: list[tuple[Array, Array]]) -> None:
        jnp = self.jnp

        def zeros() -> Any:
            return [(jnp.zeros(W.shape), jnp.zeros(b.shape)) for W, b in pairs]

        weights = [(jnp.array(W), jnp.array(b)) for W, b in pairs]
        self.state: Any = (weights, zeros(), zeros(), jnp.zeros(()))

    def step(self, x: Any, t: Any) -> None:
        *self.state, _ = self.jitted(*self.state, x, t)

    def run(self, first: int, count: int) -> None:
        super().run(first, count)
        self.jax.block_until_ready(self.state)  # calls return before their work is done

    def params(self) -> Array:
        return pack(self.state[0])


class ScikitLearn(Contender):
    """MLPClassifier.partial_fit, without regularisation, called for a run of batches at once.

    So what it does in each call besides its steps (checks, labels to one-hot) is shared by many, as it is in `fit`. Its
    Adam adds epsilon to the root of v before the correction for v's start at 0; everybody else's, after it.
    """

    def __init__(self, one_thread: bool) -> None:
        from sklearn.neural_network import MLPClassifier

        self.estimator = MLPClassifier

    def start(self, params: Array, widths: list[int], x: Array, t: Array, batch: int) -> None:
        self.x, self.t, self.batch = x, t, batch
        self.model = self.estimator(
            widths[1:-1], alpha=0, batch_size=batch, shuffle=False, learning_rate_init=LR, beta_1=BETA1, beta_2=BETA2,
            epsilon=EPS,
        )  # fmt: skip
        self.model.partial_fit(x[:batch], t[:batch], classes=np.arange(CLASSES))  # makes the arrays
        for i, (W, b) in enumerate(unpack(params, widths)):
            self.model.coefs_[i][...], self.model.intercepts_[i][...] = W, b
        self.optimizer = self.model._optimizer
        self.optimizer.t = 0
        for moment in self.optimizer.ms + self.optimizer.vs:
            moment[...] = 0

    def run(self, first: int, count: int) -> None:
        batches = len(self.x) // self.batch
        while count > 0:
            start = first % batches
            n = min(count, batches - start)
            rows = slice(start * self.batch, (start + n) * self.batch)
            self.optimizer.epsilon = EPS * (1 - BETA2 ** (first + 1)) ** 0.5  # as everybody's, in the first of n steps
            self.model.partial_fit(self.x[rows], self.t[rows])
            first, count = first + n, count - n

    def params(self) -> Array:
        return pack(list(zip(self.model.coefs_, self.model.intercepts_)))


CONTENDERS: dict[str, type[Contender]] = {
    "floor": Floor,
    "tinynn-numba": Tinynn,
    "tinynn-numpy": TinynnNumpy,
    "torch-adam": TorchEager,
    "torch-fused": TorchFused,
    "torch-compile": TorchCompile,
    "jax": Jax,
    "sklearn": ScikitLearn,
}
