"""A loader: every row once in each pass, an order by seed, a position to go back to, and a thread that changes nothing."""
import json
import threading
from itertools import chain

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import DataLoader, Dataset
from chainrule.errors import ArgumentError, DataError

DATA = Dataset(np.arange(23.0), np.arange(23))


def loader(batch_size=4, prefetch=0, seed=0, **options):
    return DataLoader(DATA, batch_size, shuffle=True, generator=cr.random.Generator(seed), prefetch=prefetch, **options)


def all_of(batches):
    return [row for _, y in batches for row in y.tolist()]


def taken(batches):
    return [y.tolist() for _, y in batches]


def test_each_pass_has_every_row_once_in_an_order_of_its_own():
    order = loader()
    first, second = taken(order), taken(order)
    assert len(first) == len(order) == 6
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(23))
    assert first != second and first == taken(loader()) != taken(loader(seed=1))


def test_rows_stay_together_and_come_as_they_are_without_shuffling():
    assert all(np.array_equal(x, y) for x, y in loader())
    assert all_of(DataLoader(DATA, 5)) == list(range(23))
    assert [len(y) for y in taken(DataLoader(DATA))] == [1] * 23


def test_the_last_batch_may_be_dropped():
    assert [len(y) for y in taken(loader(drop_last=True))] == [4] * 5 and len(loader(drop_last=True)) == 5


@pytest.mark.parametrize("prefetch", [0, 1, 3, 50])
@pytest.mark.parametrize("done", range(14))
def test_a_position_is_gone_back_to_exactly(prefetch, done):
    one = loader(prefetch=prefetch)
    seen = 0
    while seen < done:
        for _ in one:
            seen += 1
            if seen == done:
                break
    state = json.loads(json.dumps(one.state_dict()))
    rest = [taken(one) for _ in range(3)]
    other = loader(seed=99)
    other.load_state_dict(state)
    assert [taken(other) for _ in range(3)] == rest


@pytest.mark.parametrize("prefetch", [1, 2, 7, 100])
def test_cutting_ahead_changes_nothing(prefetch):
    one, other = loader(), loader(prefetch=prefetch)
    for _ in range(2):
        for a, b in zip(one, other, strict=True):
            assert np.array_equal(a.targets, b.targets) and one.state_dict() == other.state_dict()


def test_the_position_counts_what_was_handed_out_not_what_was_cut():
    order = loader(prefetch=5)
    batches = iter(order)
    next(batches)
    assert order.state_dict()["batch"] == 1


def test_a_broken_iteration_goes_on_where_it_stopped_and_leaves_no_thread():
    before = threading.active_count()
    order = loader(prefetch=2)
    got = [next(iter(order)).targets.tolist() for _ in range(6)]
    assert got == taken(loader())
    for thread in threading.enumerate():
        if thread.name.startswith("chainrule-loader"):
            thread.join(5)
    assert threading.active_count() == before


def test_the_thread_works_ahead_and_its_errors_arrive():
    asked = []

    class Rows:
        def __len__(self): return 12

        def rows(self, indices):
            asked.append(threading.current_thread().name)
            if indices[0] == 8:
                raise DataError("row 8 is bad")
            return indices, indices
    batches = iter(DataLoader(Rows(), 2, prefetch=3))
    assert [next(batches).inputs.tolist() for _ in range(4)] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    with pytest.raises(DataError, match="row 8"):
        next(batches)
    assert all(name.startswith("chainrule-loader") for name in asked)


def test_the_common_generator_may_be_seeded_after_the_loader_is_made():
    order = DataLoader(DATA, 4, shuffle=True)
    cr.random.seed(3)
    first = taken(order)
    cr.random.seed(3)
    assert taken(order) == first


def test_wrong_options_and_positions_are_told():
    with pytest.raises(ArgumentError, match="batch_size is a whole number from 1 up, not 0"):
        DataLoader(DATA, 0)
    with pytest.raises(ArgumentError, match="prefetch"):
        DataLoader(DATA, 1, prefetch=-1)
    with pytest.raises(DataError, match="no rows"):
        DataLoader(Dataset(np.zeros(0), np.zeros(0)), 1)
    with pytest.raises(DataError, match="fewer than a batch of 30"):
        DataLoader(DATA, 30, drop_last=True)
    good = loader().state_dict()
    for change, message in [({"batch_size": 5}, "batch_size was 5, and is 4"), ({"rows": 24}, "rows was 24"),
                            ({"shuffle": False}, "shuffle"), ({"batch": 7}, "no batch 7"), ({"pass": -1}, "pass -1"),
                            ({"batch": "1"}, "no batch '1'"), ({"generator": {"state": 3}}, "no state of a generator"),
                            ({"generator": None}, "no state of a generator")]:
        with pytest.raises(ArgumentError, match=message):
            loader().load_state_dict({**good, **change})
