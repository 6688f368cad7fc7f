"""A training that is killed again and again: 200 kills at random instants, eager and compiled, and what came of them.

    python benchmarks/faults.py [--kills 200] [--seed N]

The process gets SIGKILL while it trains and writes checkpoints. After each kill every checkpoint must be readable; when enough
kills are done the training is resumed once more, and its weights must be those of a training that was left alone, bit for bit.
It fails where one of this does not hold. The tests do the same with 30 kills.
"""
from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

import killing  # noqa: E402  found through the line above


def lineage(folder: Path, mode: str, draw: random.Random, kills: int) -> list[int]:
    """One training that is killed up to so many times and then finished; how far each of its lives came."""
    reached = killing.killed(folder, mode, draw, kills)
    killing.main(folder, mode)
    final = killing.train.read_weights(folder / "final.safetensors")
    alone = killing.fit(*killing.prepared(None, compile=mode == "compiled"))
    assert {name: value.tobytes() for name, value in final.items()} == alone, f"{folder}: the weights differ"
    return reached


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    draw, began = random.Random(options.seed), time.perf_counter()
    for mode in ("eager", "compiled"):
        lives: list[list[int]] = []
        with tempfile.TemporaryDirectory() as folder:
            while (left := options.kills // 2 - sum(map(len, lives))) > 0:
                run = Path(folder) / str(len(lives))
                run.mkdir()
                lives.append(lineage(run, mode, draw, left))
        steps = [step for life in lives for step in life]
        print(f"{mode}: {len(steps)} kills in {len(lives)} trainings of {killing.STEPS} steps, after steps {min(steps)} to "
              f"{max(steps)}: every checkpoint could be read, and all weights are the same, bit for bit", flush=True)
    print(f"this took {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
