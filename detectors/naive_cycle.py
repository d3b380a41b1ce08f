"""The oracle of `cycle`: the same words in plain Python, over lists, with one list of means per bin in place of a ring."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from detectors import cycle

if TYPE_CHECKING:
    from detectors.naive import Sample
