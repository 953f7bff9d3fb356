"""Look for a backdoor in a model, and repair a copy of it with a few trusted images.

MODEL is a folder of ours (model.safetensors, model.json) or a safetensors file with a network's
weights; nothing is unpickled. Exit codes: 0 repaired, 3 every state of the repair lost more
accuracy than the budget, so that nothing was written.
"""

import argparse
from pathlib import Path

from datadeed.cli.common import note, progress, show

NOT_REPAIRED = 3  # exit code


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("model", type=Path, metavar="MODEL", help="a folder, or a safetensors file")
    add("--trusted", type=Path, required=True, help="images whose labels are right, in any format")
    add("--split", help="of the trusted images, where there are several (test)")
    add("--out", type=Path, required=True, help="the repaired model, of the form that MODEL has")
    add("--network", help="of a safetensors file: torchvision-resnet18, resnet18, ...")
    add("--width", type=int, default=64, help="of that network (%(default)s)")
    add("--mean", type=float, nargs="+", help="its input normalisation, a value a channel (0)")
    add("--std", type=float, nargs="+", help="its input normalisation, a value a channel (1)")
    add(
        "--repair",
        default="unlearning",
        help="fine-tuning, ft-sam, pivotal-tuning, ... (unlearning)",
    )
    add(
        "--budget", type=float, default=0.02, help="accuracy that may be lost, 0 to 1 (%(default)s)"
    )
    add("--no-detect", action="store_true", help="only repair")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """The command."""
    from datadeed.owner.defend import ANOMALOUS, defend
    from datadeed.owner.defend_files import Network

    network = None
    if options.network is not None:
        network = Network(options.network, options.width, options.mean, options.std)
    done = defend(
        options.model,
        options.trusted,
        split=options.split,
        network=network,
        out=options.out,
        method=options.repair,
        budget=options.budget,
        detect=not options.no_detect,
        device=options.device,
        progress=progress,
    )
    for line in done.notes:
        note(line)
    found, lines = done.repaired, []
    for name, detection in done.detections.items():
        limit = f" (suspicious above {ANOMALOUS:g})" if name == "neural-cleanse" else ""
        where = done.classes[detection.label]
        lines.append(f"{name:22}{detection.score:.2f}, most for {where!r}{limit}")
    lines.append(f"{'accuracy before':22}{found.before:.1%} of {found.held_out} held-out images")
    if options.budget * found.held_out < 1:
        note(f"one of {found.held_out} held-out images is more than the budget: give more images")
    if found.step is None:
        lines.append(f"{'not repaired':22}every state lost more than {options.budget:.1%}")
    else:
        lines.append(f"{'accuracy after':22}{found.after:.1%}, {found.step} steps")
        lines.append(f"{'written':22}{done.out}")
    show(options, done.record(), "\n".join(lines))
    return 0 if found.step is not None else NOT_REPAIRED
