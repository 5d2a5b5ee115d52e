"""What people write who come from Keras, PyTorch, scikit-learn or JAX: each answer says what to write here."""

from __future__ import annotations

import copy
import pickle
import re
import warnings

import numpy as np
import pytest

import tinynn
from tinynn import (
    MSE,
    Adam,
    Affine,
    Layer,
    LearningRate,
    Model,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    callbacks,
    elsewhere,
)

X, T = np.random.default_rng(0).normal(size=(20, 3)).astype("float32"), np.arange(20) % 2
IMAGES = np.zeros((20, 4, 4), "uint8")
WORDS = np.array(["no", "yes"])[T]


def model(*layers):
    return Sequential(*(layers or (Affine(3, 2),)), seed=0, backend="numpy")


def fit(x=X, t=T, loss=None, net=None, optimizer=None, **options):
    net = model() if net is None else net
    loss, optimizer = loss or SoftmaxCrossEntropy(), optimizer or Adam(net)
    return tinynn.fit(net, x, t, loss=loss, optimizer=optimizer, progress=False, **options)


def value():
    return SoftmaxCrossEntropy()(X[:, :2], T)


class Plain:
    """A network of one's own that holds layers, and has no vectors."""

    def __init__(self):
        self.layers = [Affine(3, 2), ReLU()]
        self.last = Affine(2, 2)

    def forward(self, x):
        return x

    def backward(self, dy):
        return dy


class Unassembled(Model):
    def __init__(self):
        self.layer = Affine(3, 2)


SLIPS = {  # what is written -> what the answer ends in
    "tinynn.Dense": "module 'tinynn' has no attribute 'Dense': write Affine(n_in, n_out)",
    "tinynn.layers.Linear": ": write Affine(n_in, n_out)",
    "tinynn.Softmax": "SoftmaxCrossEntropy() has the softmax in it, model.predict_proba(x, loss=loss) gives it",
    "tinynn.CrossEntropyLoss": ": write SoftmaxCrossEntropy(), with labels (N,) or rows of probabilities",
    "tinynn.Relu": ": write ReLU",
    "tinynn.MSELoss": ": write MSE",
    "tinynn.LayerNorm": "a layer of your own, with forward(x) and backward(dy): help(tinynn.Layer) shows one",
    "tinynn.nn.Linear": ": write names of tinynn itself, as in: from tinynn import Affine, ReLU, Adam",
    "tinynn.Affin": "module 'tinynn' has no attribute 'Affin'",
    "tinynn.layers.Affin": "module 'tinynn.layers' has no attribute 'Affin'",
    "exec('from tinynn import Dense')": "has no attribute 'Dense': write Affine(n_in, n_out)",
    "exec('from tinynn.layers import Dense')": "has no attribute 'Dense': write Affine(n_in, n_out)",
    "model().add(ReLU())": "Sequential(Affine(784, 256), ReLU(), Affine(256, 10)), with all layers at once",
    "model().compile(loss='mse')": ": write model.fit(x, t, loss=MSE(), optimizer=Adam(model))",
    "model().train()": "nothing in its place: forward is training, model(x) and model.predict(x) are use",
    "model().state_dict()": ': write tinynn.save("run.npz", model, optimizer, history)',
    "model()[0].weight": ": write layer.W",
    "model().nonsense": "'Sequential' object has no attribute 'nonsense'",
    "SGD(model().parameters(), lr=0.1)": "Adam(model, lr=1e-3); model.params is the vector of all parameters",
    "SGD(model().params, lr=0.1)": ": give the model itself, SGD(model, ...)",
    "SGD(0.1, 0.9)": "not 0.1 (float): give the model itself, SGD(model, ...)",
    "Adam(Plain())": ": derive the class, class Plain(tinynn.Model), and end its __init__ with self.assemble(seed=0)",
    "Adam([Affine(3, 2)])": ": Sequential(*layers, seed=0) is one",
    "Adam(Unassembled())": ": a model must end its __init__ with self.assemble(seed=0)",
    "Unassembled().params": "Unassembled: a model must end its __init__ with self.assemble(seed=0)",
    "fit(net=Plain(), optimizer=SGD(model(), 0.1))": "class Plain(tinynn.Model), and end its __init__ with self.assemble(seed=0)",
    "Adam(model()).zero_grad()": "nothing in its place: backward overwrites the gradients",
    "Adam(model(), learning_rate=1e-3)": "Adam has no argument 'learning_rate': write lr",
    "Affine(3, 2, activation='relu')": ": write a layer after it, as in Affine(784, 256), ReLU()",
    "Affine(4)": "Affine: missing a required argument: 'n_out': write Affine(n_in, n_out)",
    "Adam(lr=0.1)": "Adam: missing a required argument: 'model': write Adam(model)",
    "Sequential(Affine(3, 2), input_shape=(3,))": ": write shape of Sequential, n_in of a layer",
    "model().fit(X, T)": "missing a required argument: 'loss': write model.fit(x, t, loss=loss, optimizer=optimizer)",
    "MSE(reduction='sum')": "MSE has no argument 'reduction': write nothing in its place: a loss is the mean over the rows",
    "MSE(1, 2)": "MSE: too many positional arguments: write MSE(backend=None)",
    "Conv2D(1, 2, 3, padding='valid')": 'one number or two, or "same", not \'valid\': padding=0 is that',
    "model()[5]": "a whole number from 0 to 0, as the model has 1 layers, not 5 (int)",
    "tinynn.MLPClassifier": ": write NetworkClassifier, of tinynn.sklearn",
    "tinynn.metrics.f1_score": "metrics.class_report(y, t), which has precision, recall and f1",
    "tinynn.initializers.he_normal": ": write kaiming_normal",
    "callbacks.ModelCheckpoint": ": write Checkpoint(path)",
    "tinynn.datasets.load_iris()": ": write tinynn.datasets.load_mnist(), or NumPy arrays of your own",
    "tinynn.load_weights(model(), 'a.npz')": ": the file comes first, load_weights(path, model)",
    "tinynn.to_onnx('a.onnx', model())": ": the model comes first, to_onnx(model, path)",
    "model().load('a.npz')": 'write model, optimizer, history = tinynn.load("run.npz")',
    "tinynn.explain(model(), X, T)": "write explain(model, x, t, loss) or explain(model, x, t, loss, optimizer)",
    "tinynn.explain(model(), X, T, 'mse')": "not be 'mse' (str): write MSE()",
    "tinynn.explain(model(), X, MSE(), T)": ": the order is explain(model, x, t, loss, optimizer)",
    "fit(initial_epoch=3)": "nothing in its place: fit goes on after the epochs that the optimizer has made",
    "model()(X, T)": "Sequential: too many positional arguments: write y = model(x), and loss(y, t) compares it with t",
    "MSE()(X)": "MSE: missing a required argument: 't': write loss(y, t), with y = model(x)",
    "model().evaluate(X, T)": "missing a required argument: 'loss': write model.evaluate(x, t, loss=loss)",
    "fit(verbose=0)": "fit: got an unexpected keyword argument 'verbose': write progress=False",
    "model().evaluate(X, T, loss=MSE(), verbose=0)": "argument 'verbose': write model.evaluate(x, t, loss=loss)",
    "fit(shuffle=True)": ": write nothing in its place: each epoch has a new order, drawn from seed",
    "tinynn.jit": "nothing in its place: the numba backend is compiled when the model is built",
    "Conv2D(1, 8, kernel_size=3)": ": write kernel of Conv2D, size of pooling",
    "MaxPool2D(pool_size=3)": "MaxPool2D has no argument 'pool_size': write kernel of Conv2D, size of pooling",
    "Dropout(p=0.5)": ": write rate",
    "LeakyReLU(alpha=0.1)": ": write slope of LeakyReLU, rho of RMSProp",
    "value().backward()": ": write model.backward(loss.backward())",
    "value().item()": ": write float(value)",
    "setattr(Adam(model()), 'learning_rate', 0.1)": ": write lr",
    "Affine(3, 2, weight_init='glorot_uniform')": ": write xavier_uniform",
    "Affine(3, 2, bias=False)": "bias=False of Conv2D; an Affine always has one",
    "tinynn.save(model(), 'run.npz')": ": the file comes first, save(path, model)",
    "(lambda net: net.backward(float(net.forward(X).sum())))(model())": ": write model.backward(loss.backward())",
    "fit().history": 'history["loss"], of the History that fit returns, or history.to_dict() for all of it',
    "fit().loss": "'History' has no attribute 'loss': write history['loss']",
    "fit().plot('h.png')": "not 'h.png' (str): axes.figure.savefig('h.png') on what is returned writes a file",
    "fit(loss='mse')": "not 'mse' (str): write MSE()",
    "fit(loss='sparse_categorical_crossentropy')": "SoftmaxCrossEntropy(), with labels (N,) or rows of probabilities",
    "fit(optimizer='adam')": ": write Adam(model, lr=1e-3)",
    "fit(metrics=['accuracy'])": ': write metrics={"accuracy": tinynn.accuracy}',
    "fit(callbacks=EarlyStopping(3))": ": give it in a list, callbacks=[...]",
    "Sequential(Affine(3, 2), np.tanh)": "not <ufunc 'tanh'> (ufunc): write Tanh()",
    "Sequential(Affine(3, 2), 'relu')": ": write ReLU()",
    "LearningRate(1e-3)": ": optimizer.lr is one that stays",
    "model().to('cuda')": ": 'cupy' computes on a GPU of NVIDIA's",
    "fit(x=IMAGES)": "not uint8: x.astype('float32') / 255 makes numbers from 0 to 1 of bytes",
    "model(Affine(16, 2)).predict(IMAGES.astype('f4'))": "not shape (20, 4, 4): Flatten() before it makes rows of them",
    "fit(IMAGES.astype('f4'), net=model(Affine(16, 2)))": "not shape (20, 4, 4): Flatten() before it makes rows of them",
    "model(Conv2D(1, 2, 3)).predict(IMAGES.astype('f4'))": "not shape (20, 4, 4): x[..., None] has one channel",
    "model(Conv2D(3, 2, 3)).predict(np.zeros((5, 3, 8, 8), 'f4'))": "channels come last, x.transpose(0, 2, 3, 1)",
    "Sequential(Conv2D(1, 2, 3), Affine(8, 2), shape=(4, 4, 1))": "gives: Flatten() before it makes rows of them",
    "model().predict(X[0])": "not shape (3,): x.reshape(-1, 1) has a number in each row, x[None] is one row",
    "model().predict(X.astype(int))": "not int64: x.astype('float32')",
    "fit(t=T > 0)": "not of dtype bool: t.astype(int) makes them of these",
    "fit(t=T.astype('f4'))": "t.astype(int) makes them of these, if they are whole (numbers to be met are for MSE())",
    "fit(t=T + 1)": "not 2 (in row 1): labels count from 0, so t - 1",
    "fit(t=np.arange(20) % 3)": "labels count from 0, and 0..2 are of 3 classes",
    "fit(t=(np.arange(20) + 2) % 3)": "labels count from 0, and 0..2 are of 3 classes",
    "fit(net=model(Affine(3, 1)))": "two classes need a last layer of 2 outputs, or BinaryCrossEntropy()",
    "fit(loss=MSE())": "MSE(): t must have y's shape (20, 2), not (20,): labels are for SoftmaxCrossEntropy()",
    "fit(t=X[:, 0], loss=MSE())": "y's shape (20, 2), not (20,): the last layer must have 1 output for such t",
    "fit(t=T[:, None])": "not an array of shape (20, 1) and dtype int64: t[..., 0] are labels",
    "fit(t=WORDS.tolist())": ": names, t = np.unique(t, return_inverse=True) numbers them from 0",
    "fit(t=T, loss=BinaryCrossEntropy(), net=model(Affine(3, 1)))": ": t.reshape(-1, 1).astype('float32') has",
    "SoftmaxCrossEntropy()(T, X)": ": y comes first, loss(y, t)",
    "tinynn.load('nowhere.npz', layers=['Swish'])": """, or a dict such as {"Scale": Scale}, not ['Swish'] (list)""",
    "SHEET.to_html('/nowhere/step.html')": "what was there is unchanged: '/nowhere/step.html'",
    "tinynn.load('nowhere.npz')": "give the name that it was saved under: 'nowhere.npz'",
    "model().predict_proba(X, loss=MSE())": "a loss must be of classes to have probabilities, such as SoftmaxCrossEntropy()",
    "model().predict_classes(X, loss='mse')": "the one that the model was trained with, such as SoftmaxCrossEntropy(), not 'mse' (str)",
    "SHEET['dW']": "the sheet has no 'dW': near to it are 'dL/dW of layer 1'; sheet.quantities has all names",
    "SHEET['dL/dW of layer 1']": "no entry without an index: its first one is 'dL/dW[0,0] of layer 1'",
}  # fmt: skip
SHEET = tinynn.explain(model(Affine(3, 2)), X[:2], X[:2, :2], MSE())


@pytest.mark.parametrize("slip", SLIPS)
def test_the_answer_says_what_to_write(slip):
    with pytest.raises((TypeError, ValueError, AttributeError, ImportError, LookupError, OSError)) as raised:
        eval(slip, {**vars(tinynn), **globals()})
    text = raised.value.args[0] if isinstance(raised.value, KeyError) else str(raised.value)
    text = text.replace("required keyword-only argument", "required argument")  # as Python 3.12 says it
    assert text.endswith(SLIPS[slip])
    assert len(raised.traceback) < 9


def test_what_a_learner_is_told_to_write_is_there():
    """Each name that the tables say is one of tinynn's; no name of others stands in them twice."""
    others = [other for names in elsewhere.TABLE.values() for other in names.split()]
    assert len(others) == len(set(others))
    for line in elsewhere.TABLE:
        for name in re.findall(r"\b([A-Z]\w+)\(", line):
            assert name in tinynn.__all__, line
        for name in re.findall(r"\btinynn\.(\w+)", line):
            assert hasattr(tinynn, name), line
        for name in re.findall(r"\bmodel\.(\w+)", line):
            assert hasattr(model(), name), line
        for kind, names in {"metrics": tinynn.metrics, "callbacks": callbacks}.items():
            assert all(hasattr(names, name) for name in re.findall(rf"\b{kind}\.(\w+)", line)), line


def test_hints_are_no_attributes():
    """What asks whether there is an attribute, copies and pickles is answered as ever."""
    for thing in (model(), Affine(3, 2), Adam(model()), fit(), SoftmaxCrossEntropy()):
        assert not hasattr(thing, "compile") and not hasattr(thing, "backwards") and not hasattr(thing, "__nothing__")
        assert getattr(thing, "zero_grad", 3) == 3
        copy.deepcopy(thing), pickle.loads(pickle.dumps(thing))
    assert not hasattr(tinynn, "Dense") and not hasattr(tinynn.layers, "Dense")
    found = pickle.loads(pickle.dumps(value()))
    assert isinstance(found, float) and found == value() and repr(found) == repr(float(found))


def test_arguments_of_ones_own_are_taken():
    class Own(Affine):
        def __init__(self, units, **options):
            self.activation = options.pop("activation")
            super().__init__(3, units, **options)

    assert Own(units=2, activation="relu").n_out == 2


def test_a_rate_of_0_is_said():
    net = model()
    optimizer, schedule = Adam(net, lr=1e-3), LearningRate(callbacks.cosine(1e-3, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(net=net, optimizer=optimizer, epochs=2, callbacks=[schedule])
    with pytest.warns(UserWarning, match=r"is 0, .* gives 0 for epoch 2; write one .* callbacks.cosine\(1e-3, 3\)$"):
        fit(net=net, optimizer=optimizer, callbacks=[schedule])
    with pytest.warns(UserWarning, match=r"its steps change nothing; optimizer.lr = 1e-3 sets another$"):
        fit(net=net, optimizer=optimizer)


# --- layers of one's own, as the README has them, are saved ----------------------------------------------------------


class Scale(Layer):
    parameters = ("g",)

    def __init__(self, n, start=1.0):
        self.g = np.full(n, start)

    def forward(self, x):
        return x * self.g

    def backward(self, dy):
        self.dg = (dy * self.x).sum(axis=0)
        return dy * self.g


class Twice(Scale):
    """Its constructor calls that of its base with other arguments."""

    def __init__(self, half):
        super().__init__(2 * half, start=0.5)


class Around(Layer):
    def __init__(self, *layers):
        self.inner = Sequential(*layers)

    def forward(self, x):
        return x + self.inner.forward(x)

    def backward(self, dy):
        return dy + self.inner.backward(dy)


class OfArray(Scale):
    def __init__(self, values):
        self.g = values


def test_layers_that_keep_no_arguments_are_saved(tmp_path):
    net = model(Affine(3, 4), Scale(4, start=2.0), Around(Scale(4), Twice(half=2)))
    net[1].g = np.arange(4.0)
    for number, one in enumerate((net, net.copy(), pickle.loads(pickle.dumps(net)))):
        path = tmp_path / f"{number}.npz"
        tinynn.save(path, one)
        again = tinynn.load(path, layers=[Scale, Around, Twice]).model
        assert np.array_equal(again.predict(X), net.predict(X))
    with pytest.raises(ValueError, match=r"not 'Scale' \(str\): .* give its class: load\(path, layers=\[Scale\]\)$"):
        tinynn.load(path)
    with pytest.raises(TypeError, match=r"argument values must be kept as self.values .*: self.values = values$"):
        tinynn.save(path, model(Affine(3, 4), OfArray(np.ones(4))))
    with pytest.raises(
        AttributeError, match=r"no attribute 'predict': model, optimizer, history = load\(path\) takes it"
    ):
        tinynn.load(path, layers=[Scale, Around, Twice]).predict(X)
