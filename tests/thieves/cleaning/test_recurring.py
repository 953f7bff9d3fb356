"""Runs of words and stretches of sound that recur."""

import numpy as np
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.texts import Texts
from datadeed.randomness import generator
from datadeed.thieves.cleaning.ngrams import NGrams
from datadeed.thieves.cleaning.snippets import Snippets


def test_words_that_come_with_one_label_come_first() -> None:
    draw = np.random.default_rng(0)
    words = [f"w{n}" for n in range(30)]
    texts = [" ".join(draw.choice(words, 8)) for _ in range(400)]
    labels = torch.arange(400) % 2
    for row in range(0, 60, 2):
        texts[row] += " Quite Unheard of"
    scores = NGrams()(Texts(texts, labels, torch.arange(400), ("a", "b")), generator=generator(1))
    assert set(np.argsort(-scores)[:30].tolist()) == set(range(0, 60, 2))
    assert scores[0] == 30 * np.log(2)  # thirty times a label of half the texts


def test_few_texts_and_empty_ones_score_nothing() -> None:
    data = Texts(["", "a b", "a b", ""], torch.tensor([0, 0, 0, 1]), torch.arange(4), ("x", "y"))
    assert NGrams()(data, generator=generator(1)).tolist() == [0] * 4


def test_a_loud_stretch_that_recurs_is_found_and_silence_is_not() -> None:
    waves = torch.randint(-9000, 9000, (60, 400), generator=generator(1)).to(torch.int16)
    waves[:, 300:] = 5
    waves[10:20, 96:128] = torch.arange(32, dtype=torch.int16) * 900
    waves[30:40, 200:240] = 12000
    data = Clips(waves, torch.arange(60) % 2, torch.arange(60), ("x", "y"), 8000)
    found = Snippets()(data, generator=generator(1)) > Snippets.threshold
    assert np.flatnonzero(found).tolist() == [*range(10, 20), *range(30, 40)]
