"""Searches for marks in the release, and models of what the best of them leave.

Every cleaner rates all rows, and the most suspicious tenth is flagged. After the public cleaner
that flags most marks, a model is trained on the rest: no thief knows which one that is, so this
is the best that he can do with them. So it is after the detector that was trained on marks of the
thief's own keys, of the owner's carrier.
"""

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any

import numpy as np
import safetensors.torch
import torch

from datadeed.files import atomic_path, canonical_digest
from datadeed.randomness import derive_seed, generator
from datadeed.thieves.cleaning.base import Cleaner
from datadeed.thieves.cleaning.cross_fit import CrossFit, cross_fit
from datadeed.thieves.cleaning.learnt import Learnt, OwnMarks
from datadeed.thieves.cleaning.registry import CLEANERS, build_cleaner
from datadeed.thieves.outliers import Search, flagged, search
from papers.thieves import kept
from papers.thieves.entries import Entry, Stolen
from papers.thieves.setting import Setting

OWN, OTHERS = "learnt on the owner's carrier", "learnt on other carriers"
BEST = "best public cleaner"
DROPPED = "flagged rows dropped"


def entries(setting: Setting) -> Iterator[Entry]:
    """A search a cleaner, and two models of what is left."""
    for name in searches(setting):
        yield Entry("cleaning", name, partial(searched, setting, name))
    for name in (BEST, OWN):
        yield Entry("cleaning", f"{name}, {DROPPED}", partial(cleaned, setting, name))


def searches(setting: Setting) -> list[str]:
    """The names of all searches; with one carrier, there are no others to learn."""
    carriers = setting.lab.params("carriers")
    return [*_public(setting), OWN, *([OTHERS] if len(carriers) > 1 else [])]


def _public(setting: Setting) -> list[str]:
    """The cleaners that take such data."""
    kind = setting.data.modality
    return [name for name in CLEANERS if kind in build_cleaner(name).modalities]


def searched(setting: Setting, name: str) -> Stolen:
    """What a search finds."""
    found = result(setting, name)
    return Stolen(None, recall=found.recall, precision=found.precision)


def cleaned(setting: Setting, name: str) -> Stolen:
    """A model of what is left by a search of that name."""
    if name == BEST:
        name = max(_public(setting), key=lambda public: result(setting, public).recall)
    found, share = result(setting, name), setting.lab.params("cleaning", "share")
    left = torch.from_numpy(~flagged(scores(setting, name), share))
    model = setting.train(setting.released.take(left), setting.recipe, f"after {name}")
    return Stolen(setting.served(model), recall=found.recall, precision=found.precision)


def result(setting: Setting, name: str) -> Search:
    """The marks among the rows that a search flags."""
    marked = np.zeros(len(setting.released), dtype=bool)
    marked[setting.marks.numpy()] = True
    return search(scores(setting, name), marked, setting.lab.params("cleaning", "share"))


def scores(setting: Setting, name: str) -> np.ndarray:
    """How suspicious each row is, (N,) float64; computed once and kept."""
    file = f"{canonical_digest(identity(setting, name))[:24]}.safetensors"
    path = setting.corpus.folder / "searches" / file
    if not path.exists():
        draw = generator(_seed(setting, name))
        found = cleaner(setting, name)(setting.released, generator=draw, fit=_fit(setting, name))
        with atomic_path(path) as temporary:
            data = safetensors.torch.save({"scores": torch.from_numpy(found)})
            temporary.write_bytes(data)
    return safetensors.torch.load_file(path)["scores"].numpy()


def identity(setting: Setting, name: str) -> dict[str, Any]:
    """JSON values that decide a search's scores."""
    found = {
        "search": name,
        "release": setting.released.digest(),
        "seed": _seed(setting, name),
        "threads": torch.get_num_threads(),
    }
    if name in CLEANERS:
        return found | {"code": kept.code(kept.closure(CLEANERS[name].partition(":")[0]))}
    learnt = setting.lab.params("cleaning", "learnt")
    code = kept.code(kept.closure("datadeed.thieves.cleaning.learnt"))
    return found | {"carriers": learnable(setting, name), "learnt": learnt, "code": code}


def learnable(setting: Setting, name: str) -> list[dict[str, Any]]:
    """The carriers whose marks a detector of that name is trained on."""
    carriers: dict[str, Any] = setting.lab.params("carriers")
    return [c for n, c in carriers.items() if (n == setting.carrier) == (name == OWN)]


def cleaner(setting: Setting, name: str) -> Cleaner:
    """The one of that name."""
    if name in CLEANERS:
        return build_cleaner(name)
    marks = OwnMarks(
        carriers=learnable(setting, name),
        parts=setting.key.design.parts,
        seed=_seed(setting, "own keys"),
    )
    return Learnt(
        marks=marks, device=setting.lab.device, **setting.lab.params("cleaning", "learnt")
    )


def _fit(setting: Setting, name: str) -> CrossFit | None:
    return _shared_fit(setting) if name in CLEANERS and build_cleaner(name).fitted else None


@lru_cache(maxsize=1)
def _shared_fit(setting: Setting) -> CrossFit:
    return cross_fit(setting.released, generator=generator(_seed(setting, "cross-fit")))


def _seed(setting: Setting, name: str) -> int:
    names = (setting.dataset, setting.carrier, setting.seed, name)
    return derive_seed(setting.lab.seed, "thieves", "cleaning", *names)
