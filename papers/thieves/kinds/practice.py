"""Thieves who train as people train, in ways of their own; see the plain thief too."""

from collections.abc import Iterator
from functools import partial

from datadeed.thieves.practice.thieves import Thief, thieves
from papers.thieves.entries import Entry, Stolen
from papers.thieves.setting import Setting

# Those that every carrier meets; the scale names carriers that meet no others.
MAIN = {
    *("random resized crop", "CutMix", "TrivialAugment", "25 % of the release"),
    "own model, then fine-tuned",
}
# Whose accuracy is held against the honest model of crops and flips: to train one more for each
# would cost as much as the thief.
LIKE_PLAIN = {
    *("classes merged by twos", "half of the classes", "grey images", "JPEG 75"),
    *("own model, then fine-tuned", "1 times other data", "4 times other data, or all there are"),
    *("MixUp", "Cutout", "label smoothing", "50 % of the release"),
    *("enlarged by 8/7", "reduced to 5/8"),
}


def entries(setting: Setting) -> Iterator[Entry]:
    """All of them."""
    for thief in thieves(setting.data.shape[1]):
        if thief.view == "grey" and setting.data.shape[0] == 1:
            continue
        yield Entry(
            "practice", thief.name, partial(stolen, setting, thief), main=thief.name in MAIN
        )


def stolen(setting: Setting, thief: Thief) -> Stolen:
    """What he serves, and the accuracy of the same made of data without marks."""
    house, seed = setting.recipe, setting.seed
    endpoint = thief.train(setting.released, setting.other, house, seed, setting.train)
    if thief.name in LIKE_PLAIN:
        return Stolen(endpoint)
    honest = thief.train(setting.data, setting.other, house, seed, setting.train_honest)
    return Stolen(endpoint, honest=setting.accuracy(honest))
