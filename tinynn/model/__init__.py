"""Models: layers put together, over flat vectors. One training step of Affine(784, 256), ReLU(), Affine(256, 10):

forward   x ──────► Affine ──────► ReLU ──────► Affine ──────► y ──┐
         (N,784)   x W + b        max(x,0)     x W + b    (N,10)   │
                      │              │            │                ▼
                      │ x            │ y          │ x         loss.forward(y, t)
                      ▼ remembered   ▼            ▼                │
backward           Affine ◄─────── ReLU ◄────── Affine ◄───── dy ──┘  loss.backward()
                 dW = xᵀ dy      dx = dy·[y>0]  dW = xᵀ dy   (N,10)
                 db = Σ dy                      db = Σ dy
                 (dx is not needed)             dx = dy Wᵀ
                      │                           │
                      ▼                           ▼
         grads  [ dW₁          | db₁ | dW₂   | db₂ ]   one flat vector
         params [ W₁           | b₁  | W₂    | b₂  ]   another: layer.W is a view into it
                      └────── optimizer.step() ──────┘  one op for all 203,530 numbers
"""

from .flat_vectors import flatten
from .model import Model
from .sequential import Sequential

__all__ = ["Model", "Sequential", "flatten"]
