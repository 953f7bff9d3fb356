"""Stage ``mark-second``: watermark a dataset with a public test key of the second generation.

Writes what stage ``mark`` writes.
"""

import argparse

from datadeed.datasets.form.parquet import DatasetFile
from datadeed.watermarks.keyed2 import Keyed2
from papers.proof.keys2 import public_test_key2
from tasks.common import DATA, parameters, stage
from tasks.mark import release
from tasks.records import Records


def mark(dataset: str, watermark: str) -> None:
    """Watermark ``data/datasets/DATASET/train.parquet``.

    Raises:
        ParameterError: ``papers/proof/params.yaml`` has no such entry of ``keys2``.
        KeyRecordError: the entry makes no sense.
    """
    source = DatasetFile(DATA / "datasets" / dataset / "train.parquet")
    key = public_test_key2(Records("proof"), dataset, watermark)
    values = {"key": key, "data": source}
    method = Keyed2.for_data(source.form, source.classes, parameters("seed"), **values)
    release(method, source, dataset, watermark, DATA / "watermarked" / f"{dataset}-{watermark}")


@stage
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("dataset", "watermark"):
        parser.add_argument(name)
    values = parser.parse_args()
    mark(values.dataset, values.watermark)


if __name__ == "__main__":
    main()
