"""What an argument means, by its name: the words that courses use in layers and networks, losses and optimizers.

The same name has other meanings in other places: y is a network's target and a loss's prediction, t a target and the
number of an optimizer's step. So each place asks for its own meanings, in its own order. Patterns are for whole names
in lower case without underscores.
"""

from __future__ import annotations

import re

TARGET = r"\w*(?:true|truth|target|label|actual|desired|expect|answer)\w*"
OUTPUT = r"(?:hats?|preds?|predictions?|predicted|outs?|outputs?|probs|probabilities|scores|logits)"
RATE = r"lr|lrate|learningrate|learnrate|currentlearningrate|eta|alpha|stepsize"
DECAY = r"weightdecay|weightdecayrate|wd|l2"
PARAMETERS = r"params|parameters"

LAYERS = {  # and networks
    "x": r"x|xs|xb|xt|xbatch|xtrain|input|inputs|inp|inputdata|inputlayer|inputs?list|inputvector|data|images?"
    r"|features|a|aprev",
    "t": rf"y|t|ys|yb|ybatch|ytrain|yenc|y?onehoty?|(?!n|\w*(?:size|smooth|grad|err|delta)){TARGET}",
    "output": rf"(?:y|final|softmax)?{OUTPUT}|yhats?|yp|o|a2|a3|al|outputactivations",
    "cache": r"caches?|ctx|context|memo|memory|saved",
    "parameters": PARAMETERS,
    "training": r"(?:is)?train(?:ing)?|trainflg|trainflag|train(?:ing)?mode|mode",
    "rate": rf"{RATE}|rate",
    "count": r"m|n|batchsize|n(?:um)?samples",
    "decay": rf"{DECAY}|reg|lambda?|lambd|regstrength",
    "dy": r"d|g|e|gy|gz|gout|d[a-z]\w*|\w*(?:grad|error|err|delta|upstream|nabla)\w*",
}
LOSSES = {
    "t": rf"{TARGET}|t|d|tgt|gt|yt|ys",
    "output": r"\w*(?:pred|hat|out|logit|score|prob|activ|estimat)\w*|dvalues|p|a|al|a1|a2|a3|z|x|h|o|s|yp|f",
}
OPTIMIZERS = {
    "pairs": r"pairs|paramsgrads|(?=\w*and)\w*grad\w*",
    "name": r"\w*name|key",
    "grads": r"\w*grad\w*|gs?|dws?|dx|dtheta|dparams|derivatives",
    "hyper": r"\w*hyper\w*",
    "config": r"config|cfg|conf|optimconfig",
    "params": r"\w*param\w*|(?:\w*_)?vars?|variables|values|ws?|x|theta|weights?|ps?",
    "layer": r"layers?",
    "model": r"model|net|network|nn",
    "state": r"[vsmh]|(?:past|prev|old|last)?(?:velocity|v)|velocities|cache|states?|moments?|squares|vprev"
    r"|velocityprev",
    "t": r"t|step|iteration|iter|epoch|counter|timestep",
    "batch": r"batchsize|n",
}
NUMBERS = {  # of an optimizer's rule; some names have two meanings
    "lr": ("lr", "learningrate", "eta", "currentlearningrate", "stepsize", "alpha", "lrate"),
    "mu": ("momentum", "mu", "beta", "gamma"),
    "rho": ("rho", "decayrate", "gamma", "beta", "decay", "alpha"),
    "beta1": ("beta1", "b1", "decay1", "rho1"),
    "beta2": ("beta2", "b2", "decay2", "rho2"),
    "eps": ("eps", "epsilon"),
    "nesterov": ("nesterov", "usenesterov"),
}
STATE = (
    r"(?:h|c|a|s|state|hidden|cell|hiddenstate|cellstate)(?:prevt?|previous|last|old|init|in|0|t1|tm1)?"
    r"|(?:prev|previous|last|old|init|initial)(?:h|c|a|s|state|hidden|cell|hiddenstate|cellstate)"
)
KEPT = r"v|m|s|vel(?:ocity|ocities)?|mom(?:entum|ents?)?|cache|sq(?:uares)?|rms|prev(?:ious)?|last"
RATE_DECAY = ("decay", "lrdecay", "learningratedecay", "decayrate")
ZEROING = (  # methods that set gradients to 0
    "zerograd", "zerograds", "zerogradients", "flushgradients", "cleargrad", "cleargrads", "cleargradients",
    "resetgrad", "resetgrads", "resetgradients",
)  # fmt: skip
VALUE = re.compile(r"(loss|cost|objective|nll|energy|value)s?$|^[jl]$", re.IGNORECASE)  # of a loss
SCORES = re.compile(r"z\d*|zs|logits?|scores?", re.IGNORECASE)


def plain(name: object) -> str:
    """A name without underscores, in lower case, and propagation as it is spelled."""
    return unmangled(str(name)).replace("_", "").lower().replace("propog", "propag")


def unmangled(name: str) -> str:
    """W1 for _Network__W1, as which Python keeps self.__W1 of a class Network."""
    return re.sub(r"^_[A-Za-z]\w*?__(?=[A-Za-z])", "", name)


def role_of(name: str, among: dict[str, str] = LAYERS) -> str | None:
    """What a name means among these meanings, the first that fits; None where it says nothing."""
    return next((role for role, pattern in among.items() if re.fullmatch(pattern, plain(name))), None)


def number_of(name: str) -> str | None:
    """Which of a rule's numbers an argument is; those with two meanings are looked at elsewhere."""
    return next((kind for kind, names in NUMBERS.items() if plain(name) in names), None)


def is_state(name: str) -> bool:
    """Whether an argument is what a recurrent step gets from the step before: h_prev, prev_c, h0, a_prev, state."""
    return re.fullmatch(STATE, plain(name)) is not None


def is_kept(keys: list[str], parameters: list[str]) -> bool:
    """Whether a name is what momentum or Adam keep for a parameter: vW1, m_dW1, velocity["W1"], self.v_b."""
    last, before = plain(keys[-1]), "".join(map(plain, keys[:-1]))
    of = "|".join(re.escape(plain(name)) for name in parameters)
    named = re.fullmatch(rf"(?:{KEPT})d?(?:{of})|d?(?:{of})(?:{KEPT})", last)
    return bool(named or (re.fullmatch(KEPT, before) and re.fullmatch(rf"d?(?:{of})|\d+", last)))


def is_decay(name: str) -> bool:
    """Whether an optimizer's argument is its weight decay."""
    return re.fullmatch(DECAY, plain(name)) is not None
