"""examples/mnist_mlp.py in PyTorch, as its users write it for speed on a CPU: python benchmarks/mnist_torch.py

All images are one tensor and batches are taken from it by index, since a DataLoader would handle each image in Python;
Adam is the fused one. mnist_end_to_end.py runs this.
"""

from __future__ import annotations

import argparse
import lzma
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

MNIST = Path(__file__).parent.parent / "tinynn" / "datasets" / "mnist"
BATCH = 256


def read(name: str, as_bytes: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Images as rows of pixels, from 0 to 1 or as bytes, and their labels."""
    images = lzma.decompress((MNIST / f"{name}-images-idx3-ubyte.xz").read_bytes())
    labels = lzma.decompress((MNIST / f"{name}-labels-idx1-ubyte.xz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 784)  # after the header
    t = np.frombuffer(labels, np.uint8, offset=8)
    x = pixels.copy() if as_bytes else np.divide(pixels, 255, dtype=np.float32)
    return torch.from_numpy(x), torch.from_numpy(t.astype(np.int64))


def scale(x: torch.Tensor) -> torch.Tensor:
    """Bytes as numbers from 0 to 1; numbers as they are."""
    return x.float().div_(255) if x.dtype == torch.uint8 else x


def make_model() -> torch.nn.Sequential:
    """784-256-10: weights Kaiming normal, biases 0."""
    model = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
    for layer in (model[0], model[2]):
        torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        torch.nn.init.zeros_(layer.bias)
    return model


def train(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, t: torch.Tensor
) -> tuple[float, float]:
    """An epoch in an order of its own; the means over it of loss and accuracy."""
    total, right = 0.0, 0.0
    for rows in torch.randperm(len(x)).split(BATCH):
        x_batch, t_batch = x.index_select(0, rows), t.index_select(0, rows)  # x[rows] takes twice as long
        y = model(scale(x_batch))
        loss = functional.cross_entropy(y, t_batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
        right += (y.detach().argmax(1) == t_batch).sum().item()
    return total / len(x), right / len(x)


@torch.inference_mode()
def evaluate(model: torch.nn.Module, x: torch.Tensor, t: torch.Tensor) -> tuple[float, float]:
    """Loss and accuracy on all rows."""
    y = model(scale(x))
    return functional.cross_entropy(y, t).item(), (y.argmax(1) == t).float().mean().item()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10, help="times through the training images (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="fixes the first weights and the order of images (0)")
    parser.add_argument("--bytes", action="store_true", help="keep pixels as bytes until their batch is used")
    options = parser.parse_args()
    torch.manual_seed(options.seed)

    x, t = read("train", options.bytes)
    x_test, t_test = read("t10k", options.bytes)
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    print("epoch  loss    accuracy  test loss  test accuracy")
    for epoch in range(1, options.epochs + 1):
        loss, accuracy = train(model, optimizer, x, t)
        test_loss, test_accuracy = evaluate(model, x_test, t_test)
        print(f"{epoch:5}  {loss:.4f}  {accuracy:8.2%}  {test_loss:9.4f}  {test_accuracy:13.2%}", flush=True)
    print(f"\ntest accuracy {100 * evaluate(model, x_test, t_test)[1]:.2f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
