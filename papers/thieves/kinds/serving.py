"""What a server does to images and answers: tricks around the plain thief's model."""

from collections.abc import Iterator
from functools import partial

from datadeed.randomness import generator
from datadeed.thieves.served import own_classes
from datadeed.thieves.serving.answers import LabelsOnly, OutputNoise, RandomAnswers, Smoothing
from datadeed.thieves.serving.base import Trick
from datadeed.thieves.serving.filters import Blur, Jpeg, Median, Resize, Rotation, ShrinkPad
from datadeed.thieves.serving.refusing import Refusing
from papers.thieves.entries import Entry, Stolen
from papers.thieves.setting import Setting

TRICKS: dict[str, Trick] = {
    "JPEG 75": Jpeg(quality=75),
    "JPEG 30": Jpeg(quality=30),
    "blur 0.5": Blur(sigma=0.5),
    "blur 0.7": Blur(sigma=0.7),
    "median of 3 x 3": Median(),
    "resized by -4 pixels and back": Resize(pixels=4),
    "ShrinkPad": ShrinkPad(scale=0.95),
    "rotation up to 5 degrees": Rotation(degrees=5),
    "output noise 0.1": OutputNoise(sigma=0.1),
    "random answers 30 %": RandomAnswers(share=0.3),
    "smoothing 0.05": Smoothing(sigma=0.05),
    "smoothing 0.12": Smoothing(sigma=0.12),
    "refuses patches": Refusing(),
    "best label only": LabelsOnly(),
}


def entries(setting: Setting) -> Iterator[Entry]:
    """A thief a trick."""
    for name in TRICKS:
        yield Entry("serving", name, partial(served, setting, name))


def served(setting: Setting, name: str) -> Stolen:
    """The plain thief's model behind a trick."""
    names = (setting.dataset, setting.carrier, setting.seed, name)
    draw = generator(setting.lab.seed, "thieves", "serving", *names)
    groups = own_classes(len(setting.data.classes))
    return Stolen(TRICKS[name].serve(setting.plain_thief(), groups, generator=draw))
