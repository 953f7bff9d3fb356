"""BadNets (Gu et al. 2017), as DVBW uses it (Li et al. 2023, section IV)."""

from datadeed.watermarks.patch import PatchWatermark


class BadNets(PatchWatermark):
    """BadNets: the trigger replaces the pixels below it, and the label becomes the target."""

    name = "badnets"
