"""The library as a notebook sees it, by running the README's own example."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import datadeed
from tests.datasets.formats.writers import write

README = Path(__file__).parents[1] / "README.md"


def photos(n: int, seed: int) -> datadeed.Dataset:
    """Two classes of 16x16 colour images that differ in colour."""
    rng = np.random.default_rng(seed)
    labels = torch.from_numpy(rng.integers(0, 2, n))
    images = torch.from_numpy(rng.integers(40, 60, (n, 16, 16, 3)).astype(np.uint8))
    images[:, 4:12, 4:12, 0] += (100 * labels).to(torch.uint8).view(-1, 1, 1)
    return datadeed.Dataset(images.permute(0, 3, 1, 2), labels, torch.arange(n), ("day", "night"))


def test_every_public_name_loads() -> None:
    for name in datadeed.__all__:
        assert getattr(datadeed, name) is not None
    assert set(datadeed.__all__) == set(dir(datadeed))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = datadeed.nothing


def test_readme_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(example.strip().splitlines()) <= 24
    for split, n, seed in (("train", 800, 1), ("test", 400, 2)):
        write(photos(n, seed), tmp_path / "photos" / split, format="imagefolder")
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert capsys.readouterr().out.startswith("CLAIM")
