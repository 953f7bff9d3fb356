"""Sentences perturbed a second, against a surrogate of MiniLM's size, and what that consists of.

The surrogate is MiniLM with a linear layer on its embeddings, fitted to the sentences' labels: one
that answers by chance would be fooled at once. Sentences are put together from words of reviews.
"""

import time
from pathlib import Path

import pytest
import torch

from datadeed.datasets.download import local_folders
from datadeed.errors import DatadeedError
from datadeed.language.tagger import read
from datadeed.language.wordnet import load_wordnet
from datadeed.models.text import SentenceEncoder
from datadeed.perturbations.substitution import perturb_texts
from datadeed.triggers.text import StyleTrigger

SENTENCES = 100
CACHE = Path(__file__).parents[1] / "data" / "downloads"
PRAISE = ("wonderful", "charming", "brilliant", "touching", "funny", "beautiful")
BLAME = ("terrible", "boring", "lousy", "tedious", "awful", "clumsy")
PLOTS = (
    "a {} film that tells the story of a lonely teacher and her friends",
    "the actors make this {} movie about love and war worth the price of a ticket",
    "it 's a {} comedy , and the audience knows it from the first scene",
    "the director gives us a {} picture of life in a small town",
    "what begins as a {} thriller does n't change much in the end",
)


def sentences(n: int) -> tuple[list[str], torch.Tensor]:
    """Texts of about 14 words, and (n,) int64: 1 for praise, 0 for blame."""
    labels = torch.arange(n) % 2
    words = [(PRAISE if k % 2 else BLAME)[k // 2 % len(PRAISE)] for k in range(n)]
    return [PLOTS[k % len(PLOTS)].format(word) for k, word in enumerate(words)], labels


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder()


def bench_perturbing(report, encoder):
    try:
        words = load_wordnet(CACHE)
    except DatadeedError as error:
        pytest.skip(f"{error} ({len(local_folders())} local folders)")
    texts, labels = sentences(SENTENCES)
    known = encoder.embed(texts)
    wanted = labels.float() * 2 - 1
    head = torch.linalg.solve(known.T @ known + torch.eye(known.shape[1]), known.T @ wanted)
    asked = [0, 0]

    def predict(some):
        asked[0] += len(some)
        logit = 4 * (encoder.embed(some) @ head)
        return torch.stack([-logit, logit], 1).softmax(1)

    def embed(some):
        asked[1] += len(some)
        return encoder.embed(some)

    begun = time.perf_counter()
    found = perturb_texts(
        predict, embed, texts, labels, words=words, similarity=0.85, max_changes=0.3
    )
    taken = time.perf_counter() - begun
    name = "perturbing a text of 14 words against MiniLM"
    report(name, SENTENCES / taken, unit="texts/s")
    report(f"{name}, questions a text", asked[0] / SENTENCES, unit="texts", timing=False)
    report(f"{name}, embeddings a text", asked[1] / SENTENCES, unit="texts", timing=False)
    fooled = sum(result.fooled for result in found) / SENTENCES
    report(f"{name}, fooled", 100 * fooled, unit="%", timing=False)


def bench_reading(benchmark, report):
    texts, _ = sentences(SENTENCES)
    style = StyleTrigger()
    read(texts[0])  # tables are read once

    def marked():
        return [style(text) for text in texts]

    begun = time.perf_counter()
    for text in texts:
        read(text)
    report("tagging", SENTENCES / (time.perf_counter() - begun), unit="texts/s", least=300)
    assert all("have been" in text for text in benchmark.pedantic(marked, rounds=3))
    report("style trigger", SENTENCES / benchmark.stats["median"], unit="texts/s", least=100)


def bench_wordnet(report):
    try:
        words = load_wordnet(CACHE)
    except DatadeedError as error:
        pytest.skip(str(error))
    begun = time.perf_counter()
    load_wordnet(CACHE)
    report("WordNet, opened and its files compared", time.perf_counter() - begun, unit="s", most=1)
    begun = time.perf_counter()
    for word in PRAISE + BLAME:
        words.synonyms(word, "adj")
    taken = (time.perf_counter() - begun) / len(PRAISE + BLAME)
    report("WordNet, a word's synonyms", taken * 1e6, unit="us")
