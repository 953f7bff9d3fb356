"""Crafting a clean-label watermark: the surrogate, a folder for the state, and a bar.

A crafting takes minutes to hours. What was done is kept in a folder (``--work``) together with the
seed, so that the same command goes on after a kill; the folder goes when the copy is written.
"""

import argparse
import contextlib
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadeed.cli.common import passphrase, progress, say
from datadeed.errors import WatermarkError

if TYPE_CHECKING:
    import torch

    from datadeed.datasets.form.dataset import Dataset
    from datadeed.models.model import Model
    from datadeed.models.training.config import TrainingConfig
    from datadeed.watermarks.clean_label_text import TextTools
    from datadeed.watermarks.crafted import Crafted, Surrogate

START = "start.json"
WIDTH, LAYERS = 16, 6  # of a surrogate that is trained here
LINE_EVERY = 60.0  # seconds between lines where there is no terminal for a bar


@dataclass(frozen=True)
class Work:
    """A crafting's folder and the seed that it was begun with."""

    folder: Path
    seed: int

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Work":
        """The folder that the options name, and its seed if an earlier run began it.

        Raises:
            SecretError: it lies where it could be published, or its seed cannot be read.
            WatermarkError: it holds something else, or was begun with another seed.
        """
        from datadeed.keys.sealing import check_place, read_secret

        folder = options.work or options.secret.with_name(f"{options.secret.name}.work")
        start = folder / START
        for forbidden in (options.source, options.out):
            check_place(start, forbidden)
        if start.exists():
            seed = int(read_secret(start, passphrase())["seed"])
            if options.seed not in (None, seed):
                raise WatermarkError(
                    f"{folder} was begun with another seed: delete it to start anew, or leave "
                    "--seed out"
                )
            return cls(folder, seed)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise WatermarkError(f"{folder} is not empty and no crafting's: name another --work")
        return cls(folder, new_seed() if options.seed is None else options.seed)

    def begin(self) -> None:
        """Make the folder and keep the seed in it."""
        from datadeed.keys.sealing import write_secret

        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # the perturbation says which rows are marked
        write_secret(self.folder / START, {"seed": self.seed}, passphrase())

    def remove(self) -> None:
        """Delete what the crafting kept."""
        shutil.rmtree(self.folder)


def new_seed() -> int:
    """63 bits from the operating system."""
    return secrets.randbits(63)


# By modality: the network that is trained, its values, and how (with --surrogate-epochs).
NETWORKS: dict[str, tuple[str, dict[str, int], dict[str, Any]]] = {
    "image": ("resnet18", {"width": WIDTH}, {"lr": 0.1, "flip": True}),
    "audio": ("raw-audio-cnn", {"width": WIDTH}, {"lr": 0.02, "batch_size": 16, "flip": False}),
    "text": (
        "minilm",
        {"layers": LAYERS},
        {"lr": 2e-4, "batch_size": 32, "flip": False, "optimiser": "adamw", "bucketed": True},
    ),
}


def surrogate(options: argparse.Namespace, data: "Dataset", root: str, work: Work) -> "Surrogate":
    """The model that was named, or one trained on the benign data.

    Args:
        options: the command's.
        data: the whole benign dataset.
        root: its Merkle root, which names the training.
        work: where a training is kept.

    Raises:
        WatermarkError: options contradict each other.
        ModelError: the named model cannot be read.
        ParameterError: a number makes no sense.
    """
    from datadeed.models.devices import choose_device
    from datadeed.models.registry import model_class
    from datadeed.models.stored import load_model
    from datadeed.models.training.config import TrainingConfig
    from datadeed.watermarks.crafted import Surrogate

    _, values, settings = NETWORKS[data.modality]
    training = TrainingConfig(epochs=options.surrogate_epochs, schedule="one-cycle", **settings)
    device = choose_device(os.environ.get("DATADEED_DEVICE", "auto"))
    ((name, default),) = values.items()
    given = getattr(options, f"surrogate_{name}")
    if options.surrogate is not None:
        if given is not None:
            raise WatermarkError(
                f"--surrogate-{name} is of a model to train: leave one of both out"
            )
        kind = model_class(data.modality)
        return Surrogate(load_model(options.surrogate, device, kind), training)
    size = default if given is None else given
    if size < 1:
        raise WatermarkError(f"a surrogate of {name} {size}: give 1 or more")
    model = _trained({name: size}, data, training, root=root, work=work, device=device)
    return Surrogate(model, training)


def text_tools() -> "TextTools":
    """What perturbs texts; WordNet is fetched into the user's cache if it is nowhere else.

    Raises:
        ModelError: the extra ``text`` is not installed.
        FetchError: WordNet cannot be had.
    """
    from datadeed.models.devices import choose_device
    from datadeed.watermarks.clean_label_text import TextTools

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "datadeed"
    return TextTools.load(cache, choose_device(os.environ.get("DATADEED_DEVICE", "auto")))


def _trained(
    values: dict[str, int],
    data: "Dataset",
    training: "TrainingConfig",
    *,
    root: str,
    work: Work,
    device: "torch.device",
) -> "Model":
    """A training that was killed goes on."""
    from datadeed.models.registry import model_class
    from datadeed.models.training.config import config_record
    from datadeed.models.training.loop import train
    from datadeed.randomness import generator

    model = model_class(data.modality).new(
        NETWORKS[data.modality][0],
        form=data.form,
        classes=len(data.classes),
        generator=generator(work.seed, "surrogate", "weights"),
        **values,
    )
    work.begin()
    with progress("train surrogate", training.epochs * len(data)) as advance:
        history = train(
            model,
            data,
            training,
            generator=generator(work.seed, "surrogate", "order"),
            device=device,
            checkpoint=work.folder / "surrogate",
            fingerprint=_fingerprint(root, model.config, config_record(training)),
            on_progress=lambda done, note, resumed: advance(done),
        )
    say(f"surrogate: accuracy {history[-1]['train_accuracy']:.1%} on the data it was trained on")
    return model


def craft(
    watermark: "Crafted",
    data: "Dataset",
    root: str,
    used: "Surrogate | None",
    work: Work,
    **more: Any,
) -> None:
    """Compute the marked samples of a watermark.

    Args:
        watermark: the method.
        data: the whole benign dataset.
        root: its Merkle root, which names the crafting.
        used: the surrogate; None for a method that does without.
        work: where the state is kept.
        more: what only this method takes.

    Raises:
        WatermarkError: the surrogate or the data do not suit the method.
        CheckpointError: the state is damaged, or of another crafting.
    """
    from datadeed.models.training.config import config_record
    from datadeed.randomness import generator

    work.begin()
    against = () if used is None else (config_record(used.training), _digest(used.model))
    try:
        with _bar(f"craft {watermark.name}") as told:
            watermark.craft(
                data,
                used,
                generator(work.seed, "craft"),
                checkpoint=work.folder / "crafting",
                fingerprint=_fingerprint(root, watermark.record(), *against),
                on_progress=told,
                **more,
            )
    except WatermarkError:
        if [path.name for path in work.folder.iterdir()] == [START]:  # nothing was done yet
            work.remove()
        raise


def _fingerprint(*identity: object) -> str:
    """Names a computation; the number of threads decides the order of sums."""
    import torch

    from datadeed.files import canonical_digest

    return canonical_digest([*identity, torch.get_num_threads()])


def _digest(model: "Model") -> str:
    """SHA-256, in hexadecimal, of a model's weights by name."""
    sha = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        sha.update(name.encode())
        sha.update(value.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


@contextlib.contextmanager
def _bar(text: str) -> Iterator[Callable[[int, int, str, bool], None]]:
    """A bar with the time left, or a line a minute where there is no terminal."""
    from tqdm import tqdm

    with tqdm(desc=text, unit=" steps", disable=None, leave=False) as bar:
        start = said = time.monotonic()
        first = 0

        def told(done: int, total: int, note: str, resumed: bool) -> None:
            nonlocal said, first
            bar.total = total
            if resumed:
                bar.initial = bar.n = first = done
            bar.set_postfix_str(note, refresh=False)
            bar.update(done - bar.n)
            now = time.monotonic()
            if bar.disable and now - said > LINE_EVERY:
                said = now
                left = (total - done) * (now - start) / max(done - first, 1)
                ahead = f", about {left:.0f} s left" if done > first else ""
                say(f"{text}: {done} of {total}, {note}{ahead}")

        yield told
