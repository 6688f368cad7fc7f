"""A derivation made by hand, to be checked with `chainrule check examples/derivation_by_hand.py`."""
import chainrule as cr


def derivation():
    """The loss, the gradients derived for it, and what its values are called."""
    x, y = cr.tensor([[1.0], [2.0]]), cr.tensor([[1.0], [0.0]])
    W1 = cr.tensor([[0.5, -1.0], [1.0, 0.5]], requires_grad=True)
    W2 = cr.tensor([[1.0, -1.0], [0.5, 2.0]], requires_grad=True)
    b1 = cr.tensor([[0.5], [-1.0]], requires_grad=True)
    z1 = W1 @ x + b1
    a1 = cr.sigmoid(z1)
    z2 = W2 @ a1
    L = cr.sum((z2 - y) ** 2) / 2
    gradients = {
        "delta2": "z2 - y",
        "dW2": "delta2 @ a1.T",
        "da1": "W2.T @ delta2",
        "delta1": "da1 * a1 * (1 - a1)",
        "dW1": "delta1 @ x.T",
        "db1": "delta1",
    }
    return L, gradients, {"x": x, "y": y, "W1": W1, "W2": W2, "b1": b1, "z1": z1, "a1": a1, "z2": z2, "L": L}
