"""Parameters in one argument, a list that is unpacked or a vector that is cut into matrices; and numbers w and b."""

from __future__ import annotations

from test_styles import Style, both_tests_of

STYLES = {}
STYLES["a list of pairs, made by init"] = Style(
    """
    def init(n_in, n_hidden, n_out):
        sizes = n_in, n_hidden, n_out
        return [(np.ones(two), np.zeros(two[1])) for two in zip(sizes, sizes[1:])]

    def loss_and_grads(params, x, t):
        (W1, b1), (W2, b2) = params
        h = np.tanh(x @ W1 + b1)
        dy = (h @ W2 + b2 - t) / len(x)
        loss = 0.5 * np.sum((h @ W2 + b2 - t) ** 2) / len(x)
        dW2, db2 = h.T @ dy, dy.sum(axis=0)
        dz = dy @ W2.T * (1 - h**2)
        dW1, db1 = x.T @ dz, dz.sum(axis=0)
        return loss, [(dW1, db1), (dW2, db2)]
    """,
    "",
    "dW1 db2",
    slips=(
        (" * (1 - h**2)", "", "dW1", ""),
        ("h.T @ dy,", "-h.T @ dy,", "dW2", "sign"),
        ("dz.sum(axis=0)", "dz.mean(axis=0)", "db1", "divided-by-n"),
    ),
)
STYLES["a tuple under the name W"] = Style(
    """
    def forward(x, W):
        W1, b1, W2, b2 = W
        h = np.maximum(0, x @ W1 + b1)
        return h @ W2 + b2, h

    def backward(x, t, W):
        W1, b1, W2, b2 = W
        y, h = forward(x, W)
        dy = (y - t) / len(x)
        dh = dy @ W2.T * (h > 0)
        return [x.T @ dh, dh.sum(axis=0), h.T @ dy, dy.sum(axis=0)]
    """,
    "",
    "dW1 db2",
    slips=(
        (" * (h > 0)", "", "dW1", ""),
        ("h.T @ dy, dy.sum(axis=0)", "2 * h.T @ dy, dy.sum(axis=0)", "dW2", "factor-2"),
        ("dh.sum(axis=0)", "-dh.sum(axis=0)", "db1", "sign"),
    ),
)
STYLES["one vector"] = Style(
    """
    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    def nnCostFunction(nn_params, input_layer_size, hidden_layer_size, num_labels, X, y, lambda_):
        cut = hidden_layer_size * (input_layer_size + 1)
        Theta1 = np.reshape(nn_params[:cut], (hidden_layer_size, input_layer_size + 1))
        Theta2 = np.reshape(nn_params[cut:], (num_labels, hidden_layer_size + 1))
        m = len(X)
        a1 = np.c_[np.ones(m), X]
        z2 = a1 @ Theta1.T
        a2 = np.c_[np.ones(m), sigmoid(z2)]
        h, Y = sigmoid(a2 @ Theta2.T), np.eye(num_labels)[y]
        J = -np.sum(Y * np.log(h) + (1 - Y) * np.log(1 - h)) / m
        J += lambda_ / (2 * m) * (np.sum(Theta1[:, 1:] ** 2) + np.sum(Theta2[:, 1:] ** 2))
        d2 = ((h - Y) @ Theta2)[:, 1:] * sigmoid(z2) * (1 - sigmoid(z2))
        Theta1_grad, Theta2_grad = d2.T @ a1 / m, (h - Y).T @ a2 / m
        Theta1_grad[:, 1:] += lambda_ / m * Theta1[:, 1:]
        Theta2_grad[:, 1:] += lambda_ / m * Theta2[:, 1:]
        return J, np.concatenate([Theta1_grad.ravel(), Theta2_grad.ravel()])
    """,
    "",
    "dnn_params",
    slips=(
        (" * (1 - sigmoid(z2))", "", "24 of the 39 entries looked at are wrong", "unknown"),
        ("(h - Y).T @ a2 / m", "(h - Y).T @ a2", "15 of the 39 entries looked at are wrong", "unknown"),
        ("[Theta1_grad.ravel(), Theta2", "[-Theta1_grad.ravel(), -Theta2", "dnn_params", "sign"),
    ),
)
STYLES["one vector, cost and gradient apart"] = Style(
    """
    def unroll(theta):
        return theta[:24].reshape(4, 6), theta[24:].reshape(3, 5)

    def outputs(theta, X):
        T1, T2 = unroll(theta)
        a1 = np.c_[np.ones(len(X)), X]
        a2 = np.c_[np.ones(len(X)), np.tanh(a1 @ T1.T)]
        return a1, a2, a2 @ T2.T

    def cost(theta, X, y):
        return np.sum((outputs(theta, X)[2] - y) ** 2) / (2 * len(X))

    def gradient(theta, X, y):
        T2 = unroll(theta)[1]
        a1, a2, h = outputs(theta, X)
        d3 = (h - y) / len(X)
        d2 = (d3 @ T2)[:, 1:] * (1 - a2[:, 1:] ** 2)
        return np.concatenate([(d2.T @ a1).ravel(), (d3.T @ a2).ravel()])
    """,
    "",
    "dtheta",
    slips=(
        (" * (1 - a2[:, 1:] ** 2)", "", "24 of the 39", "unknown"),
        ("(h - y) / len(X)", "(h - y)", "dtheta", "factor"),
        ("(h - y) / len(X)", "(y - h) / len(X)", "dtheta", "sign"),
    ),
)
STYLES["numbers, summed over the points"] = Style(
    """
    def compute_cost(x, y, w, b):
        cost = 0
        for i in range(x.shape[0]):
            cost = cost + (w * x[i] + b - y[i]) ** 2
        return 1 / (2 * x.shape[0]) * cost

    def compute_gradient(x, y, w, b):
        m, dj_dw, dj_db = x.shape[0], 0, 0
        for i in range(m):
            f_wb = w * x[i] + b
            dj_dw += (f_wb - y[i]) * x[i]
            dj_db += f_wb - y[i]
        return dj_dw / m, dj_db / m
    """,
    "",
    "dw db",
    slips=(
        ("(f_wb - y[i]) * x[i]", "(y[i] - f_wb) * x[i]", "dw", "sign"),
        ("dj_dw / m", "dj_dw", "dw", "factor"),
        ("(f_wb - y[i]) * x[i]", "(f_wb - y[i])", "dw", "factor"),
    ),
)
STYLES["numbers, with forward and loss"] = Style(
    """
    def forward(x, w, b):
        return w * x + b

    def loss(y_pred, y):
        return np.mean((y_pred - y) ** 2)

    def gradients(x, y, w, b):
        y_pred = forward(x, w, b)
        dw = np.mean(2 * (y_pred - y) * x)
        db = np.mean(2 * (y_pred - y))
        return dw, db
    """,
    "",
    "dw db",
    slips=(
        ("np.mean(2 * (y_pred - y) * x)", "np.mean((y_pred - y) * x)", "dw", "factor-half"),
        ("db = np.mean(2", "db = -np.mean(2", "db", "sign"),
        ("np.mean(2 * (y_pred - y) * x)", "np.mean(2 * (y_pred - y))", "dw", "factor"),
    ),
)
STYLES["a vector and a number"] = Style(
    """
    def compute_cost(X, y, w, b):
        cost = 0.0
        for i in range(len(X)):
            f = 1 / (1 + np.exp(-(np.dot(X[i], w) + b)))
            cost += -y[i] * np.log(f) - (1 - y[i]) * np.log(1 - f)
        return cost / len(X)

    def compute_gradient(X, y, w, b):
        m, n = X.shape
        dj_dw, dj_db = np.zeros(n), 0.0
        for i in range(m):
            err = 1 / (1 + np.exp(-(np.dot(X[i], w) + b))) - y[i]
            for j in range(n):
                dj_dw[j] += err * X[i, j]
            dj_db += err
        return dj_db / m, dj_dw / m
    """,
    "",
    "dw db",
    slips=(
        ("dj_dw[j] += err", "dj_dw[j] -= err", "dw", "sign"),
        ("dj_dw / m", "dj_dw", "dw", "factor"),
        ("dj_dw[j] += err", "dj_dw[j] = err", "dw", ""),
    ),
)

test_right_code_is_right, test_a_slip_is_found = both_tests_of(STYLES)
