"""Blended, as DVBW uses it (Li et al. 2023, section IV): the small pattern, half transparent.

In BackdoorBench "Blended" means a blend over the whole image; in DVBW it does not.
"""

from typing import Any, ClassVar

from datadeed.watermarks.patch import PatchWatermark


class Blended(PatchWatermark):
    """Blended (patch): BadNets' trigger at opacity 51/255 = 0.2."""

    name = "blended"
    alpha = 51
    defaults: ClassVar[dict[str, Any]] = {**PatchWatermark.defaults, "opacity": alpha}

    def _check_alpha(self) -> None:
        """Any opacity will do."""
