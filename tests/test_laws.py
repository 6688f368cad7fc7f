"""Every operation, every law: one table."""
import pytest

import laws
from chainrule.ops import ALL


@pytest.mark.parametrize("prim", ALL, ids=str)
@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_every_operation_keeps_every_law(law, prim):
    for sample in laws.samples(prim):
        law(prim, sample)


@pytest.mark.parametrize("prim", ALL, ids=str)
def test_every_operation_has_samples(prim):
    assert laws.samples(prim), f"{prim.name} has no sample, so no law looks at it"
