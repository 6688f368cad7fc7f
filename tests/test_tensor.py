"""A tensor behaves as users of PyTorch expect, and better where PyTorch surprises."""
from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, DTypeError, ImmutableError, NoPathError


def leaf(values, **options):
    return cr.tensor(values, requires_grad=True, **options)


# ---------------------------------------------------------------------------------------- gradients
def test_no_gradient_until_one_is_computed_and_never_a_false_zero():
    w, unused = leaf([1.0, 2.0]), leaf(1.0)
    h = w * 2.0
    assert w.grad is None and h.grad is None
    (h * h).sum().backward()
    assert w.grad.tolist() == [8.0, 16.0]
    assert unused.grad is None
    assert cr.tensor(1.0).grad is None


def test_sweeps_add_up_and_each_is_remembered():
    w = leaf(3.0)
    first, second = w * w, w * 5.0
    first.name = "first"
    for loss in (first, second, first):
        loss.backward()
    assert w.grad.item() == 6.0 + 5.0 + 6.0
    assert [(c.root, c.gradient.item()) for c in w.grad_by_sweep] == [("first", 6.0), ("loss", 5.0), ("first", 6.0)]
    numbers = [c.sweep for c in w.grad_by_sweep]
    assert numbers == sorted(set(numbers))


def test_a_gradient_can_be_forgotten_and_set():
    w = leaf([1.0, 2.0])
    w.sum().backward()
    w.grad = None
    assert w.grad is None and w.grad_by_sweep == []
    w.grad = np.array([5.0, 5.0], np.float32)
    (w * 2.0).sum().backward()
    assert w.grad.tolist() == [7.0, 7.0]
    with pytest.raises(ArgumentError, match="shape"):
        w.grad = np.ones(3)


def test_old_sweeps_are_added_up_so_that_memory_stays_bounded():
    w = leaf(1.0)
    for _ in range(100):
        (w * 2.0).backward()
    assert w.grad.item() == 200.0
    contributions = w.grad_by_sweep
    assert len(contributions) <= 20 and contributions[0].root == "earlier sweeps"
    assert sum(c.gradient.item() for c in contributions) == 200.0


def test_gradients_of_intermediate_values_can_be_asked_for_afterwards():
    w = leaf([1.0, -2.0])
    h = w * 3.0
    y = h * h
    loss = y.sum()
    loss.backward()
    assert y.grad.tolist() == [1.0, 1.0]
    assert h.grad.tolist() == [6.0, -12.0]
    loss.backward()
    assert h.grad.tolist() == [12.0, -24.0]
    assert len(h.grad_by_sweep) == 2
    assert (w * 1.0).grad is None


def test_a_retained_gradient_outlives_its_loss():
    w = leaf(2.0)
    h = w * 3.0
    h.retain_grad()
    (h * h).backward()
    gc.collect()
    assert h.grad.item() == 12.0


def test_a_value_waits_for_all_its_users():
    x = leaf(2.0)
    early = x * x
    late = early * 3.0
    (early * late + early + late).backward()  # 3 x^4 + 4 x^2
    assert x.grad.item() == 12 * 8.0 + 8 * 2.0
    y = leaf(2.0)
    (y * y + y).backward()
    assert y.grad.item() == 5.0


def test_gradients_have_the_dtype_of_their_tensor():
    for dtype in (np.float16, np.float32, np.float64):
        w = leaf(np.ones(2, dtype))
        (w * w * 2.0).sum().backward()
        assert w.grad.dtype == dtype
        assert w.grad.shape == (2,)


def test_inputs_restrict_the_sweep():
    a, b = leaf(2.0), leaf(3.0)
    h = a * b
    h.backward(inputs=[a])
    assert (a.grad.item(), b.grad) == (3.0, None)
    with pytest.raises(NoPathError):
        h.backward(inputs=[leaf(1.0)])


def test_a_vector_is_swept_with_a_weight_for_each_element():
    w = leaf([1.0, 2.0])
    (w * w).backward(gradient=[1.0, 10.0])
    assert w.grad.tolist() == [2.0, 40.0]
    w.grad = None
    (w * w).backward(gradient=leaf([1.0, 1.0]))
    assert w.grad.tolist() == [2.0, 4.0] and not w.grad.requires_grad


def test_second_derivatives_by_create_graph():
    x = leaf(2.0)
    (x * x * x).backward(create_graph=True)
    slope = x.grad
    assert slope.item() == 12.0
    x.grad = None
    slope.backward()
    assert x.grad.item() == 12.0
    x.grad = None
    (x * x).backward()
    assert not x.grad.requires_grad


# ---------------------------------------------------------------------------------------- hooks
def test_a_hook_sees_the_whole_gradient_and_may_replace_it():
    x = leaf(2.0)
    h = x * 3.0
    seen = []
    watching = h.register_hook(lambda g: seen.append(g.item()))
    halving = h.register_hook(lambda g: g * 0.5)
    (h * h + h).backward()
    assert seen == [13.0]
    assert x.grad.item() == 13.0 * 0.5 * 3.0
    halving.remove()
    halving.remove()
    x.grad = None
    (h * h + h).backward()
    assert x.grad.item() == 39.0 and seen == [13.0, 13.0]
    watching.remove()
    (h * 1.0).backward()
    assert len(seen) == 2


def test_hooks_work_on_leaves_and_with_tensors_arrays_and_parameters():
    x, scale = leaf([1.0, 2.0]), leaf(10.0)
    x.register_hook(lambda g: np.clip(g.numpy(), -1.0, 1.0))
    x.register_hook(lambda g: g * scale)
    (x * 5.0).sum().backward()
    assert x.grad.tolist() == [10.0, 10.0]
    x.grad = None
    (x * x * 0.1).sum().backward(create_graph=True)


def test_a_hook_is_called_once_even_where_a_nan_is_looked_for():
    x = leaf([0.0, 4.0])
    calls = []
    x.register_hook(lambda g: calls.append(1))
    cr.sum(cr.where(x > 0, cr.sqrt(x), 0.0 * x)).backward()
    assert x.grad.tolist() == [0.0, 0.25] and calls == [1]


def test_a_hook_needs_a_gradient_to_wait_for():
    with pytest.raises(ArgumentError, match="never be called"):
        cr.tensor(1.0).register_hook(print)


# ---------------------------------------------------------------------------------------- cutting
def test_detach_and_no_grad_cut():
    x = leaf(2.0)
    assert (x.detach() * x).requires_grad and not x.detach().requires_grad
    (x.detach() * x).backward()
    assert x.grad.item() == 2.0
    with cr.no_grad():
        y = x * x
        assert not y.requires_grad
        with cr.no_grad():
            assert not (y * x).requires_grad
        assert not (x * 2.0).requires_grad
    assert (x * 2.0).requires_grad


def test_no_grad_ends_with_an_exception_and_holds_inside_transforms():
    x = leaf(2.0)
    with pytest.raises(KeyError), cr.no_grad():
        raise KeyError
    assert (x * 1.0).requires_grad

    def f(x):
        with cr.no_grad():
            c = x * x
        return c * x
    assert cr.grad(f)(3.0) == 9.0


# ---------------------------------------------------------------------------------------- data
def test_data_makes_tensors():
    assert cr.tensor(2.0).dtype == np.float32
    assert cr.tensor(2).dtype == np.int64
    assert cr.tensor([True]).dtype == np.bool_
    assert cr.tensor(np.float64([1.0])).dtype == np.float64
    assert cr.tensor([np.float64(1.0)]).dtype == np.float64
    assert cr.tensor([1, 2], dtype="float64").dtype == np.float64
    source = np.ones(2)
    t = cr.tensor(source)
    source[0] = 7.0
    assert t.tolist() == [1.0, 1.0]
    with pytest.raises(DTypeError):
        leaf([1, 2])
    with pytest.raises(ArgumentError, match=r"cr\.stack"):
        cr.tensor([leaf(1.0), leaf(2.0)])


def test_new_data_in_a_leaf_do_not_change_what_was_computed():
    w = leaf([1.0, 2.0])
    loss = (w * w).sum()
    w.data = [5.0, 6.0]
    assert w.tolist() == [5.0, 6.0] and w.dtype == np.float32 and w.requires_grad
    loss.backward()
    assert w.grad.tolist() == [2.0, 4.0]
    w.data = w.data - 0.5 * w.grad
    assert w.tolist() == [4.0, 4.0]
    with pytest.raises(ArgumentError, match="shape"):
        w.data = [1.0]
    with pytest.raises(ImmutableError):
        loss.data = 1.0


def test_arrays_given_out_cannot_change_the_tensor():
    w = leaf([1.0, 2.0])
    with pytest.raises(ValueError, match="read-only"):
        w.numpy()[0] = 5.0
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(w)[0] = 5.0
    np.from_dlpack(w)[...] = 0.0
    assert w.tolist() == [1.0, 2.0]


def test_copies_and_pickles():
    w = leaf([1.0, 2.0], name="w")
    (w * w).sum().backward()
    for twin in (copy.deepcopy(w), pickle.loads(pickle.dumps(w))):
        assert twin.tolist() == [1.0, 2.0] and twin.requires_grad and twin.name == "w" and twin.grad is None
    same = [w, w]
    a, b = copy.deepcopy(same)
    assert a is b
    assert copy.copy(w) is w  # a shallow copy shares what does not change
    with pytest.raises(ArgumentError, match="detach"):
        copy.deepcopy(w * 2.0)
    assert not pickle.loads(pickle.dumps(w * 2.0)).requires_grad


def test_names_and_the_line_that_computed():
    w = leaf(1.0, name="w")
    assert w.name == "w" and "name='w'" in repr(w)
    h = w * 2.0
    assert h.name is None
    h.name = "hidden"
    assert "'hidden'" in h.label and "multiply" in h.label
    assert h.line.endswith(f"test_tensor.py:{test_names_and_the_line_that_computed.__code__.co_firstlineno + 3}")


def test_a_tensor_can_be_asked_what_it_is():
    w = leaf([[1.0, 2.0]])
    y = w * 2.0
    assert (w.shape, w.ndim, w.size) == ((1, 2), 2, 2)
    assert w.is_leaf and not y.is_leaf and y.requires_grad
    assert len({w, y, w}) == 2  # by identity
    assert w.requires_grad_(False).requires_grad is False
    with pytest.raises(ArgumentError):
        y.requires_grad_()


# ---------------------------------------------------------------------------------------- life
def test_a_graph_is_freed_with_its_last_value():
    w = leaf(1.0)
    h = w * 2.0
    alive = weakref.ref(h)
    loss = h * h
    loss.backward()
    del h
    assert alive() is not None
    del loss
    gc.collect()
    assert alive() is None
    assert w.grad.item() == 8.0


def test_threads_do_not_disturb_each_other():
    w = leaf(np.ones(3))
    found, errors = {}, []

    def work(i):
        try:
            own = leaf(np.full(3, float(i)))
            for _ in range(50):
                with cr.no_grad():
                    w * 2.0
                own.grad = None
                (own * own * w).sum().backward(inputs=[own])
            found[i] = own.grad.tolist()
            assert cr.grad(lambda x: x * x * i)(3.0) == 6.0 * i
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    with cr.no_grad():
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert not errors
    assert found == {i: [2.0 * i] * 3 for i in range(4)}


def test_a_list_of_numbers_takes_the_dtype_of_the_tensor_it_meets():
    t = cr.tensor([1.0, 2.0], requires_grad=True)
    y = t / [1.0, 2.0]
    y.sum().backward()
    assert y.dtype == np.float32 and t.grad.tolist() == [1.0, 0.5]
    assert ([1.0, 2.0] * cr.tensor([1, 2])).dtype == np.float64


def test_complex_numbers_are_refused():
    t = cr.tensor([1.0, 2.0], requires_grad=True)
    for other in (1j, np.array([1j, 2.0])):
        with pytest.raises(cr.errors.DTypeError, match="real numbers"):
            t * other


def test_no_call_can_write_into_a_value():
    t = cr.tensor([4.0, 9.0], requires_grad=True)
    calls = (lambda: cr.sqrt(t, t), lambda: cr.add(t, t, t), lambda: cr.sqrt(t, out=t.numpy()),
             lambda: cr.sin(np.ones(2), np.ones(2)))
    for call in calls:
        with pytest.raises(TypeError, match="Call it as"):
            call()
    assert t.tolist() == [4.0, 9.0]


def test_an_option_is_no_value():
    t = cr.tensor([4.0, 9.0], requires_grad=True)
    with pytest.raises(cr.errors.DTypeError, match="rtol is an option"):
        cr.isclose(t, t, t)


def test_divmod_is_quotient_and_remainder():
    t = cr.tensor([4.5, 9.0])
    assert [x.tolist() for x in divmod(t, 2.0)] == [[2.0, 4.0], [0.5, 1.0]]
