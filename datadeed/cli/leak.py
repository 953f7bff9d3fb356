"""See what models give away of their training data, before they are published.

MODEL is a folder of ours (model.safetensors, model.json) or a safetensors file with a network's
weights; nothing is unpickled. Each model is inverted alone, and all of them together. The same
command goes on where a run was stopped.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from datadeed.cli.common import note, progress, show

if TYPE_CHECKING:
    from datadeed.owner.leak import Leak


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("models", nargs="+", metavar="MODEL", help="a folder, or a safetensors file")
    add("--evaluator", required=True, help="a model that was trained on other images, to judge")
    add("--out", type=Path, required=True, help="the report's folder")
    add("--training", type=Path, help="images the models were trained on, to look for copies")
    add("--auxiliary", type=Path, help="images that look somewhat like them, to help the attack")
    add("--classes", nargs="+", help="names in label order, where the models do not say them")
    add(
        "--order",
        nargs="+",
        action="append",
        default=[],
        metavar=("MODEL", "NAME"),
        help="one model's names in its own label order, if they stand in another one there",
    )
    add("--network", help="of safetensors files: torchvision-resnet18, resnet18, ...")
    add("--shape", type=int, nargs=3, metavar=("C", "H", "W"), help="of that network's images")
    add("--width", type=int, default=64, help="of that network (%(default)s)")
    add("--mean", type=float, nargs="+", help="its input normalisation, a value a channel (0)")
    add("--std", type=float, nargs="+", help="its input normalisation, a value a channel (1)")
    add("--iterations", type=int, default=150, help="of the attack (%(default)s)")
    add("--per-class", type=int, default=20, help="pictures of each class (%(default)s)")
    add("--seed", type=int, default=0, help="of all draws (%(default)s)")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """The command."""
    from datadeed.errors import ParameterError
    from datadeed.owner.defend_files import Network
    from datadeed.owner.leak import ADVERSARIAL, leak
    from datadeed.owner.leak_files import Bare
    from datadeed.thieves.inversion.invert import EnsembleInversion

    bare = None
    if options.network is not None:
        if options.shape is None:
            raise ParameterError("--network needs --shape: give channels, height and width")
        network = Network(options.network, options.width, options.mean, options.std)
        bare = Bare(network, tuple(options.shape))
    weight = 0.0 if options.auxiliary is None else ADVERSARIAL
    done = leak(
        options.models,
        options.evaluator,
        out=options.out,
        bare=bare,
        classes=options.classes,
        orders={path: names for path, *names in options.order},
        training=options.training,
        auxiliary=options.auxiliary,
        how=EnsembleInversion(iterations=options.iterations, adversarial=weight),
        per_class=options.per_class,
        seed=options.seed,
        device=options.device,
        progress=progress,
    )
    for line in done.notes:
        note(line)
    show(options, done.record(), "\n".join(told(done)))
    return 0


def told(done: "Leak") -> Iterator[str]:
    """The figures as lines."""
    from datadeed.owner.leak_report import COLUMNS, figure

    for found in done.inverted:
        yield found.name
        for name, value in found.figures.items():
            yield f"  {COLUMNS[name]:48}{figure(name, value)}"
    if done.usual is not None:
        yield f"{'a training image to its nearest other':50}{done.usual:.3f}"
    yield str(done.page)
