"""Dual encoders: images are compared with vectors of texts, so that names make a classifier.

:func:`clip_like` trains a small image tower against frozen vectors of texts, as locked-image tuning
does with the towers exchanged (LiT, Zhai et al. 2022); it is not CLIP. :func:`read_clip` reads a
real one (Radford et al. 2021) from a folder. Either gives a :class:`Classifier` whose last layer
holds the names' vectors, so that everything that takes a model takes these.
"""

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from datadeed.errors import ModelError, reason
from datadeed.models.classifier import Classifier
from datadeed.models.encoder import text_extra
from datadeed.models.model import Model

TEMPERATURE = 0.07  # at the start, as CLIP's
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


class Unit(nn.Module):
    """Vectors of one length: the inverse of a temperature, learnt; at most 100, as CLIP's."""

    def __init__(self, log_scale: float = -math.log(TEMPERATURE)):
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(log_scale))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.normalize(x.float()) * self.log_scale.clamp(max=math.log(100)).exp()


def clip_like(tower: Classifier, names: torch.Tensor, generator: torch.Generator) -> Classifier:
    """A dual encoder with the image tower of a classifier, to be trained with :class:`Contrastive`.

    Args:
        tower: its body up to the features is used, and not copied.
        names: (K, D) float, a vector a class name; scaled to length 1. They are not trained.
        generator: draws the projection from features to vectors.

    Raises:
        ModelError: the tower's body is no sequence that ends with its output layer.
    """
    body = tower.network
    if not isinstance(body, nn.Sequential) or body[-1] is not tower.output_layer:
        raise ModelError(f"{tower.config['network']} has no tower to take: use a resnet18")
    project = nn.Linear(tower.output_layer.in_features, names.shape[1])
    bound = project.in_features**-0.5
    for parameter in (project.weight, project.bias):
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    network = nn.Sequential(*body[:-1], project, Unit(), _names(names))
    mean, std = (value.flatten().tolist() for value in (tower.mean, tower.std))
    return Classifier(network, mean, std, {**tower.config, "network": "clip-like"})


def with_names(model: Classifier, names: torch.Tensor) -> Classifier:
    """A copy of a dual encoder that knows other classes, (K, D), by their vectors: zero-shot."""
    renamed = copy.deepcopy(model)
    assert isinstance(renamed.network, nn.Sequential)
    renamed.network[-1] = _names(names).to(model.device)
    return renamed


def _names(vectors: torch.Tensor) -> nn.Linear:
    """A frozen layer whose weights are the names."""
    layer = nn.Linear(vectors.shape[1], vectors.shape[0], bias=False)
    layer.weight = nn.Parameter(F.normalize(vectors.float()), requires_grad=False)
    return layer


@dataclass(frozen=True, eq=False)
class Contrastive:
    """Each image with a caption of its class: cross-entropy from images to captions and back.

    Captions of one class are all right for its images, in equal shares.

    Args:
        captions: (T, K, D) float, the vectors of T templates with K class names, of length 1.
        generator: a CPU generator; draws the template of each image.
    """

    captions: torch.Tensor
    generator: torch.Generator

    def __call__(
        self, model: Model, x: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A :data:`datadeed.models.training.loop.Loss`; the logits are those of the names."""
        images = model.features(x)
        template = torch.randint(len(self.captions), y.shape, generator=self.generator)
        texts = self.captions[template, y.cpu()].to(x.device)
        with torch.autocast(x.device.type, enabled=False):
            fit = images.float() @ texts.T  # (B, B)
        same = (y[:, None] == y[None, :]).float()
        aims = same / same.sum(1, keepdim=True)
        loss = (F.cross_entropy(fit, aims) + F.cross_entropy(fit.T, aims)) / 2
        return loss, model.output_layer(images)


class _Vision(nn.Module):
    """The image tower of transformers' CLIP, up to the projected vector."""

    def __init__(self, clip: Any):
        super().__init__()
        self.vision, self.project = clip.vision_model, clip.visual_projection
        self.size = int(clip.config.vision_config.image_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-2:] != (self.size, self.size):
            x = F.interpolate(x, [self.size] * 2, mode="bicubic", antialias=True)
        vector: torch.Tensor = self.project(self.vision(pixel_values=x).pooler_output)
        return vector


def read_clip(folder: str | Path, texts: list[str], shape: tuple[int, ...]) -> Classifier:
    """A CLIP as published, as a classifier of these texts.

    Args:
        folder: config.json, tokenizer.json and model.safetensors, as openai/clip-vit-base-patch32
            has them; nothing in them can run code.
        texts: one a class.
        shape: (3, H, W) of the images, which are scaled to the tower's size.

    Raises:
        ModelError: the folder holds no CLIP, or the text extra is not installed.
    """
    transformers, tokenizers = text_extra("transformers"), text_extra("tokenizers")
    try:
        clip = transformers.CLIPModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
        reader = tokenizers.Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    except Exception as error:  # neither library has a base of its own for its errors
        raise ModelError(f"{folder} holds no CLIP ({reason(error)}): fetch it again") from error
    length = int(clip.config.text_config.max_position_embeddings)
    reader.enable_truncation(length)
    rows = [torch.tensor(found.ids) for found in reader.encode_batch(texts)]
    last = int(rows[0][-1])  # the end of a text, which also pads
    ids = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=last)
    with torch.no_grad():
        pooled = clip.text_model(input_ids=ids).pooler_output
        names = clip.text_projection(pooled)
    network = nn.Sequential(_Vision(clip), Unit(clip.logit_scale.item()), _names(names))
    config = {"network": "clip", "shape": list(shape), "classes": len(texts)}
    return Classifier(network, CLIP_MEAN, CLIP_STD, config).eval()
