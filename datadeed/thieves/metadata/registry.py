"""The detectors by name. Naming one imports that one alone."""

import pkgutil

from datadeed.errors import ParameterError
from datadeed.thieves.metadata.base import MetadataDetector

DETECTORS = {
    "order": "datadeed.thieves.metadata.order:Order",
    "number-order": "datadeed.thieves.metadata.order:NumberOrder",
    "numbers": "datadeed.thieves.metadata.names:Numbers",
    "names": "datadeed.thieves.metadata.names:Names",
    "inodes": "datadeed.thieves.metadata.files:Inodes",
    "mtimes": "datadeed.thieves.metadata.files:ModificationTimes",
    "ctimes": "datadeed.thieves.metadata.files:ChangeTimes",
    "sizes": "datadeed.thieves.metadata.files:Sizes",
    "headers": "datadeed.thieves.metadata.headers:Headers",
    "double-jpeg": "datadeed.thieves.metadata.double_jpeg:DoubleJPEG",
}


def build_detector(name: str) -> MetadataDetector:
    """The detector of that name, a key of :data:`DETECTORS`.

    Raises:
        ParameterError: the name is unknown.
    """
    if name not in DETECTORS:
        raise ParameterError(f"unknown detector {name!r}: choose {', '.join(DETECTORS)}")
    kind: type[MetadataDetector] = pkgutil.resolve_name(DETECTORS[name])
    return kind()
