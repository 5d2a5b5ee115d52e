"""The contenders of train_step.py and conv_step.py.

Everyone has the same job: a network (see _networks.py), its first weights, examples and labels as NumPy arrays; softmax
cross-entropy, its value computed in each step; Adam at 1e-3; float32. The batches are prepared beforehand, as each
framework likes its arrays, so that no choosing, copying or converting of examples is measured. Each peer is written as
its users would write it for speed; where two ways are in use, the faster counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from _networks import Layers, Place, Shape, conv, multiplications, pack, places, tinynn_layers, unpack

Array = np.ndarray[Any, Any]

LR, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8
CLASSES = 10

# What makes a framework use one core. (JAX sizes its thread pool by NPROC; the flags that XLA has for it do nothing.)
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "NPROC": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


class Contender:
    """One way to train. `start` makes a new model; `run` takes steps with the batches in their order, round and round.

    The constructor imports the framework.
    """

    learns = True  # False: nothing changes from step to step
    scale = 1.0  # how many steps of training one call of `step` stands for

    def __init__(self, one_thread: bool) -> None:
        pass

    def start(self, params: Array, layers: Layers, x: Array, t: Array, batch: int) -> None:
        """A new model from the weights `params`, for batches that are blocks of `batch` rows of x and t."""
        self.layers, self.shape, self.batch = layers, x.shape[1:], batch
        blocks = [slice(i, i + batch) for i in range(0, len(x) - batch + 1, batch)]
        self.x, self.t = [self.convert(x[rows]) for rows in blocks], [self.convert(t[rows]) for rows in blocks]
        self.build(params)

    def convert(self, rows: Array) -> Any:
        """The examples or the labels of a batch as the framework's own array."""
        return rows

    def build(self, params: Array) -> None:
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
    """The matrix products of a dense network's step, by NumPy's BLAS, into arrays that are there already."""

    learns = False

    def build(self, params: Array) -> None:
        batch, dtype = self.batch, self.x[0].dtype
        rng = np.random.default_rng(0)
        self.W = [W for W, _ in unpack(params, self.layers, self.shape)]
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


class Speed(Contender):
    """As many multiplications as a step's convolutions and products have, at the speed of one large product."""

    learns = False
    N = 1024

    def build(self, params: Array) -> None:
        self.scale = self.batch * multiplications(self.layers, self.shape) / self.N**3
        rng = np.random.default_rng(0)
        self.a, self.b = rng.standard_normal((2, self.N, self.N), dtype=np.float32)
        self.y = np.empty_like(self.a)

    def step(self, x: Array, t: Array) -> None:
        np.dot(self.a, self.b, out=self.y)


class Tinynn(Contender):
    """The loop of tinynn's own documentation."""

    backend = "numba"
    dtype = "float32"

    def __init__(self, one_thread: bool) -> None:
        import tinynn

        self.tinynn = tinynn

    def build(self, params: Array) -> None:
        nn = self.tinynn
        layers = tinynn_layers(self.layers)
        self.model = nn.Sequential(*layers, shape=self.shape, backend=self.backend, dtype=self.dtype)
        self.model.params[...] = self.model.ops.asarray(params.astype(self.dtype))
        self.model.keep_all(False)  # as in fit
        self.loss = nn.SoftmaxCrossEntropy(backend=self.backend)
        self.optimizer = nn.Adam(self.model, LR, BETA1, BETA2, EPS)

    def step(self, x: Array, t: Array) -> None:
        y = self.model.forward(x)
        self.loss.forward(y, t)
        self.model.backward(self.loss.backward())
        self.optimizer.step()

    def params(self) -> Array:
        params: Array = self.model.params
        return params


class TinynnNumpy(Tinynn):
    """The same on the plain NumPy backend."""

    backend = "numpy"


class TinynnCupy(Tinynn):
    """The same on a GPU."""

    backend = "cupy"

    def __init__(self, one_thread: bool) -> None:
        super().__init__(one_thread)
        self.ops = self.tinynn.backends.load("cupy")

    def convert(self, rows: Array) -> Any:
        return self.ops.asarray(rows)

    def run(self, first: int, count: int) -> None:
        super().run(first, count)
        self.ops.xp.cuda.Device().synchronize()  # calls return before their work is done

    def params(self) -> Array:
        return np.array(self.ops.to_numpy(self.model.params))


class Reference(TinynnNumpy):
    """What all parameters are compared with: the plain NumPy backend in double precision."""

    dtype = "float64"

    def convert(self, rows: Array) -> Array:
        return rows.astype(self.dtype) if rows.dtype.kind == "f" else rows


class TorchEager(Contender):
    """PyTorch as in its tutorials: nn.Linear, nn.Conv2d, F.cross_entropy, torch.optim.Adam."""

    fused = False
    last = False  # whether images are stored with their channels last

    def __init__(self, one_thread: bool) -> None:
        import torch

        self.torch = torch
        self.format = torch.channels_last if self.last else torch.contiguous_format
        if one_thread:
            torch.set_num_threads(1)

    def convert(self, rows: Array) -> Any:
        tensor = self.torch.from_numpy(rows)
        return tensor.permute(0, 3, 1, 2).contiguous(memory_format=self.format) if rows.ndim == 4 else tensor

    def module(self, params: Array) -> Any:
        """The network, with the weights copied in."""
        model = torch_network(self.torch, self.layers).to(memory_format=self.format)
        with self.torch.no_grad():
            for (_, a), value in zip(self.theirs(model), self.ours(params)):
                a.copy_(self.torch.from_numpy(value))
        return model

    def theirs(self, model: Any) -> list[tuple[Place, Any]]:
        """Each parameter of the module, with the layer that it belongs to."""
        owners = [place for place in places(self.layers, self.shape) for _ in place.shapes]
        return list(zip(owners, model.parameters(), strict=True))

    def ours(self, params: Array) -> Iterator[Array]:
        """tinynn's arrays as PyTorch has them: n_out first, and what Flatten gives in the order C, H, W."""
        for place, arrays in zip(places(self.layers, self.shape), unpack(params, self.layers, self.shape)):
            W, *rest = arrays
            if place.kind == "Conv2D":
                W = W.transpose(3, 2, 0, 1)
            elif place.kind == "Affine":
                W = (W if place.image is None else W[channels_first(place.image)]).T
            yield from (W, *rest)

    def build(self, params: Array) -> None:
        self.model = self.module(params)
        parameters = self.model.parameters()
        self.optimizer = self.torch.optim.Adam(parameters, lr=LR, betas=(BETA1, BETA2), eps=EPS, fused=self.fused)

    def step(self, x: Any, t: Any) -> None:
        self.optimizer.zero_grad()
        loss = self.torch.nn.functional.cross_entropy(self.model(x), t)
        loss.backward()
        self.optimizer.step()

    def params(self) -> Array:
        arrays = []
        for place, parameter in self.theirs(self.model):
            a = parameter.detach().cpu().numpy()
            if a.ndim == 4:
                a = a.transpose(2, 3, 1, 0)
            elif a.ndim == 2:
                a = a.T
                if place.image is not None:
                    a = a[np.argsort(channels_first(place.image))]
            arrays.append(a)
        return pack([arrays])


def torch_network(torch: Any, layers: Layers) -> Any:
    """The network as a module."""
    nn = torch.nn

    class Residual(nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self, f: Layers, shortcut: Layers | None) -> None:
            super().__init__()
            self.f, self.shortcut = torch_network(torch, f), torch_network(torch, shortcut or [])

        def forward(self, x: Any) -> Any:
            return self.f(x) + self.shortcut(x)

    def make(kind: str, *arguments: Any) -> Any:
        if kind == "Conv2D":
            *sizes, bias = conv(list(arguments))
            return nn.Conv2d(*sizes, bias=bias)
        if kind == "GlobalAvgPool":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        if kind == "ReLU":
            return nn.ReLU(inplace=True)
        own = {"Affine": nn.Linear, "BatchNorm": nn.BatchNorm2d, "MaxPool2D": nn.MaxPool2d, "Flatten": nn.Flatten}
        return {**own, "Residual": Residual}[kind](*arguments)

    return nn.Sequential(*(make(*layer) for layer in layers))


def channels_first(image: Shape) -> Array:
    """Where the numbers of an image (H, W, C) that was made a row stand, in the order C, H, W."""
    return np.arange(math.prod(image)).reshape(image).transpose(2, 0, 1).ravel()


class TorchFused(TorchEager):
    """The same with Adam(fused=True), one kernel for each parameter array."""

    fused = True


class TorchCuda(TorchFused):
    """Eager with the fused Adam on a GPU. Convolutions multiply in float32, as tinynn's do, not in TF32."""

    device = "cuda"

    def __init__(self, one_thread: bool) -> None:
        super().__init__(one_thread)
        if self.device == "cuda" and not self.torch.cuda.is_available():
            raise ImportError("PyTorch finds no GPU")
        self.torch.backends.cudnn.allow_tf32 = False

    def convert(self, rows: Array) -> Any:
        return super().convert(rows).to(self.device)

    def module(self, params: Array) -> Any:
        return super().module(params).to(self.device)

    def run(self, first: int, count: int) -> None:
        super().run(first, count)
        if self.device == "cuda":
            self.torch.cuda.synchronize()


class TorchCudaLast(TorchCuda):
    """The same, images with their channels last."""

    last = True


class TorchCompile(TorchEager):
    """The whole step as one graph under torch.compile: gradients by torch.func, Adam by hand, in place.

    That is faster than compiling the model alone and calling backward and a fused Adam (at 32 x 32, twice). The running
    means of BatchNorm go in and come out, since a function whose gradient is taken cannot write to them.
    """

    def build(self, params: Array) -> None:
        torch = self.torch
        torch._dynamo.reset()  # no memory of the shapes before
        model = self.model = self.module(params)
        learned = {name: p.detach() for name, p in model.named_parameters()}
        buffers = dict(model.named_buffers())
        m = {name: torch.zeros_like(p) for name, p in learned.items()}
        v = {name: torch.zeros_like(p) for name, p in learned.items()}

        def loss(learned: Any, buffers: Any, x: Any, t: Any) -> Any:
            kept = {name: buffer.clone() for name, buffer in buffers.items()}
            return torch.nn.functional.cross_entropy(torch.func.functional_call(model, (learned, kept), (x,)), t), kept

        def whole(learned: Any, buffers: Any, m: Any, v: Any, rate: Any, full2: Any, x: Any, t: Any) -> Any:
            grads, (value, kept) = torch.func.grad_and_value(loss, has_aux=True)(learned, buffers, x, t)
            for name, g in grads.items():
                m[name].mul_(BETA1).add_(g, alpha=1 - BETA1)
                v[name].mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
                learned[name].sub_(rate * m[name] / ((v[name] * full2).sqrt() + EPS))
            for name, buffer in kept.items():
                buffers[name].copy_(buffer)
            return value

        self.state = learned, buffers, m, v
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


class TorchEagerLast(TorchEager):
    """Eager, images with their channels last."""

    last = True


class TorchFusedLast(TorchFused):
    """Eager with the fused Adam, images with their channels last."""

    last = True


class TorchCompileLast(TorchCompile):
    """Compiled, images with their channels last."""

    last = True


class Jax(Contender):
    """The whole step under jax.jit, Adam by hand, the old parameters and moments donated."""

    def __init__(self, one_thread: bool) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp = jax, jnp

        def loss(params: Any, kept: Any, x: Any, t: Any) -> Any:
            kept_now: list[Any] = []
            y = jax_network(jax, self.layers, iter(params), iter(kept), kept_now, x)
            log_p = jax.nn.log_softmax(y)
            return -jnp.mean(jnp.sum(jax.nn.one_hot(t, CLASSES) * log_p, axis=1)), kept_now

        def step(params: Any, kept: Any, m: Any, v: Any, k: Any, x: Any, t: Any) -> Any:
            (value, kept), grads = jax.value_and_grad(loss, has_aux=True)(params, kept, x, t)
            k = k + 1
            rate, full2 = LR / (1 - BETA1**k), 1 / (1 - BETA2**k)
            m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, grads)
            v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, grads)
            params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v * full2) + EPS), params, m, v)
            return params, kept, m, v, k, value

        self.plain = step

    def convert(self, rows: Array) -> Any:
        return self.jnp.array(rows)

    def build(self, params: Array) -> None:
        jnp = self.jnp
        weights = [[jnp.array(a) for a in arrays] for arrays in unpack(params, self.layers, self.shape)]
        norms = [place for place in places(self.layers, self.shape) if place.kind == "BatchNorm"]
        kept = [(jnp.zeros(place.shapes[0]), jnp.ones(place.shapes[0])) for place in norms]
        m, v = ([[jnp.zeros(a.shape) for a in arrays] for arrays in weights] for _ in range(2))
        self.state: Any = (weights, kept, m, v, jnp.zeros(()))
        self.jitted = self.jax.jit(self.plain, donate_argnums=(0, 1, 2, 3, 4))

    def step(self, x: Any, t: Any) -> None:
        *self.state, _ = self.jitted(*self.state, x, t)

    def run(self, first: int, count: int) -> None:
        super().run(first, count)
        self.jax.block_until_ready(self.state)  # calls return before their work is done

    def params(self) -> Array:
        return pack(self.state[0])


def jax_network(
    jax: Any, layers: Layers, params: Iterator[Any], kept: Iterator[Any], kept_now: list[Any], x: Any
) -> Any:
    """y of the network. `kept` are the running means and variances before, `kept_now` gets those after."""
    jnp = jax.numpy
    for kind, *arguments in layers:
        if kind == "Affine":
            W, b = next(params)
            x = x @ W + b
        elif kind == "Conv2D":
            _, _, _, stride, padding, _ = conv(arguments)
            W, *b = next(params)
            around = [(padding, padding)] * 2
            x = jax.lax.conv_general_dilated(x, W, (stride,) * 2, around, dimension_numbers=("NHWC", "HWIO", "NHWC"))
            x = x + b[0] if b else x
        elif kind == "BatchNorm":
            g, b = next(params)
            mean, var = next(kept)
            batch_mean, square = jnp.mean(x, (0, 1, 2)), jnp.mean(x * x, (0, 1, 2))  # as in Flax
            batch_var = square - batch_mean**2
            kept_now.append((0.9 * mean + 0.1 * batch_mean, 0.9 * var + 0.1 * batch_var))
            x = (x - batch_mean) * (g * jax.lax.rsqrt(batch_var + 1e-5)) + b
        elif kind == "ReLU":
            x = jax.nn.relu(x)
        elif kind == "MaxPool2D":
            window = (1, arguments[0], arguments[0], 1)
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
        elif kind == "GlobalAvgPool":
            x = jnp.mean(x, (1, 2))
        elif kind == "Flatten":
            x = x.reshape(len(x), -1)
        elif kind == "Residual":
            f, shortcut = arguments
            y = jax_network(jax, f, params, kept, kept_now, x)
            x = y + jax_network(jax, shortcut or [], params, kept, kept_now, x)
        else:
            raise ValueError(f"no such layer: {kind}")
    return x


class ScikitLearn(Contender):
    """MLPClassifier.partial_fit, without regularisation, called for a run of batches at once.

    So what it does in each call besides its steps (checks, labels to one-hot) is shared by many, as it is in `fit`. Its
    Adam adds epsilon to the root of v before the correction for v's start at 0; everybody else's, after it.
    """

    def __init__(self, one_thread: bool) -> None:
        from sklearn.neural_network import MLPClassifier

        self.estimator = MLPClassifier

    def start(self, params: Array, layers: Layers, x: Array, t: Array, batch: int) -> None:
        self.x, self.t, self.batch = x, t, batch
        hidden = [layer[2] for layer in layers if layer[0] == "Affine"][:-1]
        self.model = self.estimator(
            hidden, alpha=0, batch_size=batch, shuffle=False, learning_rate_init=LR, beta_1=BETA1, beta_2=BETA2,
            epsilon=EPS,
        )  # fmt: skip
        self.model.partial_fit(x[:batch], t[:batch], classes=np.arange(CLASSES))  # makes the arrays
        for i, (W, b) in enumerate(unpack(params, layers, x.shape[1:])):
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
        return pack([list(arrays) for arrays in zip(self.model.coefs_, self.model.intercepts_)])


CONTENDERS: dict[str, type[Contender]] = {
    "floor": Floor,
    "speed": Speed,
    "tinynn-numba": Tinynn,
    "tinynn-numpy": TinynnNumpy,
    "tinynn-cupy": TinynnCupy,
    "torch-adam": TorchEager,
    "torch-fused": TorchFused,
    "torch-compile": TorchCompile,
    "torch-cuda": TorchCuda,
    "torch-cuda-last": TorchCudaLast,
    "torch-adam-last": TorchEagerLast,
    "torch-fused-last": TorchFusedLast,
    "torch-compile-last": TorchCompileLast,
    "jax": Jax,
    "sklearn": ScikitLearn,
}
