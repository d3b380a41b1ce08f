"""One place says how a tier is put together: the engine and the estimator take the same rows and shares from it."""

from __future__ import annotations

import pytest

from detectors import assembly
from detectors.contract import Tier
from detectors.estimator import SeriesDetector
from detectors.registry import of_tier
from engine.config.tree import Detect
from engine.detect.bank import Bank

TIERS = {"light": Tier.LIGHT, "standard": Tier.STANDARD, "full": Tier.FULL}


@pytest.mark.parametrize("tier", list(TIERS))
def test_engine_and_estimator_keep_and_weigh_the_same(tier):
    bank, model = Bank(Detect(tier=tier)), SeriesDetector(TIERS[tier])
    assert bank._dtype == model._dtype == assembly.row_type(of_tier(TIERS[tier]))
    for field in ("weight", "voice", "alone"):
        assert bank._table[field].tolist() == model._table[field].tolist()
    words = [[bank.KINDS[k] for k in row] for row in bank._table["lasting"].tolist()]
    assert words == [[model._kinds[k] for k in row] for row in model._table["lasting"].tolist()]
    assert words == [list(d.lasting) for d in of_tier(TIERS[tier])]


def bare_bytes(dtype):
    """The bytes of all fields, however nested."""
    if dtype.names is None:
        return (
            dtype.itemsize
            if dtype.subdtype is None
            else dtype.itemsize // dtype.subdtype[0].itemsize * bare_bytes(dtype.subdtype[0])
        )
    return sum(bare_bytes(dtype[name]) for name in dtype.names)


@pytest.mark.parametrize("tier", list(TIERS))
def test_a_row_has_no_bytes_that_belong_to_no_field(tier):
    """What nobody writes differs between two rows that are the same."""
    row = assembly.row_type(of_tier(TIERS[tier]))
    parts = {name: (bare_bytes(row[name]), row[name].itemsize) for name in row.names}
    assert all(bare == whole for bare, whole in parts.values()), parts
    assert bare_bytes(row) == row.itemsize


def test_a_kind_without_a_word_is_refused():
    chosen = of_tier(Tier.LIGHT)
    with pytest.raises(ValueError, match="no word: gap"):
        assembly.table(chosen, [word for word in assembly.words_of(chosen) if word != "gap"])
