"""Optimizers in the styles of courses and small frameworks: each right one is right, each planted slip is named.

A style is a piece of code and a table of changes to it: (what is replaced, by what, the code of the finding).
"""

import inspect

import numpy as np
import pytest

from tinynn import check_optimizer

OK = "ok"
FUNCTIONS_OF_W = """
def sgd(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 0.01)
    w -= config["learning_rate"] * dw
    return w, config

def sgd_momentum(w, dw, config=None):
    config.setdefault("learning_rate", 0.01)
    config.setdefault("momentum", 0.9)
    v = config.get("velocity", np.zeros_like(w))
    v = config["momentum"] * v - config["learning_rate"] * dw
    config["velocity"] = v
    return w + v, config

def rmsprop(w, dw, config=None):
    config.setdefault("decay_rate", 0.99)
    config.setdefault("epsilon", 1e-8)
    config.setdefault("cache", np.zeros_like(w))
    rho = config["decay_rate"]
    config["cache"] = rho * config["cache"] + (1 - rho) * dw**2
    return w - config["learning_rate"] * dw / (np.sqrt(config["cache"]) + config["epsilon"]), config

def adam(w, dw, config=None):
    for key, value in (("beta1", 0.9), ("beta2", 0.999), ("epsilon", 1e-8), ("t", 0)):
        config.setdefault(key, value)
    m, v = config.get("m", 0 * w), config.get("v", 0 * w)
    config["t"] += 1
    m = config["beta1"] * m + (1 - config["beta1"]) * dw
    v = config["beta2"] * v + (1 - config["beta2"]) * dw**2
    config["m"], config["v"] = m, v
    m_hat = m / (1 - config["beta1"] ** config["t"])
    v_hat = v / (1 - config["beta2"] ** config["t"])
    return w - config["learning_rate"] * m_hat / (np.sqrt(v_hat) + config["epsilon"]), config
"""
FUNCTIONS_OF_DICTS = """
def update_parameters(parameters, grads, learning_rate=1.2):
    for l in range(len(parameters) // 2):
        for name in ("W", "b"):
            key = name + str(l + 1)
            parameters[key] = parameters[key] - learning_rate * grads["d" + key]
    return parameters

def update_parameters_with_momentum(parameters, grads, v, beta, learning_rate):
    for key in parameters:
        v["d" + key] = beta * v["d" + key] + (1 - beta) * grads["d" + key]
        parameters[key] = parameters[key] - learning_rate * v["d" + key]
    return parameters, v

def update_parameters_with_adam(parameters, grads, v, s, t, learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-8):
    v_hat, s_hat = {}, {}
    for key in list(parameters):
        d = "d" + key
        v[d] = beta1 * v[d] + (1 - beta1) * grads[d]
        s[d] = beta2 * s[d] + (1 - beta2) * np.power(grads[d], 2)
        v_hat[d] = v[d] / (1 - np.power(beta1, t))
        s_hat[d] = s[d] / (1 - np.power(beta2, t))
        parameters[key] = parameters[key] - learning_rate * v_hat[d] / (np.sqrt(s_hat[d]) + epsilon)
    return parameters, v, s, v_hat, s_hat
"""
LAYERS = """
class OptimizerSGD:
    def __init__(self, learning_rate=1.0, decay=0.0, momentum=0.0):
        self.learning_rate = self.current_learning_rate = learning_rate
        self.decay, self.momentum, self.iterations = decay, momentum, 0
    def pre_update_params(self):
        if self.decay:
            self.current_learning_rate = self.learning_rate * (1.0 / (1.0 + self.decay * self.iterations))
    def update_params(self, layer):
        if self.momentum:
            if not hasattr(layer, "weight_momentums"):
                layer.weight_momentums = np.zeros_like(layer.weights)
                layer.bias_momentums = np.zeros_like(layer.biases)
            layer.weight_momentums = self.momentum * layer.weight_momentums - self.current_learning_rate * layer.dweights
            layer.bias_momentums = self.momentum * layer.bias_momentums - self.current_learning_rate * layer.dbiases
            layer.weights += layer.weight_momentums
            layer.biases += layer.bias_momentums
        else:
            layer.weights += -self.current_learning_rate * layer.dweights
            layer.biases += -self.current_learning_rate * layer.dbiases
    def post_update_params(self):
        self.iterations += 1

class OptimizerAdam:
    def __init__(self, learning_rate=0.001, decay=0.0, epsilon=1e-7, beta_1=0.9, beta_2=0.999):
        self.learning_rate = self.current_learning_rate = learning_rate
        self.decay, self.epsilon, self.iterations = decay, epsilon, 0
        self.beta_1, self.beta_2 = beta_1, beta_2
    def pre_update_params(self):
        if self.decay:
            self.current_learning_rate = self.learning_rate / (1.0 + self.decay * self.iterations)
    def moved(self, layer, name, gradient):
        m, c = getattr(layer, name + "_m", 0), getattr(layer, name + "_c", 0)
        m = self.beta_1 * m + (1 - self.beta_1) * gradient
        c = self.beta_2 * c + (1 - self.beta_2) * gradient**2
        setattr(layer, name + "_m", m)
        setattr(layer, name + "_c", c)
        m = m / (1 - self.beta_1 ** (self.iterations + 1))
        c = c / (1 - self.beta_2 ** (self.iterations + 1))
        return -self.current_learning_rate * m / (np.sqrt(c) + self.epsilon)
    def update_params(self, layer):
        layer.weights += self.moved(layer, "weight", layer.dweights)
        layer.biases += self.moved(layer, "bias", layer.dbiases)
    def post_update_params(self):
        self.iterations += 1
"""
DICTS = """
class Nesterov:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, None
    def update(self, params, grads):
        if self.v is None:
            self.v = {key: np.zeros_like(value) for key, value in params.items()}
        for key in params.keys():
            params[key] += self.momentum * self.momentum * self.v[key]
            params[key] -= (1 + self.momentum) * self.lr * grads[key]
            self.v[key] *= self.momentum
            self.v[key] -= self.lr * grads[key]

class AdaGrad:
    def __init__(self, lr=0.01):
        self.lr, self.h = lr, None
    def update(self, params, grads):
        if self.h is None:
            self.h = {key: np.zeros_like(value) for key, value in params.items()}
        for key in params.keys():
            self.h[key] += grads[key] * grads[key]
            params[key] -= self.lr * grads[key] / (np.sqrt(self.h[key]) + 1e-7)

class RMSprop:
    def __init__(self, lr=0.01, decay_rate=0.99):
        self.lr, self.decay_rate, self.h = lr, decay_rate, None
    def update(self, params, grads):
        if self.h is None:
            self.h = {key: np.zeros_like(value) for key, value in params.items()}
        for key in params.keys():
            self.h[key] *= self.decay_rate
            self.h[key] += (1 - self.decay_rate) * grads[key] * grads[key]
            params[key] -= self.lr * grads[key] / (np.sqrt(self.h[key]) + 1e-7)

class Adam:
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):
        self.lr, self.beta1, self.beta2, self.iter, self.m = lr, beta1, beta2, 0, None
    def update(self, params, grads):
        if self.m is None:
            self.m = {key: np.zeros_like(value) for key, value in params.items()}
            self.v = {key: np.zeros_like(value) for key, value in params.items()}
        self.iter += 1
        for key in params.keys():
            lr_t = self.lr * np.sqrt(1.0 - self.beta2**self.iter) / (1.0 - self.beta1**self.iter)
            self.m[key] += (1 - self.beta1) * (grads[key] - self.m[key])
            self.v[key] += (1 - self.beta2) * (grads[key] ** 2 - self.v[key])
            params[key] -= lr_t * self.m[key] / (np.sqrt(self.v[key]) + 1e-7)
"""
LISTS = """
class SGD:
    def __init__(self, lr=0.01):
        self.lr = lr
    def update(self, params, grads):
        for i in range(len(params)):
            params[i] -= self.lr * grads[i]

class Momentum:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, None
    def update(self, params, grads):
        if self.v is None:
            self.v = [np.zeros_like(p) for p in params]
        for i in range(len(params)):
            self.v[i] = self.momentum * self.v[i] - self.lr * grads[i]
            params[i] += self.v[i]

class Adam:
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):
        self.lr, self.beta1, self.beta2, self.iter, self.m = lr, beta1, beta2, 0, None
    def update(self, params, grads):
        if self.m is None:
            self.m, self.v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
        self.iter += 1
        for i in range(len(params)):
            self.m[i] += (1 - self.beta1) * (grads[i] - self.m[i])
            self.v[i] += (1 - self.beta2) * (grads[i] ** 2 - self.v[i])
            m, v = self.m[i] / (1 - self.beta1**self.iter), self.v[i] / (1 - self.beta2**self.iter)
            params[i] -= self.lr * m / (np.sqrt(v) + 1e-7)
"""
RETURNS_W = """
class StochasticGradientDescent:
    def __init__(self, learning_rate=0.01, momentum=0):
        self.learning_rate, self.momentum, self.w_updt = learning_rate, momentum, None
    def update(self, w, grad_wrt_w):
        if self.w_updt is None:
            self.w_updt = np.zeros(np.shape(w))
        self.w_updt = self.momentum * self.w_updt + (1 - self.momentum) * grad_wrt_w
        return w - self.learning_rate * self.w_updt

class Adagrad:
    def __init__(self, learning_rate=0.01):
        self.learning_rate, self.G, self.eps = learning_rate, None, 1e-8
    def update(self, w, grad_wrt_w):
        if self.G is None:
            self.G = np.zeros(np.shape(w))
        self.G += np.power(grad_wrt_w, 2)
        return w - self.learning_rate * grad_wrt_w / np.sqrt(self.G + self.eps)

class Adadelta:
    def __init__(self, rho=0.95, eps=1e-6):
        self.E_w_updt, self.E_grad, self.w_updt, self.eps, self.rho = None, None, None, eps, rho
    def update(self, w, grad_wrt_w):
        if self.w_updt is None:
            self.w_updt, self.E_w_updt, self.E_grad = (np.zeros(np.shape(w)) for _ in range(3))
        self.E_grad = self.rho * self.E_grad + (1 - self.rho) * np.power(grad_wrt_w, 2)
        rms_delta_w, rms_grad = np.sqrt(self.E_w_updt + self.eps), np.sqrt(self.E_grad + self.eps)
        self.w_updt = rms_delta_w / rms_grad * grad_wrt_w
        self.E_w_updt = self.rho * self.E_w_updt + (1 - self.rho) * np.power(self.w_updt, 2)
        return w - self.w_updt

class RMSprop:
    def __init__(self, learning_rate=0.01, rho=0.9):
        self.learning_rate, self.Eg, self.eps, self.rho = learning_rate, None, 1e-8, rho
    def update(self, w, grad_wrt_w):
        if self.Eg is None:
            self.Eg = np.zeros(np.shape(grad_wrt_w))
        self.Eg = self.rho * self.Eg + (1 - self.rho) * np.power(grad_wrt_w, 2)
        return w - self.learning_rate * grad_wrt_w / np.sqrt(self.Eg + self.eps)

class Adam:
    def __init__(self, learning_rate=0.001, b1=0.9, b2=0.999):
        self.learning_rate, self.eps, self.m, self.v, self.b1, self.b2, self.t = learning_rate, 1e-8, 0, 0, b1, b2, 0
    def update(self, w, grad_wrt_w):
        self.t += 1
        self.m = self.b1 * self.m + (1 - self.b1) * grad_wrt_w
        self.v = self.b2 * self.v + (1 - self.b2) * np.power(grad_wrt_w, 2)
        m_hat = self.m / (1 - self.b1**self.t)
        v_hat = self.v / (1 - self.b2**self.t)
        return w - self.learning_rate * m_hat / (np.sqrt(v_hat) + self.eps)
"""
NAMED = """
class Base:
    def __init__(self, lr, scheduler=None):
        self.cache, self.cur_step, self.hyperparameters = {}, 0, {"lr": lr}
    def step(self):
        self.cur_step += 1

class SGD(Base):
    def __init__(self, lr=0.01, momentum=0.0, clip_norm=None, lr_scheduler=None, **kwargs):
        super().__init__(lr, lr_scheduler)
        self.hyperparameters["momentum"] = momentum
    def update(self, param, param_grad, param_name, cur_loss=None):
        H = self.hyperparameters
        if param_name not in self.cache:
            self.cache[param_name] = np.zeros_like(param_grad)
        update = H["momentum"] * self.cache[param_name] + H["lr"] * param_grad
        self.cache[param_name] = update
        return param - update

class Adam(Base):
    def __init__(self, lr=0.001, decay1=0.9, decay2=0.999, eps=1e-7, clip_norm=None, lr_scheduler=None, **kwargs):
        super().__init__(lr, lr_scheduler)
        self.d1, self.d2, self.eps = decay1, decay2, eps
    def update(self, param, param_grad, param_name, cur_loss=None):
        C = self.cache
        if param_name not in C:
            C[param_name] = {"t": 0, "mean": np.zeros_like(param_grad), "var": np.zeros_like(param_grad)}
        t, mean, var = C[param_name]["t"] + 1, C[param_name]["mean"], C[param_name]["var"]
        mean = self.d1 * mean + (1 - self.d1) * param_grad
        var = self.d2 * var + (1 - self.d2) * param_grad**2
        C[param_name] = {"t": t, "mean": mean, "var": var}
        v_hat, m_hat = mean / (1 - self.d1**t), var / (1 - self.d2**t)
        return param - self.hyperparameters["lr"] * v_hat / (np.sqrt(m_hat) + self.eps)
"""
NETS = """
class SGD:
    def __init__(self, lr=0.01):
        self.lr = lr
    def step(self, net):
        for param, grad in net.params_and_grads():
            param -= self.lr * grad
"""
STEPS = """
class BaseOptimizer:
    def __init__(self, lr, weight_decay):
        self.lr, self.weight_decay = lr, weight_decay
    def step(self, grads, params):
        flat = np.concatenate([np.ravel(g) for layer in grads for g in layer.values()])
        moved, p, out = self._compute_step(flat), 0, []
        for param in params:
            layer = {}
            for k, v in param.items():
                layer[k] = moved[p : p + v.size].reshape(v.shape) - self.weight_decay * v
                p += v.size
            out.append(layer)
        return out

class Momentum(BaseOptimizer):
    def __init__(self, lr=0.01, momentum=0.9, weight_decay=0.0):
        super().__init__(lr, weight_decay)
        self._momentum, self._acc = momentum, 0
    def _compute_step(self, grad):
        self._acc = self._momentum * self._acc + grad
        return -self.lr * self._acc

class Adam(BaseOptimizer):
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
        super().__init__(lr, weight_decay)
        self._b1, self._b2, self._eps, self._t, self._m, self._v = beta1, beta2, eps, 0, 0, 0
    def _compute_step(self, grad):
        self._t += 1
        self._m += (1.0 - self._b1) * (grad - self._m)
        self._v += (1.0 - self._b2) * (grad**2 - self._v)
        _m = self._m / (1 - self._b1**self._t)
        _v = self._v / (1 - self._b2**self._t)
        return -self.lr * _m / (_v**0.5 + self._eps)
"""
GRAD_ATTRIBUTES = """
def sgd(params, lr, batch_size):
    for param in params:
        param -= lr * param.grad / batch_size

def sgd_momentum(params, states, hyperparams):
    for p, v in zip(params, states):
        v[:] = hyperparams["momentum"] * v + p.grad
        p[:] -= hyperparams["lr"] * v

class SGD:
    def __init__(self, params, lr):
        self.params, self.lr = params, lr
    def step(self):
        for p in self.params:
            p.data -= self.lr * p.grad

class Adam:
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
        self.params, self.lr, self.betas, self.eps, self.t = list(params), lr, betas, eps, 0
        self.m, self.v = [np.zeros(p.shape) for p in self.params], [np.zeros(p.shape) for p in self.params]
    def step(self):
        self.t += 1
        b1, b2 = self.betas
        for i, p in enumerate(self.params):
            self.m[i] = b1 * self.m[i] + (1 - b1) * p.grad
            self.v[i] = b2 * self.v[i] + (1 - b2) * p.grad * p.grad
            m_hat, v_hat = self.m[i] / (1 - b1**self.t), self.v[i] / (1 - b2**self.t)
            p.data = p.data - self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
"""
W_AND_B = """
class Adam:
    def __init__(self, eta=0.01, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.m_dw, self.m_db, self.v_dw, self.v_db = 0, 0, 0, 0
        self.beta1, self.beta2, self.epsilon, self.eta = beta1, beta2, epsilon, eta
    def update(self, t, w, b, dw, db):
        self.m_dw = self.beta1 * self.m_dw + (1 - self.beta1) * dw
        self.m_db = self.beta1 * self.m_db + (1 - self.beta1) * db
        self.v_dw = self.beta2 * self.v_dw + (1 - self.beta2) * (dw**2)
        self.v_db = self.beta2 * self.v_db + (1 - self.beta2) * (db**2)
        c1, c2 = 1 - self.beta1**t, 1 - self.beta2**t
        w = w - self.eta * (self.m_dw / c1) / (np.sqrt(self.v_dw / c2) + self.epsilon)
        b = b - self.eta * (self.m_db / c1) / (np.sqrt(self.v_db / c2) + self.epsilon)
        return w, b

def update(W, b, dW, db, learning_rate=0.1):
    W -= learning_rate * dW
    b -= learning_rate * db

class Lion:
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.99):
        self.lr, self.b1, self.b2, self.m = lr, beta1, beta2, {}
    def update(self, params, grads):
        for k, g in grads.items():
            m = self.m.get(k, 0)
            params[k] -= self.lr * np.sign(self.b1 * m + (1 - self.b1) * g)
            self.m[k] = self.b2 * m + (1 - self.b2) * g
"""

PAST = """
rate, fading = 0.1, 0.9

def momentum_step(w, gradient, past_velocity):
    velocity = fading * past_velocity - rate * gradient
    return w + fading * velocity - rate * gradient, velocity

class Momentum:
    def __init__(self, lr=0.1, momentum=0.9):
        self.lr, self.momentum, self.past = lr, momentum, 0.0

    def update(self, w, gradient):
        self.past = self.momentum * self.past - self.lr * gradient
        return w + self.momentum * self.past - self.lr * gradient

class RMSProp:
    def __init__(self, lr=0.1, gamma=0.9, epsilon=1e-8):
        self.lr, self.gamma, self.epsilon, self.S = lr, gamma, epsilon, 0

    def update(self, w, grad):
        self.S = self.gamma * self.S + (1 - self.gamma) * grad * grad
        return w - self.lr / np.sqrt(self.S + self.epsilon) * grad
"""
STYLES = {  # the code, then (name, what is replaced, by what, the code of the finding)
    "functions of w and dw": (FUNCTIONS_OF_W, [
        ("sgd", "", "", OK), ("sgd_momentum", "", "", OK), ("rmsprop", "", "", OK), ("adam", "", "", OK),
        ("sgd", "w -= config", "w += config", "ascent"),
        ("sgd_momentum", '* v - config["learning_rate"] * dw\n', '* v + config["learning_rate"] * dw\n', "ascent"),
        ("sgd_momentum", 'config["velocity"] = v', "pass", "state-not-kept"),
        ("rmsprop", "rho * config[\"cache\"] + (1 - rho)", "(1 - rho) * config[\"cache\"] + rho", "weights-swapped"),
        ("rmsprop", "(np.sqrt(config[\"cache\"])", "(config[\"cache\"]", "no-root"),
        ("adam", '    config["t"] += 1\n', '    config["t"] = 1\n', "t-not-advanced"),
        ("adam", 'config["m"], config["v"] = m, v', "pass", "state-not-kept"),
        ("adam", "m / (1 - config", "m * (1 - config", "unknown"), ("adam", "np.sqrt", "np.root", "raises"),
        ("adam", "v_hat = v / (1 - config[\"beta2\"] ** config[\"t\"])", "v_hat = v", "half-corrected"),
        ("adam", "(1 - config[\"beta2\"]) * dw**2", "(1 - config[\"beta2\"]) * dw", "v-not-squared"),
    ]),
    "functions of dicts": (FUNCTIONS_OF_DICTS, [
        ("update_parameters", "", "", OK), ("update_parameters_with_momentum", "", "", OK),
        ("update_parameters_with_adam", "", "", OK),
        ("update_parameters", "- learning_rate *", "+ learning_rate *", "ascent"),
        ("update_parameters", "- learning_rate *", "- 0.01 *", "lr-ignored"),
        ("update_parameters_with_momentum", "beta * v[\"d\" + key] + (1 - beta)", "(1 - beta) * v[\"d\" + key] + beta", "weights-swapped"),
        ("update_parameters_with_momentum", "v[\"d\" + key] = beta * v[\"d\" + key]", "v[\"d\" + key] = 0", "state-not-kept"),
        ("update_parameters_with_adam", "np.sqrt(s_hat[d]) + epsilon", "np.sqrt(s_hat[d] + epsilon)", "eps-inside-root"),
        ("update_parameters_with_adam", "v_hat[d] / (np.sqrt(s_hat[d])", "v[d] / (np.sqrt(s[d])", "no-bias-correction"),
        ("update_parameters_with_adam", "np.power(grads[d], 2)", "grads[d]", "v-not-squared"),
        ("update_parameters_with_adam", "np.power(beta1, t)", "beta1", "unknown"),
    ]),
    "layers": (LAYERS, [
        ("OptimizerSGD", "", "", OK), ("OptimizerAdam", "", "", OK),
        ("OptimizerSGD", "layer.weights += -self", "layer.weights += self", "ascent"),
        ("OptimizerSGD", "self.momentum * layer.weight_momentums - self", "-self.momentum * layer.weight_momentums - self", "momentum-sign"),
        ("OptimizerAdam", "(self.iterations + 1)", "(self.iterations)", "t-not-advanced"),
        ("OptimizerAdam", "return -self.current_learning_rate * m / (np.sqrt(c)", "return -self.current_learning_rate * m / (c", "no-root"),
        ("OptimizerAdam", "self.beta_2 * c + (1 - self.beta_2)", "self.beta_1 * c + (1 - self.beta_1)", "unknown"),
    ]),
    "dicts": (DICTS, [
        ("Nesterov", "", "", OK), ("AdaGrad", "", "", OK), ("RMSprop", "", "", OK), ("Adam", "", "", OK),
        ("Nesterov", "            self.v[key] *= self.momentum\n            self.v[key] -= self.lr * grads[key]\n", "", "state-not-kept"),
        ("Nesterov", "            params[key] += self.momentum * self.momentum",
         "            self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]\n"
         "            params[key] += self.momentum * self.momentum", "unknown"),
        ("Nesterov", "self.momentum * self.momentum * self.v[key]", "self.momentum * self.v[key]", "unknown"),
        ("AdaGrad", "self.h[key] += grads", "self.h[key] = grads", "state-not-kept"),
        ("AdaGrad", "(np.sqrt(self.h[key])", "(self.h[key]", "no-root"),
        ("RMSprop", "(1 - self.decay_rate) * grads", "grads", "gradient-not-weighted"),
        ("RMSprop", "grads[key] * grads[key]\n            params", "np.abs(grads[key])\n            params", "v-not-squared"),
        ("Adam", "        self.iter += 1\n        for key in params.keys():", "        for key in params.keys():\n            self.iter += 1", "t-per-tensor"),
        ("Adam", "            params[key] -= lr_t", "            params[key] = params[key] - lr_t", "params-replaced"),
        ("Adam", "(grads[key] ** 2 - self.v[key])", "(grads[key] - self.v[key])", "v-not-squared"),
    ]),
    "lists": (LISTS, [
        ("SGD", "", "", OK), ("Momentum", "", "", OK), ("Adam", "", "", OK),
        ("SGD", "for i in range(len(params)):\n            params[i] -= self.lr * grads[i]",
         "for p, g in zip(params, grads):\n            p = p - self.lr * g", "nothing-moves"),
        ("Momentum", "self.v = [np.zeros_like(p) for p in params]", "self.v = [0 * params[0]] * 2", "raises"),
        ("Momentum", "- self.lr * grads[i]\n            params[i] += self.v[i]", "- self.lr * grads[i]\n            params[i] += self.lr * self.v[i]", "lr-twice"),
        ("Momentum", "self.momentum * self.v[i] - self.lr", "self.v[i] - self.lr", "velocity-never-fades"),
        ("Adam", "        self.iter += 1\n        for i in range(len(params)):", "        for i in range(len(params)):\n            self.iter += 1", "t-per-tensor"),
        ("Adam", "            m, v = self.m[i]", "            m, v = self.m[i], self.v[i] = self.m[i]", "corrected-stored"),
    ]),
    "returns w": (RETURNS_W, [
        *((name, "", "", OK) for name in ("StochasticGradientDescent", "Adagrad", "Adadelta", "RMSprop", "Adam")),
        ("Adam", "**self.t", "", "t-not-advanced"),
        ("Adagrad", "self.G += np", "self.G = np", "state-not-kept"),
        ("RMSprop", "np.power(grad_wrt_w, 2)\n        return w - self.learning_rate * grad_wrt_w / np.sqrt(self.Eg", "grad_wrt_w\n        return w - self.learning_rate * grad_wrt_w / np.sqrt(self.Eg", "v-not-squared"),
        ("Adadelta", "self.w_updt = rms_delta_w / rms_grad", "self.w_updt = rms_grad / rms_delta_w", "unknown"),
        ("StochasticGradientDescent", "return w -", "return w +", "ascent"),
    ]),
    "a name for each tensor": (NAMED, [
        ("SGD", "", "", OK), ("Adam", "", "", OK),
        ("SGD", "self.cache[param_name] = update", "pass", "state-not-kept"),
        ("Adam", "C[param_name][\"t\"] + 1", "1", "t-not-advanced"),
        ("Adam", "(1 - self.d2) * param_grad**2", "param_grad**2", "unknown"),
    ]),
    "W and b": (W_AND_B, [
        ("Adam", "", "", OK), ("update", "", "", OK), ("Lion", "", "", "not-judged"),
        ("Adam", "(db**2)", "db", "v-not-squared"), ("Adam", "b = b - self.eta", "b = b + self.eta", "ascent"),
        ("Adam", "**t", "", "t-not-advanced"), ("update", "b -= learning", "b += learning", "ascent"),
    ]),
    "networks": (NETS, [
        ("SGD", "", "", OK), ("SGD", "param -= self", "param = param - self", "nothing-moves"),
        ("SGD", "param -= self.lr", "param -= 2 * self.lr", "factor-2"),
        ("SGD", "param -= self.lr * grad", "grad *= self.lr; param -= grad", "changes-grads"),
    ]),
    "steps to add": (STEPS, [
        ("Momentum", "", "", OK), ("Adam", "", "", OK),
        ("Momentum", "self._acc = self._momentum * self._acc + grad", "self._acc = grad", "state-not-kept"),
        ("Adam", "_v**0.5 + self._eps", "(_v + self._eps) ** 0.5", "eps-inside-root"),
        ("Adam", "(1 - self._b1**self._t)", "(1 - self._b2**self._t)", "unknown"),
    ]),
    "gradients in attributes": (GRAD_ATTRIBUTES, [
        ("sgd", "", "", OK), ("sgd_momentum", "", "", OK), ("SGD", "", "", OK), ("Adam", "", "", OK),
        ("sgd", "param -= lr", "param = param - lr", "nothing-moves"),
        ("sgd_momentum", "v[:] = hyperparams", "v = hyperparams", "state-not-kept"),
        ("Adam", "self.t += 1\n        b1", "b1", "t-not-advanced"),
    ]),
    "the state of the step before": (PAST, [
        ("momentum_step", "", "", OK), ("Momentum", "", "", OK), ("RMSProp", "", "", OK),
        ("momentum_step", "- rate", "+ rate", "ascent"), ("momentum_step", "velocity - rate * gradient\n    r", "velocity + rate * gradient\n    r", "velocity-sign"),
        ("Momentum", "past - self.lr * gradient\n        r", "past + self.lr * gradient\n        r", "velocity-sign"),
        ("RMSProp", "self.S = self", "self.S += self", "state-added-twice"),
    ]),
}  # fmt: skip
CASES = [pytest.param(code, *case, id=f"{style}: {case[0]} {case[3]} {k}")
         for style, (code, cases) in STYLES.items() for k, case in enumerate(cases)]  # fmt: skip


@pytest.mark.parametrize("code, name, old, new, expected", CASES)
def test_a_style(code, name, old, new, expected):
    start = code.index(f" {name}(") if f" {name}(" in code else code.index(f" {name}:")
    assert old in code[start:], "the change must be one"
    changed = code[:start] + code[start:].replace(old, new) if old else code
    names = {"np": np}
    exec(compile(changed, "learner.py", "exec"), names)
    report = check_optimizer(names[name])
    assert report.code == expected, f"{inspect.cleandoc(changed)}\n{report}"
    assert report.verdict == {OK: "right", "not-judged": "not judged"}.get(expected, f"wrong in {name}")
    assert all(len(line) <= 100 for line in str(report).splitlines())
