"""The carriers by name. Naming one imports that one alone."""

import pkgutil

from datadeed.keys.generation2 import Key2
from datadeed.keys.key import Key
from datadeed.watermarks.carriers.base import Carrier

CARRIERS = {
    "patch": "datadeed.watermarks.carriers.patch:Patch",
    "mosaic": "datadeed.watermarks.carriers.mosaic:Mosaic",
    "chirps": "datadeed.watermarks.carriers.chirps:Chirps",
    "tones": "datadeed.watermarks.carriers.tones:Tones",
    "bands": "datadeed.watermarks.carriers.bands:Bands",
    "words": "datadeed.watermarks.carriers.words:Words",
    "clauses": "datadeed.watermarks.carriers.clauses:Clauses",
}


def carrier_of(key: Key) -> Carrier:
    """What a key's triggers are; those of the first generation are patches."""
    name = key.design.carrier["name"] if isinstance(key, Key2) else "patch"
    kind: type[Carrier] = pkgutil.resolve_name(CARRIERS[name])
    return kind(key)  # type: ignore[arg-type]  # a patch needs no more than the first has
