"""Where to compute."""

import torch

from datadeed.errors import ModelError


def choose_device(name: str = "auto") -> torch.device:
    """The device called ``name``; "auto" is CUDA where there is one, otherwise the CPU.

    Raises:
        ModelError: the device is unknown or not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError(f"unknown device {name!r}: use auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise ModelError(f"unsupported device {name!r}: use auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ModelError(
            f"device {name} was asked for, but {torch.cuda.device_count()} CUDA devices are here: "
            "use auto or cpu"
        )
    return device
