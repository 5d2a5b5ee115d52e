"""DataFrames, Series and lists: the core says what to write, and what it says works. The record as a DataFrame."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinynn
from tinynn import MSE, Adam, Affine, ReLU, Sequential, SoftmaxCrossEntropy

pd = pytest.importorskip("pandas")
rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(20, 3)), columns=["long", "wide", "high"])
T = pd.Series(rng.integers(0, 2, 20), name="kind")
MODEL = Sequential(Affine(3, 4), ReLU(), Affine(4, 2), backend="numpy", seed=0)
LOSS = SoftmaxCrossEntropy("numpy")


def fit(x, t, **options):
    return MODEL.fit(x, t, loss=LOSS, optimizer=Adam(MODEL), progress=False, **options)


USES = {
    "fit": fit,
    "evaluate": lambda x, t: MODEL.evaluate(x, t, loss=LOSS),
    "predict": lambda x, t: MODEL.predict(x),
    "a layer": lambda x, t: MODEL[0].forward(x),
    "check": lambda x, t: tinynn.check(MODEL, x, t, LOSS),
    "explain": lambda x, t: tinynn.explain(MODEL, x, t, LOSS),
    "diagnose": lambda x, t: tinynn.diagnose(MODEL, LOSS, x, t),
    "a loss": lambda x, t: LOSS(MODEL(x), t),
    "accuracy": lambda x, t: tinynn.accuracy(x, t),
    "minibatches": lambda x, t: list(tinynn.minibatches(x, t, 5)),
    "sample_weight": lambda x, t: fit(X.to_numpy("float32"), T.to_numpy(), sample_weight=t),
    "validation": lambda x, t: fit(X.to_numpy("float32"), T.to_numpy(), validation_data=(x, t)),
}


@pytest.mark.parametrize("kind", ["DataFrame", "list"])
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_message_says_what_to_write(use, kind):
    """Followed to the letter, until nothing is left to say."""
    given = {"x": X, "t": T} if kind == "DataFrame" else {"x": X.to_numpy().tolist(), "t": T.tolist()}
    said = []
    while len(said) < 4:
        try:
            use(**given)
            break
        except TypeError as error:
            said.append(re.search(r": (\S[^:]*?)( makes one)?$", str(error))[1])
            name = re.search(r"^(?:np.asarray\()?(\w+)", said[-1])[1]
            mine = {"y": "x", "sample_weight": "t"}.get(name, name)
            given[mine] = eval(said[-1], {"np": np, name: given[mine]})
    assert 1 <= len(said) <= 3 and (".to_numpy(" in said[0]) == (kind == "DataFrame")


def test_labels_that_are_texts():
    words = np.array(["no", "yes"])[T]
    with pytest.raises(
        TypeError, match=r"whole numbers, not of dtype <U3: names, t = np.unique\(t, return_inverse=True\) numbers"
    ):
        fit(X.to_numpy("float32"), words)
    np.testing.assert_array_equal(np.unique(words, return_inverse=True)[1], T)


def test_targets_of_one_number():
    model = Sequential(Affine(3, 1), backend="numpy", seed=0)
    with pytest.raises(ValueError, match=r"not \(20,\): t.reshape\(-1, 1\) has$"):
        model.fit(X.to_numpy("float32"), T.to_numpy("float32"), loss=MSE(), optimizer=Adam(model))


def test_the_record_as_a_frame():
    history = fit(X.to_numpy("float32"), T.to_numpy(), epochs=3)
    frame = pd.DataFrame(history.to_dict())
    assert list(frame) == ["loss", "accuracy", "seconds"] and len(frame) == 3
    assert frame.loss.tolist() == history["loss"]
