"""Every error says what happened, where, with which values, and what to do."""
from __future__ import annotations

import inspect
import re
import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule import errors
from chainrule.core.stage import stage
from chainrule.core.type import Type
from chainrule.errors import (
    ArgumentError,
    ChainruleError,
    DTypeError,
    EscapedError,
    GradientError,
    ImmutableError,
    NonScalarError,
    NoPathError,
    PrecisionWarning,
    ShapeError,
    StagingError,
)

F64 = np.dtype("float64")


def leaf(values, **options):
    return cr.tensor(values, requires_grad=True, **options)


def here(back=0):
    """`file:line` of the caller, or of a line that many before it."""
    frame = inspect.currentframe().f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno - back}"


def said(error, call):
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


# ---------------------------------------------------------------------------------------- sweeps that cannot start
def test_backward_from_many_numbers():
    message = said(NonScalarError, lambda: (leaf([1.0, 2.0], name="w") * 2.0).backward())
    for words in ("2 elements", "float32[2] from multiply", ".sum()", ".mean()", "backward(gradient=...)"):
        assert words in message
    message = said(ShapeError, lambda: (leaf([1.0, 2.0]) * 2.0).backward(gradient=np.ones(3)))
    assert "(3,)" in message and "(2,)" in message


def test_backward_from_what_depends_on_nothing():
    message = said(NoPathError, lambda: cr.tensor(1.0, name="loss").backward())
    assert "'loss'" in message and "requires_grad=True" in message


CUTS = {  # what cuts: (the kind named, how a value is cut)
    "detach": ("detach()", lambda h: h.detach()),
    "stop_gradient": ("stop_gradient", lambda h: cr.stop_gradient(h)),
    "comparison": ("greater", lambda h: h > 0.0),
    "integer cast": ("integer_cast", lambda h: cr.astype(h, "int32")),
    "rounding aside": ("argmax", lambda h: cr.argmax(h)),
    "NumPy copy": ("numpy()", lambda h: h.numpy()),
    "NumPy conversion": ("numpy()", lambda h: np.asarray(h)),
    "item": ("item()", lambda h: cr.sum(h).item()),
    "tolist": ("tolist()", lambda h: np.array(h.tolist())),
    "data": ("data", lambda h: h.data),
}


@pytest.mark.parametrize("what", CUTS)
def test_a_value_without_a_path_names_the_cut_and_its_line(what):
    kind, cut = CUTS[what]
    line = inspect.getsourcelines(cut)[1]
    w, b = leaf(np.array([1.0, 2.0]), name="w"), leaf(np.float64(1.0), name="b")
    loss = cr.sum(cut(w * 2.0) * 1.0) * b
    message = said(NoPathError, lambda: loss.backward(inputs=[w]))
    assert "no path leads from" in message and "'w'" in message
    assert kind in message, message
    assert f"{__file__}:{line}" in message, message


def test_a_block_without_recording_is_named():
    w, b = leaf([1.0, 2.0], name="w"), leaf(1.0)
    with cr.no_grad():
        h = w * 2.0
    line = here(1)
    message = said(NoPathError, lambda: (cr.sum(h) * b).backward(inputs=w))
    assert "no_grad" in message and line in message
    message = said(NoPathError, lambda: cr.sum(h * 3.0).backward())
    assert "no_grad" in message and line in message


def test_among_many_cuts_the_one_behind_the_value_is_named():
    w, v = leaf([1.0, 2.0], name="w"), leaf([3.0, 4.0], name="v")
    a = w.detach()
    right = here(1)
    b = v.detach()
    wrong = here(1)
    message = said(NoPathError, lambda: cr.sum(a * b * leaf(1.0)).backward(inputs=[w]))
    assert right in message and wrong not in message


def test_a_wasted_hook_or_mark_says_why():
    assert "only a leaf" in said(ArgumentError, lambda: (leaf(1.0) * 2.0).requires_grad_())
    assert "real numbers" in said(DTypeError, lambda: cr.tensor([1, 2], requires_grad=True))


# ---------------------------------------------------------------------------------------- shapes and dtypes
SHAPES = {
    "add": (lambda a, b: a + b, "add: shapes do not broadcast: float64[2,3] and float64[4]"),
    "matmul": (lambda a, b: a @ b, "matmul: inner sizes differ: float64[2,3] @ float64[4] (3 != 4)"),
    "reshape": (lambda a, b: cr.reshape(a, (4, 2)), "reshape: float64[2,3] has 6 elements, shape (4, 2) has 8"),
    "sum": (lambda a, b: cr.sum(a, axis=2), "sum: axis 2 is not there: the array has 2 axes"),
    "stack": (lambda a, b: cr.stack([a, b]), "stack: the shapes differ: float64[2,3], float64[4]"),
}
WAYS = {
    "arrays": lambda f, a, b: f(np.asarray(a), np.asarray(b)),
    "tensors": lambda f, a, b: f(cr.tensor(a), cr.tensor(b)),
    "leaves": lambda f, a, b: f(leaf(a), leaf(b)),
    "no_grad": lambda f, a, b: no_grad(f, leaf(a), leaf(b)),
    "grad": lambda f, a, b: cr.grad(lambda a, b: cr.sum(f(a, b)), (0, 1))(a, b),
    "jvp": lambda f, a, b: cr.jvp(f, (a, b), (a, b)),
    "vmap": lambda f, a, b: cr.vmap(f)(np.stack([a, a]), np.stack([b, b])),
    "stage": lambda f, a, b: stage(f, Type(a.shape, a.dtype), Type(b.shape, b.dtype)),
    "checkpoint": lambda f, a, b: cr.checkpoint(f)(leaf(a), leaf(b)),
}


def no_grad(f, *args):
    with cr.no_grad():
        return f(*args)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("operation", SHAPES)
def test_shapes_that_do_not_fit_are_shown_in_every_interpreter(operation, way):
    f, words = SHAPES[operation]
    if way == "arrays" and operation in ("add", "matmul"):
        f = {"add": cr.add, "matmul": cr.matmul}[operation]
    message = said(ShapeError, lambda: WAYS[way](f, np.ones((2, 3)), np.ones(4)))
    assert words in message or (way == "vmap" and operation in message), message


def test_a_list_of_values_is_no_array():
    assert "cr.stack" in said(DTypeError, lambda: cr.sin([leaf(1.0), leaf(2.0)]))


def test_integers_have_no_gradient():
    message = said(DTypeError, lambda: cr.grad(lambda n: n * n)(3))
    for words in ("argument 0 is int64", "2.0 instead of 2", "argnums"):
        assert words in message


# ---------------------------------------------------------------------------------------- values that outlived a transform
def escape(transform):
    kept = []

    def f(x):
        kept.append(x * 2.0)
        return cr.sum(x * 3.0)
    transform(f)
    return kept[0]


X = np.array([1.0, 2.0])
ESCAPES = {
    "grad": lambda f: cr.grad(f)(X),
    "jvp": lambda f: cr.jvp(f, X, X),
    "vmap": lambda f: cr.vmap(f)(np.ones((3, 2))),
    "stage": lambda f: stage(f, Type((2,), F64)),
    "checkpoint": lambda f: cr.checkpoint(f)(leaf(X)),
}
USES = {
    "operator": lambda x: x * 2.0,
    "operator from the right": lambda x: 2.0 + x,
    "operator with an array": lambda x: np.ones(2) * x,
    "operator with a tensor": lambda x: leaf(np.ones(2)) * x,
    "matmul": lambda x: x @ np.ones(2),
    "comparison": lambda x: x > 0.0,
    "equality": lambda x: x == x,
    "index": lambda x: x[0],
    "operation": lambda x: cr.sin(x),
    "operation of NumPy": lambda x: np.sin(x),
    "reduction": lambda x: cr.sum(x),
    "reduction of NumPy": lambda x: np.sum(x),
    "movement": lambda x: cr.reshape(x, (2, 1)),
    "movement of NumPy": lambda x: np.reshape(x, (2, 1)),
    "method": lambda x: x.sum(),
    "transpose": lambda x: cr.stack([x, x]).mT,
    "composite": lambda x: cr.softmax(x),
    "einsum": lambda x: cr.einsum("i,i->", x, x),
    "cast": lambda x: cr.astype(x, "float32"),
    "stop_gradient": lambda x: cr.stop_gradient(x),
    "without recording": lambda x: no_grad(cr.stop_gradient, x),
    "movement without recording": lambda x: no_grad(lambda x: cr.reshape(x, (2, 1)), x),
    "another transform": lambda x: cr.grad(lambda y: cr.sum(y * x))(X),
    "another transform's argument": lambda x: cr.grad(lambda y: cr.sum(y * y))(x),
    "a batch": lambda x: cr.vmap(lambda y: y * x[0])(X),
    "a tangent": lambda x: cr.jvp(lambda y: y * 2.0, X, x),
    "a checkpoint": lambda x: cr.checkpoint(lambda y: cr.sum(y * x))(leaf(X)),
    "a custom rule": lambda x: cr.custom_rule(backward=lambda g, y, x: (g,))(lambda x: x * 1.0)(x),
    "where": lambda x: cr.where(x > 0, x, 0.0),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("transform", ESCAPES)
def test_a_value_that_outlived_its_transform_says_which(transform, use):
    x = escape(ESCAPES[transform])
    message = said(EscapedError, lambda: USES[use](x))
    assert f"outlived the {transform} transform" in message, message
    assert "float64[" in message and "stop_gradient" in message


@pytest.mark.parametrize("transform", ESCAPES)
def test_an_escaped_value_can_still_be_looked_at(transform):
    x = escape(ESCAPES[transform])
    assert x.dtype == F64 and repr(x)


# ---------------------------------------------------------------------------------------- values without numbers
QUESTIONS = {
    "if": lambda x: 1.0 if cr.sum(x) > 0 else 2.0,
    "while": lambda x: next(iter(()), None) if not cr.sum(x) else x,
    "and": lambda x: (cr.sum(x) > 0) and x,
    "float": lambda x: float(cr.sum(x)),
    "int": lambda x: int(cr.sum(x)),
    "asarray": lambda x: np.asarray(x),
    "range": lambda x: range(cr.argmax(x)),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_staged_value_used_as_a_number_says_what_to_do(question):
    f = QUESTIONS[question]
    message = said(StagingError, lambda: stage(f, Type((2,), F64)))
    assert f"{__file__}:{inspect.getsourcelines(f)[1]}" in message, message
    assert "cr.where" in message and "staged value" in message


def test_a_batched_value_used_in_an_if_says_what_to_do():
    message = said(StagingError, lambda: cr.vmap(lambda x: x if x > 0 else -x)(X))
    assert "cr.where" in message and "vmap" in message


def test_values_with_numbers_may_decide():
    assert cr.grad(lambda x: x * x if x > 0 else -x)(-2.0) == -1.0
    assert cr.jvp(lambda x: x * x if x > 0 else -x, -2.0, 1.0)[1] == -1.0


# ---------------------------------------------------------------------------------------- precision, immutability
def test_float64_data_meeting_a_float32_parameter_is_told_with_both_names():
    w = leaf([1.0, 2.0], name="w")
    with pytest.warns(PrecisionWarning) as caught:
        y = w * np.ones(2)
        line = here(1)
    assert y.dtype == np.float64
    message = str(caught[0].message)
    for words in ("'w'", "float32", "an array of float64[2]", ".astype('float32')"):
        assert words in message
    assert f"{caught[0].filename}:{caught[0].lineno}" == line
    with pytest.warns(PrecisionWarning, match="'data'"):
        cr.matmul(w, cr.tensor(np.ones(2), name="data"))
    with pytest.warns(PrecisionWarning):
        cr.stack([w, w, np.ones(2)])


def test_what_is_meant_is_not_warned_about():
    w = leaf([1.0, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (w * 2.0).sum().backward()
        (w * np.float32([1.0, 2.0])).sum().backward()
        cr.astype(w, "float64") * np.ones(2)
        leaf(np.ones(2)) * np.ones(2)
        cr.tensor([1.0, 2.0]) * np.ones(2)


def test_an_assignment_shows_the_replacement():
    w = leaf([1.0, 2.0, 3.0], name="w")

    def assign():
        w[1:] = 0.0
    message = said(ImmutableError, assign)
    assert ".at[1:].set(" in message, message

    def inside(x):
        x[0] = 1.0
        return cr.sum(x)
    assert ".at[0].set(" in said(ImmutableError, lambda: cr.grad(inside)(X))


def test_augmented_assignment_makes_a_new_value():
    w = leaf([1.0, 2.0])
    v = w
    v += 1.0
    assert v is not w and w.tolist() == [1.0, 2.0] and v.requires_grad


# ---------------------------------------------------------------------------------------- the tree of errors
def test_every_error_is_drawn_in_the_tree_and_is_what_it_says():
    tree = errors.__doc__
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, Exception):
            drawn = re.search(rf"\b{name}\b.*?(?:\(also an? (\w+)\))?$", tree, re.MULTILINE)
            assert drawn, f"{name} is not drawn"
            if drawn[1]:
                assert issubclass(kind, getattr(__builtins__, drawn[1], None) or __builtins__[drawn[1]])
    assert issubclass(NonScalarError, GradientError) and issubclass(GradientError, ChainruleError)
