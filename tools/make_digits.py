"""Makes src/chainrule/data/digits.npz from scikit-learn's copy of the UCI digits. Run once; nothing needs it afterwards.

    python -m venv /tmp/v && /tmp/v/bin/pip install scikit-learn && /tmp/v/bin/python tools/make_digits.py
"""
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
target = Path(__file__).parent.parent / "src/chainrule/data/digits.npz"
np.savez_compressed(target, images=digits.images.astype(np.uint8), labels=digits.target.astype(np.uint8))
print(f"{target}: {len(digits.target)} digits, {target.stat().st_size:,} bytes")
