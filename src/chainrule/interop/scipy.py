"""An adapter gives SciPy's optimizers a function of a tree of arrays as they want it: of one vector, with its derivatives."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.compiler.entry import compile
from chainrule.core.interpreter import concrete
from chainrule.core.tree import flatten, unflatten
from chainrule.core.type import typeof
from chainrule.errors import ArgumentError, InputError
from chainrule.jacobians import hessian, hvp
from chainrule.transforms import value_and_grad

Vector = np.ndarray[Any, Any]
GRADIENT = ("cg", "bfgs", "l-bfgs-b", "tnc", "slsqp", "newton-cg", "dogleg", "trust-ncg", "trust-krylov", "trust-exact",
            "trust-constr")
PRODUCT, HESSIAN = ("newton-cg", "trust-ncg", "trust-krylov", "trust-constr"), ("dogleg", "trust-exact")
"""The methods of scipy.optimize.minimize that use the gradient; Hessian-vector products; the whole Hessian."""


class Problem:
    """A function of a tree of arrays, as a function of one float64 vector, with its derivatives.

    `f(x, *args)` returns one number, and `x0` is a tree such as `x`: an array, or arrays in dicts, lists and tuples, such as the
    parameters of a module. `compiled` makes native code of all that is computed. What SciPy gives and takes is a vector: `x0` of
    the problem, `value_and_gradient(x)`, `value(x)`, `hessp(x, v)`, `hess(x)`; and `tree(x)` is the tree again.

    >>> import chainrule as cr, numpy as np, scipy.optimize
    >>> problem = cr.interop.scipy.Problem(lambda p: ((p["a"] - 3.0) ** 2).sum() + p["b"] ** 4, {"a": np.zeros(2), "b": 1.0})
    >>> found = scipy.optimize.minimize(problem.value_and_gradient, problem.x0, jac=True, hessp=problem.hessp, method="trust-ncg")
    >>> problem.tree(found.x)["a"].round(6)
    array([3., 3.])
    """

    def __init__(self, f: Callable[..., Any], x0: Any, *, compiled: bool = False) -> None:
        leaves, self.structure = flatten(x0)
        if not leaves:
            raise ArgumentError("interop.scipy: x0 holds no arrays. Give what f is a function of: an array, or a tree of arrays.")
        self.shapes = [typeof(leaf).shape for leaf in leaves]
        self.x0 = self.vector(x0)
        wrap = compile if compiled else lambda g: g
        self.f = wrap(lambda x, *args: f(x, *args))
        self.both = wrap(value_and_grad(f))
        self.product = wrap(lambda x, v, *args: hvp(lambda y: f(y, *args), x, v))
        self.second = wrap(lambda x, *args: hessian(lambda y: f(self.tree(y), *args))(x))

    def vector(self, tree: Any) -> Vector:
        """All elements of a tree, one after the other."""
        return np.concatenate([np.ravel(concrete(leaf, "interop.scipy")) for leaf in flatten(tree)[0]]).astype(np.float64)

    def tree(self, x: Any) -> Any:
        """A vector as a tree such as `x0`, in float64."""
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in self.shapes)])
        return unflatten(self.structure, [x[a:b].reshape(shape) for a, b, shape in zip(ends, ends[1:], self.shapes)])

    def value(self, x: Vector, *args: Any) -> float:
        return float(self.f(self.tree(x), *args))

    def value_and_gradient(self, x: Vector, *args: Any) -> tuple[float, Vector]:
        """The value of the function, and its gradient, computed together in one sweep."""
        value, gradient = self.both(self.tree(x), *args)
        return float(value), self.vector(gradient)

    def hessp(self, x: Vector, v: Vector, *args: Any) -> Vector:
        """The Hessian times a vector, without making the Hessian."""
        return self.vector(self.product(self.tree(x), self.tree(np.asarray(v, np.float64)), *args))

    def hess(self, x: Vector, *args: Any) -> Vector:
        """The Hessian."""
        return np.asarray(self.second(x, *args))


def minimize(f: Callable[..., Any], x0: Any, args: tuple[Any, ...] = (), *, method: str | None = None, compiled: bool = False,
             **options: Any) -> Any:
    """`scipy.optimize.minimize` of a function of a tree of arrays, with the derivatives that the method uses.

    The result is SciPy's, with trees such as `x0` as its `x` and its gradient. All is computed in float64. `options`
    are SciPy's own (`tol`, `options`, `callback`; `bounds` and `constraints` on the vector of all elements). Raises InputError
    where SciPy is not installed.

    >>> import chainrule as cr, numpy as np
    >>> model = cr.nn.Linear(2, 1)
    >>> x = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> def loss(parameters):
    ...     return ((cr.nn.functional_call(model, parameters, x)[:, 0] - x.sum(1) - 1) ** 2).sum()
    >>> found = cr.interop.scipy.minimize(loss, dict(model.named_parameters()), method="trust-ncg")
    >>> found.x["weight"].round(4), found.x["bias"].round(4)
    (array([[1., 1.]]), array([1.]))
    """
    try:
        from scipy import optimize
    except ImportError:
        raise InputError("interop.scipy.minimize needs SciPy: pip install 'chainrule[scipy]'.") from None
    problem = Problem(f, x0, compiled=compiled)
    key = (method or "").lower()
    with_gradient = not key or key in GRADIENT
    given = {"hessp": problem.hessp} if key in PRODUCT else {"hess": problem.hess} if key in HESSIAN else {}
    found = optimize.minimize(problem.value_and_gradient if with_gradient else problem.value, problem.x0, args, method=method,
                              jac=with_gradient or None, **given, **options)
    found.x = problem.tree(found.x)
    for name in ("jac", "grad"):  # by the method: the jac of trust-constr is a list, of the constraints
        if isinstance(found.get(name), np.ndarray):
            found[name] = problem.tree(found[name])
    return found
