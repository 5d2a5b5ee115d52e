"""Names that Keras, PyTorch, scikit-learn and JAX have for something, and what is written here in their place.

    hint("Dense")         ": write Affine(n_in, n_out)"
    hint("Afine")         ""

The spelling does not count: mse, MSELoss and mean_squared_error are one name, up to "loss" at the end.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, cast

OWN = "a layer of your own, with forward(x) and backward(dy): help(tinynn.Layer) shows one"
NOT_NEEDED = "nothing in its place: forward is training, model(x) and model.predict(x) are use"
TABLE = {  # what is written here: the names that others have for it, in small letters without underscores
    "Affine(n_in, n_out)": "dense linear lazylinear fullyconnected",
    "Conv2D(n_in, n_out, kernel)": "conv convolution2d",
    "MaxPool2D(2)": "maxpooling2d maxpool",
    "AvgPool2D(2)": "averagepooling2d avgpool",
    "GlobalAvgPool()": "globalaveragepooling2d globalaveragepooling1d adaptiveavgpool2d",
    "BatchNorm(n)": "batchnormalization batchnorm1d batchnorm2d",
    "SiLU()": "swish hardswish",
    "Flatten(), or x.reshape(len(x), -1)": "reshape",
    "Residual(*layers), which adds x": "add2d residualblock skipconnection",
    "nothing in its place: SoftmaxCrossEntropy() has the softmax in it, model.predict_proba(x, loss=loss) gives it":
        "softmax logsoftmax",
    "shape=(28, 28, 1) in Sequential": "input inputlayer",
    "Model as the base of a network, Layer as that of a layer": "module functionalmodel",
    OWN: "layernorm layernormalization groupnorm embedding rnn lstm gru attention multiheadattention transformer conv1d"
        " conv3d conv2dtranspose convtranspose2d prelu rmsnorm lambda",
    "ReLU()": "relu",
    "Sigmoid()": "sigmoid logistic expit",
    "Tanh()": "tanh",
    "GELU()": "gelu",
    "MSE()": "mse meansquarederror l2",
    "MAE()": "mae meanabsoluteerror l1",
    "Huber()": "huber smoothl1",
    "GaussianNLL()": "gaussiannll",
    "SoftmaxCrossEntropy(), with labels (N,) or rows of probabilities":
        "crossentropy categoricalcrossentropy sparsecategoricalcrossentropy nll softmaxcrossentropywithlogits logloss",
    "BinaryCrossEntropy(), with scores": "bce bcewithlogits binarycrossentropy",
    "Adam(model, lr=1e-3)": "adam",
    "SGD(model, lr=0.1)": "sgd",
    "RMSProp(model, lr=1e-3)": "rmsprop",
    "Adam(model, lr=1e-3, weight_decay=0.01)": "adamw",
    "SGD(model, lr=0.1, momentum=0.9)": "momentum nesterov",
    "optimizer.step() after model.backward(loss.backward())": "minimize applygradients",
    'metrics={"accuracy": tinynn.accuracy}': "acc accuracy",
    "NetworkClassifier, of tinynn.sklearn": "mlpclassifier kerasclassifier neuralnetclassifier",
    "NetworkRegressor, of tinynn.sklearn": "mlpregressor kerasregressor neuralnetregressor",
    "metrics.r2(y, t)": "r2score",
    "metrics.accuracy(y, t)": "accuracyscore",
    "metrics.class_report(y, t), which has precision, recall and f1":
        "f1score precisionscore recallscore classificationreport precisionrecallfscoresupport",
    "tinynn.datasets.load_mnist(), or NumPy arrays of your own":
        "loadiris loaddigits loadcifar10 loadcifar100 fashionmnist loadfashionmnist loadwine makemoons makeblobs",
    "nothing in its place: the numba backend is compiled when the model is built": "jit",
    "names of tinynn itself, as in: from tinynn import Affine, ReLU, Adam": "nn functional optim keras models",
    "NumPy arrays": "tensor fromnumpy variable",
    "minibatches(x, t, batch_size=32)": "dataloader tensordataset dataset",
    "validation_split=0.2 in fit, or x[:n], x[n:]": "traintestsplit",
    "labels (N,) as they are": "tocategorical onehot",
    "seed=0 in Sequential and in fit": "manualseed setrandomseed setseed random prngkey",
    "model(x) or model.predict(x), which keep nothing for backward": "nograd inferencemode apply call",
    "model.backward(loss.backward())": "backward grad valueandgrad gradienttape autograd",
    "model.fit(x, t, loss=MSE(), optimizer=Adam(model))": "compile fitgenerator trainonbatch partialfit",
    "Sequential(Affine(784, 256), ReLU(), Affine(256, 10)), with all layers at once": "add append addmodule insert pop",
    "the model itself, Adam(model, lr=1e-3); model.params is the vector of all parameters":
        "parameters namedparameters trainablevariables trainableweights coefs",
    "model[0].W and model[0].b, or model.params for all": "getweights weights coef intercept",
    "model.params = vector, or model[0].W = array": "setweights",
    "layer.W": "weight kernel",
    "layer.b": "bias",
    "layer.dW and layer.db": "gradient weightgrad",
    'tinynn.save("run.npz", model, optimizer, history)': "save savemodel statedict dump",
    'model, optimizer, history = tinynn.load("run.npz")': "load loadstatedict loadmodel",
    'tinynn.save_weights("weights.safetensors", model)': "saveweights",
    'tinynn.load_weights("weights.safetensors", model)': "loadweights",
    NOT_NEEDED: "train eval",
    "nothing in its place: backward overwrites the gradients": "zerograd",
    "model.evaluate(x, t, loss=loss)": "score test",
    'model.to("cupy")': "cuda gpu device",
    'model.to("numpy")': "cpu",
    "float(value)": "item detach numpy",
    "optimizer.lr": "learningrate paramgroups",
    'history["loss"], of the History that fit returns, or history.to_dict() for all of it':
        "history losses losscurve epochloss",
    "LearningRate(callbacks.cosine(1e-3, 10)) among the callbacks of fit":
        "scheduler lrscheduler learningratescheduler cosineannealinglr steplr reducelronplateau",
    "Checkpoint(path)": "modelcheckpoint",
    "xavier_uniform": "glorotuniform",
    "xavier_normal": "glorotnormal",
    "kaiming_normal": "henormal",
    "kaiming_uniform": "heuniform",
}  # fmt: skip
KEYWORDS = {  # of constructors
    "a layer after it, as in Affine(784, 256), ReLU()": "activation",
    "n_in, the first argument": "infeatures inputdim inchannels numfeatures inputsize",
    "shape of Sequential, n_in of a layer": "inputshape",
    "n_out, the second argument": "outfeatures units filters outchannels",
    "kernel of Conv2D, size of pooling": "kernelsize poolsize windowsize",
    "weight_init": "kernelinitializer",
    "bias_init": "biasinitializer",
    "bias=False of Conv2D; an Affine always has one": "usebias bias",
    "rate": "p dropout",
    "slope": "negativeslope",
    "lr": "learningrate",
    "beta1 and beta2": "betas",
    "eps": "epsilon",
    "slope of LeakyReLU, rho of RMSProp": "alpha",
    "clip_norm": "clipnorm globalclipnorm maxnorm",
    "mode, monitor, min_delta and patience; the best epoch is put back": "restorebestweights",
    "nothing in its place: a loss is the mean over the rows": "reduction sizeaverage",
    "nothing in its place: y are scores, as they are before softmax or sigmoid": "fromlogits",
    "class_weight or sample_weight of fit": "classweight posweight",
}
OF_A_TRAINING = {  # arguments of fit and evaluate
    "progress=False": "verbose",
    "validation_data=(x, t), or validation_split=0.1": "validation evalset validationset validationfraction",
    "epochs": "nepochs numepochs maxiter nbepoch",
    "batch_size": "batchsize",
    "x and t, the first two": "y xtrain ytrain",
    "loss=MSE()": "criterion lossfn",
    "optimizer=Adam(model, lr=1e-3)": "lr learningrate solver optim",
    "nothing in its place: each epoch has a new order, drawn from seed": "shuffle",
    "nothing in its place: fit goes on after the epochs that the optimizer has made": "initialepoch startepoch",
}
_WRITTEN = {other: here for here, others in TABLE.items() for other in others.split()}
_KEYWORDS = {other: here for here, others in KEYWORDS.items() for other in others.split()}
_OF_A_TRAINING = {other: here for here, others in OF_A_TRAINING.items() for other in others.split()}
F = TypeVar("F", bound=Callable[..., Any])


def hint(name: Any, known: Iterable[str] = ()) -> str:
    """The end of a message about a name that is not here: ": write ...". Empty where nobody else has that name.

    `known` are names that are here; one that differs in its spelling alone is what to write.
    """
    name = getattr(name, "__name__", name)  # a function, such as np.tanh where a layer is wanted
    if not isinstance(name, str):
        return ""
    plain = _plain(name)
    short = plain.removesuffix("loss")
    here = next((other for other in known if _plain(other) in (plain, short)), None)
    here = here or _WRITTEN.get(plain) or _WRITTEN.get(short)
    return f": write {here}" if here else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def demand_keywords(cls: type, names: Iterable[str]) -> None:
    """Raise TypeError for a constructor's argument that others have and this class has not, with what it is here."""
    for name in names:
        here = _KEYWORDS.get(_plain(name))
        if here is None:
            continue
        arguments = inspect.signature(cls).parameters
        if name not in arguments and all(argument.kind is not argument.VAR_KEYWORD for argument in arguments.values()):
            raise TypeError(f"{cls.__name__} has no argument {name!r}: write {here}")


def with_hints(init: Callable[..., None]) -> Callable[..., None]:
    """The `__init__` of a class that first checks its arguments so."""

    @functools.wraps(init)
    def checked(self: Any, *args: Any, **options: Any) -> None:
        demand_arguments(init, self, args, options)
        init(self, *args, **options)

    return checked


def demand_arguments(init: Callable[..., None], made: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
    """Raise TypeError where the arguments of `made`, by its class, are not those of `init`, with what to write."""
    cls = type(made)
    demand_keywords(cls, options)
    signature = inspect.signature(init)
    try:
        signature.bind(made, *args, **options)
    except TypeError as error:
        _, *rest = signature.parameters.values()
        needed = [p.name for p in rest if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        needed = needed or [f"{p.name}={p.default!r}" for p in rest if p.default is not p.empty]
        raise TypeError(f"{cls.__name__}: {error}: write {cls.__name__}({', '.join(needed)})") from None


def called_as(line: str) -> Callable[[F], F]:
    """A function that says what to write, `line` or one argument of a training, where its arguments are others."""

    def decorate(function: F) -> F:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def checked(*args: Any, **options: Any) -> Any:
            try:
                return function(*args, **options)
            except TypeError:
                try:  # only now, as this takes longer than many a call
                    signature.bind(*args, **options)
                except TypeError as error:
                    others = [name for name in options if name not in signature.parameters]
                    found = [_OF_A_TRAINING[n] for n in map(_plain, others) if n in _OF_A_TRAINING]
                    # evaluate, say, has no progress that could be False
                    taken = {*signature.parameters, "nothing"}
                    here = next((text for text in found if re.split("[ =]", text)[0] in taken), line)
                    name = type(args[0]).__name__ if function.__name__ == "__call__" else function.__name__
                    raise TypeError(f"{name}: {error}: write {here}") from None
                raise

        return cast(F, checked)

    return decorate


def asked(module: str, depth: int = 1) -> Callable[[str], Any]:
    """The `__getattr__` of a module: what it has not, and what to write. It is called so many calls below who asks."""

    def __getattr__(name: str) -> Any:
        here = sys.modules[module]
        found = "" if name[:1] == "_" else hint(name, dir(here))
        text = f"module {module!r} has no attribute {name!r}{found}"
        # Of `from tinynn import Dense` Python would put its own sentence in the place of an AttributeError's.
        if found and sys._getframe(depth).f_globals.get("__name__") == "importlib._bootstrap":
            raise ImportError(text)
        raise AttributeError(text, name=name, obj=here)

    return __getattr__


class Hinting:
    """A base for what is asked for attributes that its like has elsewhere."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            found = "" if name[:1] == "_" else hint(name)
            if found:
                raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}{found}", name=name, obj=self)
            return object.__getattribute__(self, name)  # raises what it has raised before
