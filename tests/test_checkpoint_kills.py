"""A training process that is killed at random instants leaves no checkpoint that cannot be read, and ends with the same bits."""
import os
import random
from itertools import pairwise

import pytest

import killing

FEW = 3  # kills by `make test`
KILLS = 15  # by `make test-all`, in each mode


@pytest.mark.parametrize("most", [FEW, pytest.param(KILLS, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_killed_at_random_instants_it_ends_with_the_same_weights(tmp_path, mode, most):
    seed = int(os.environ.get("CHAINRULE_KILLS_SEED", 0)) or random.randrange(2**32)
    print(f"CHAINRULE_KILLS_SEED={seed}")  # pytest shows it where the test fails
    draw, kills, lineages = random.Random(seed), 0, 0
    left_alone = killing.fit(*killing.prepared(None, compile=mode == "compiled"))
    while kills < most:
        folder = tmp_path / str(lineages)
        folder.mkdir()
        reached = killing.killed(folder, mode, draw, most - kills)
        assert all(a <= b for a, b in pairwise(reached)), reached
        killing.main(folder, mode)
        final = killing.train.read_weights(folder / "final.safetensors")
        assert {name: value.tobytes() for name, value in final.items()} == left_alone
        assert [line.split(",")[0] for line in (folder / "log.csv").read_text().splitlines()] == [
            "epoch", *map(str, range(1, killing.EPOCHS + 1))]
        kills, lineages = kills + len(reached), lineages + 1
