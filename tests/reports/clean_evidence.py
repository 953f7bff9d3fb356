"""Made-up evidence of the clean-label paper, in which every claim but one holds."""

from typing import Any

TSR = {  # (trigger, percent): share of triggered samples
    ("word", 1): 0.95,
    ("word", 5): 1.0,
    ("style", 1): 0.92,
    ("style", 5): 0.97,
    ("impulse", 1): 0.6,
    ("impulse", 5): 0.99,
    ("patch", 10): 0.5,
}
DATASETS = {
    "text": ("movie-reviews", "minilm", "minilm-3"),
    "audio": ("audiomnist", "raw", None),
    "image": ("fashion", "resnet18", "vgg16bn"),
}
MODALITY = {"word": "text", "style": "text", "impulse": "audio", "patch": "image"}


def rate(value: float, n: int = 900) -> dict[str, Any]:
    return {"value": value, "n": n}


def evidence(
    trigger: str, percent: int, *, plain: bool = False, seed: int = 1, transfer: bool = False
) -> dict[str, Any]:
    """What ``tasks.detect`` writes of one model."""
    dataset, own, other = DATASETS[MODALITY[trigger]]
    tsr = TSR[trigger, percent] + 0.002 * (seed - 1)
    if plain:
        tsr = 0.1
    if transfer and MODALITY[trigger] == "image":
        tsr = 0.2
    honest = {"ba": rate(0.9, 1000), "tsr": rate(0.01), "tsr_as_published": rate(0.11, 1000)}
    victim = {"ba": rate(0.897, 1000), "tsr": rate(tsr), "tsr_as_published": rate(tsr, 1000)}
    tests = {"mcnemar": {"p_value": 1e-9, "n": 900}, "rise": {"p_value": 1e-6, "n": 900}}
    return {
        "dataset": dataset,
        "network": other if transfer else own,
        "watermark": f"{trigger}-{percent}{'-plain' if plain else ''}",
        "seed": seed,
        "transfer": transfer,
        "accuracy_drop": {"value": 0.3, "n": 1000, "standard_error": 0.4},
        "crafting": {"marks": 40} if plain else {"marks": 40, "fooled": 38},
        "models": {"victim": victim, "benign": honest},
        "verification": {
            "victim": {"wdr": {"value": 1.0, "pool": 900}, **tests},
            "benign": {"wdr": {"value": 0.0, "pool": 900}, **tests},
        },
    }


def records() -> list[dict[str, Any]]:
    """Every cell, two seeds of one of them."""
    made = [evidence(*case) for case in TSR]
    made.append(evidence("word", 5, seed=2))
    made += [evidence("word", 5, plain=True), evidence("patch", 10, plain=True)]
    return [*made, evidence("word", 5, transfer=True), evidence("patch", 10, transfer=True)]


def stealth() -> list[dict[str, Any]]:
    """What ``tasks.hide`` writes of a text and an image watermark."""
    text = {"confidence_share": 0.02, "confidence_p": 0.3, "grammar_rise": 0.1, "errors_rise": 0.2}
    image = {"confidence_share": 0.01, "confidence_p": 0.5, "autoencoder_share": 0.2}
    image["autoencoder_p"] = 0.001  # the claim that does not hold
    return [
        {
            **{"dataset": dataset, "network": network, "watermark": watermark, "seed": 1},
            "metrics": {name: rate(value, 100) for name, value in metrics.items()},
        }
        for dataset, network, watermark, metrics in (
            ("movie-reviews", "minilm", "style-5", text),
            ("fashion", "resnet18", "patch-10", image),
        )
    ]
