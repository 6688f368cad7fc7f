"""Movements agree with NumPy's, in value and in what they hand back."""
import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, ShapeError

x = np.random.default_rng(0).normal(size=(2, 3, 4))
row = np.arange(5.0)

CALLS = {
    "swapaxes": (lambda m: m.swapaxes(x, 0, -1)), "expand_dims": (lambda m: m.expand_dims(x, (0, -1))),
    "expand_dims of one axis": (lambda m: m.expand_dims(x, -2)), "squeeze": (lambda m: m.squeeze(x[:1], 0)),
    "squeeze of all": (lambda m: m.squeeze(x[:1, :, :1])), "ravel": (lambda m: m.ravel(x)),
    "flip": (lambda m: m.flip(x)), "flip of one axis": (lambda m: m.flip(x, axis=1)),
    "roll": (lambda m: m.roll(x, 2)), "roll of axes": (lambda m: m.roll(x, (1, -1), (0, 2))),
    "roll of one axis": (lambda m: m.roll(x, 5, axis=1)), "rot90": (lambda m: m.rot90(x)),
    "rot90 thrice": (lambda m: m.rot90(x, 3, (1, 2))), "rot90 twice": (lambda m: m.rot90(x, 2)),
    "tile": (lambda m: m.tile(x, (2, 1, 3))), "tile with new axes": (lambda m: m.tile(row, (2, 2))),
    "tile of fewer axes": (lambda m: m.tile(x, 2)), "repeat": (lambda m: m.repeat(x, 3, axis=1)),
    "repeat of all": (lambda m: m.repeat(x, 2)), "repeat by an array": (lambda m: m.repeat(x, [0, 2, 1], axis=1)),
    "concat": (lambda m: m.concat([x, x[:, :1]], axis=1)), "concat of all": (lambda m: m.concat([x, row], axis=None)),
    "unstack": (lambda m: m.unstack(x, axis=1)[2]), "split": (lambda m: m.split(x, 2, axis=2)[1]),
    "split at indices": (lambda m: m.split(x, [1, 3], axis=2)[1]),
    "broadcast_arrays": (lambda m: m.broadcast_arrays(x, x[0, :, :1])[1]),
    "meshgrid": (lambda m: m.meshgrid(row, row[:2], row[:3])[1]),
    "meshgrid ij": (lambda m: m.meshgrid(row, row[:2], indexing="ij")[0]),
    "pad": (lambda m: m.pad(x, ((0, 1), (2, 0), (1, 1)))), "pad with a constant": (lambda m: m.pad(x, 1, constant_values=3.0)),
    "pad edge": (lambda m: m.pad(x, (1, 2), mode="edge")), "pad reflect": (lambda m: m.pad(x, 1, mode="reflect")),
    "pad wrap": (lambda m: m.pad(x, 1, mode="wrap")), "pad symmetric": (lambda m: m.pad(x, 2, mode="symmetric")),
    "tril": (lambda m: m.tril(x, k=-1)), "triu": (lambda m: m.triu(x, k=1)), "triu below": (lambda m: m.triu(x, k=-1)),
    "diag of a row": (lambda m: m.diag(row, 1)), "diag of a matrix": (lambda m: m.diag(x[0], -1)),
}


@pytest.mark.parametrize("name", CALLS)
def test_movements_agree_with_numpy(name):
    np.testing.assert_array_equal(CALLS[name](cr), CALLS[name](np))


def test_diagonals_of_stacked_matrices():
    np.testing.assert_array_equal(cr.diagonal(x, offset=1), np.diagonal(x, 1, -2, -1))
    np.testing.assert_array_equal(cr.diagonal(x, offset=-9), np.diagonal(x, -9, -2, -1))


def test_sliding_windows_agree_with_numpy():
    windows = np.lib.stride_tricks.sliding_window_view
    np.testing.assert_array_equal(cr.sliding_window_view(x, (2, 3), axis=(1, 2)), windows(x, (2, 3), axis=(1, 2)))
    np.testing.assert_array_equal(cr.sliding_window_view(x, (1, 2, 2)), windows(x, (1, 2, 2)))


def test_flatten_joins_the_axes_asked_for():
    assert cr.flatten(x).shape == (24,)
    assert cr.flatten(x, 1).shape == (2, 12)
    assert cr.flatten(x, 0, 1).shape == (6, 4)
    assert cr.flatten(np.float64(3)).shape == (1,)


@pytest.mark.parametrize("move", [
    lambda x: cr.pad(x, 1, "reflect"), lambda x: cr.pad(x, 1, constant_values=np.inf)[1:-1, 1:-1], lambda x: cr.tile(x, (2, 2)),
    lambda x: cr.repeat(x, [1, 0, 3], axis=0), lambda x: cr.roll(x, 2), lambda x: cr.rot90(x), lambda x: cr.tril(x),
    lambda x: cr.diag(cr.diagonal(x)), lambda x: cr.sliding_window_view(x, (2, 2)), lambda x: cr.concat(cr.unstack(x)[::-1]),
    lambda x: cr.concat(cr.split(x, [1, 2], axis=1), axis=1)], ids=range(11))
def test_each_element_gets_back_as_often_as_it_was_used(move):
    a = x[0, :, :3]
    weights = np.random.default_rng(1).normal(size=move(a).shape)
    gradient = cr.grad(lambda a: (move(a) * weights).sum())(a)
    nudged = [((move(a + e) - move(a)) * weights)[np.isfinite(weights)].sum() for e in np.eye(9).reshape(9, 3, 3)]
    np.testing.assert_allclose(gradient.ravel(), nudged, atol=1e-12)


@pytest.mark.parametrize("call, error, words", [
    (lambda: cr.squeeze(x, 1), ShapeError, "axis 1 of float64.2,3,4. has size 3"),
    (lambda: cr.concat([x, row]), ShapeError, "Use stack"),
    (lambda: cr.concat([]), ArgumentError, "nothing to join"),
    (lambda: cr.split(x, 3, axis=2), ShapeError, "does not divide into 3"),
    (lambda: cr.repeat(x, [1, 2], axis=1), ShapeError, "2 counts for axis 1"),
    (lambda: cr.roll(x, (1, 2, 3), (0, 1)), ArgumentError, "3 shifts for 2 axes"),
    (lambda: cr.pad(x, (1, 2, 3)), ShapeError, "pad_width"),
    (lambda: cr.pad(x, -1), ArgumentError, "use slices"),
    (lambda: cr.pad(x, 1, "mirror"), ArgumentError, "'reflect'"),
    (lambda: cr.meshgrid(x), ShapeError, "one axis"),
    (lambda: cr.diag(x), ShapeError, "Use diagonal"),
    (lambda: cr.sliding_window_view(row, 9), ShapeError, "does not fit"),
    (lambda: cr.flatten(x, 2, 1), ArgumentError, "comes after"),
    (lambda: cr.tril(row), ShapeError, "no matrix"),
])
def test_errors_say_what_does_not_fit(call, error, words):
    with pytest.raises(error, match=words):
        call()
