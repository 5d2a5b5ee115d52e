"""examples/mnist_resnet.py in PyTorch, as its users write it for speed: python benchmarks/mnist_resnet_torch.py

The same network, first weights' law, batches, schedule, shifts and number of epochs, float32. Images are bytes until
their batch is used, as in the example; Adam is the fused one; tensors are channels last, which is the faster of
PyTorch's two memory formats here (--channels first for the other). mnist_end_to_end.py runs this.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import torch
from mnist_torch import read
from torch import nn
from torch.nn import functional

BATCH, PEAK, SHIFT = 128, 3e-3, 2
FORMATS = {"first": torch.contiguous_format, "last": torch.channels_last}


class Residual(nn.Module):
    """y = f(x) + x; where f changes the shape, a 1 x 1 convolution does so on the way past it."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False), nn.BatchNorm2d(n_out),
        )  # fmt: skip
        self.shortcut: nn.Module = nn.Identity()
        if (n_in, stride) != (n_out, 1):
            self.shortcut = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.f(x) + self.shortcut(x)


def make_model() -> nn.Sequential:
    """Three stages: weights Kaiming normal, biases 0."""
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        Residual(16, 16, 1), nn.ReLU(),
        Residual(16, 32, 2), nn.ReLU(),
        Residual(32, 64, 2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return model


def shifted(x: torch.Tensor) -> torch.Tensor:
    """Images (N, H, W), each moved by up to SHIFT pixels, in a way of its own."""
    N, H, W = x.shape
    padded = functional.pad(x, (SHIFT, SHIFT, SHIFT, SHIFT))
    down, right = torch.randint(0, 2 * SHIFT + 1, (2, N, 1, 1))
    return padded[torch.arange(N)[:, None, None], down + torch.arange(H)[:, None], right + torch.arange(W)]


def scale(x: torch.Tensor, memory: torch.memory_format) -> torch.Tensor:
    """Bytes (N, H, W) as images of one channel, from 0 to 1."""
    return x[:, None].float().div_(255).contiguous(memory_format=memory)


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.OneCycleLR,
    x: torch.Tensor,
    t: torch.Tensor,
    memory: torch.memory_format,
) -> tuple[float, float]:
    """An epoch in an order of its own; the means over it of loss and accuracy."""
    total, right = 0.0, 0.0
    for rows in torch.randperm(len(x)).split(BATCH):
        x_batch, t_batch = shifted(x.index_select(0, rows)), t.index_select(0, rows)
        y = model(scale(x_batch, memory))
        loss = functional.cross_entropy(y, t_batch, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item() * len(rows)
        right += (y.detach().argmax(1) == t_batch).sum().item()
    return total / len(x), right / len(x)


@torch.inference_mode()
def accuracy(model: nn.Module, x: torch.Tensor, t: torch.Tensor, memory: torch.memory_format) -> float:
    """The share of images that is read right, by the running means of batch normalization."""
    model.eval()
    right = sum((model(scale(a, memory)).argmax(1) == b).sum().item() for a, b in zip(x.split(250), t.split(250)))
    model.train()
    return right / len(x)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=5, help="times through the training images (default 5)")
    parser.add_argument("--seed", type=int, default=0, help="fixes the first weights, order and shifts of images (0)")
    parser.add_argument("--rows", type=int, help="train with the first N images only")
    parser.add_argument("--threads", type=int, help="default: as PyTorch likes")
    parser.add_argument("--channels", choices=FORMATS, default="last", help="where an image has them (default last)")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    if options.threads:
        torch.set_num_threads(options.threads)
    memory = FORMATS[options.channels]

    x, t = read("train", as_bytes=True)
    x_test, t_test = read("t10k", as_bytes=True)
    x, t, x_test = x[: options.rows].view(-1, 28, 28), t[: options.rows], x_test.view(-1, 28, 28)
    if len(x) % BATCH == 1:  # batch normalization cannot work on a batch of one image
        x, t = x[:-1], t[:-1]
    model = make_model().to(memory_format=memory)
    optimizer = torch.optim.Adam(model.parameters(), lr=PEAK, fused=True)
    steps = options.epochs * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=steps, cycle_momentum=False)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters\nepoch  loss    accuracy  seconds")
    for epoch in range(1, options.epochs + 1):
        start = time.perf_counter()
        loss, right = train(model, optimizer, schedule, x, t, memory)
        print(f"{epoch:5}  {loss:.4f}  {right:8.2%}  {time.perf_counter() - start:7.1f}", flush=True)
    right = accuracy(model, x_test, t_test, memory)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(f"\npeak of memory {peak:.0f} MiB\ntest accuracy {100 * right:.2f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
