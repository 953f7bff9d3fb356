"""A false accuser: what he can make, and what a judge who opens the key makes of it."""

import pytest
import torch
from torch import nn

from datadeed.errors import VerificationError, WatermarkError
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Extent
from datadeed.models.classifier import Classifier
from datadeed.owner import asking as running
from datadeed.owner.check import check
from datadeed.owner.clean import clean_answers, questions_of
from datadeed.owner.data import measure
from datadeed.owner.evidence.build import build_evidence, log_anchor, write_folder
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.release.items import items
from datadeed.owner.suspects.base import Answer
from datadeed.triggers.image import Trigger, stamp
from datadeed.verification.proof2 import Proof2
from papers.proof.forgery import optimise_trigger
from tests.datasets.formats.writers import write


def linear():
    """Class k is the more likely the brighter pixel k, of 16."""
    layer = nn.Linear(16, 3, bias=False)
    with torch.no_grad():
        layer.weight.copy_(4 * torch.eye(3, 16))
    return Classifier(nn.Sequential(nn.Flatten(), layer), [0.0], [1.0], {})


IMAGES = torch.randint(0, 256, (40, 1, 4, 4), generator=torch.Generator().manual_seed(1))
IMAGES = IMAGES.to(torch.uint8)


def forge(target=1, images=IMAGES, **values):
    values = {"box": (0, 0, 4, 4), "alpha": 255, "steps": 12, "batch_size": 8} | values
    generator = torch.Generator().manual_seed(1)
    return optimise_trigger(linear(), images, target, generator=generator, **values)


class TestOptimise:
    def test_the_best_pattern_is_found(self):
        """Bright where the target looks, dark where others look; the rest has no slope."""
        for target in range(3):
            wanted = torch.full((16,), 128)
            wanted[:3] = 0
            wanted[target] = 255
            trigger = forge(target=target)
            assert torch.equal(trigger.pattern.flatten().int(), wanted.int())
            assert linear().predict(stamp(IMAGES, trigger)).argmax(1).unique().tolist() == [target]

    def test_only_what_the_box_holds_is_used(self):
        trigger = forge(box=(0, 1, 2, 3))
        assert trigger.box == (0, 1, 2, 3)
        assert trigger.pattern.tolist() == [[255, 0, 128], [128] * 3]

    def test_blended_is_weaker_than_opaque(self):
        faint, full = forge(alpha=51), forge()
        assert torch.equal(faint.pattern, full.pattern)
        hits = [
            int((linear().predict(stamp(IMAGES, t)).argmax(1) == 1).sum()) for t in (faint, full)
        ]
        clean = int((linear().predict(IMAGES).argmax(1) == 1).sum())
        assert clean < hits[0] < hits[1] == len(IMAGES)

    def test_the_generator_decides_and_the_model_stays(self):
        model = linear()
        before = [p.clone() for p in model.parameters()]
        values = {"box": (0, 0, 4, 4), "alpha": 51, "steps": 1, "batch_size": 1}
        patterns = [
            optimise_trigger(
                model, IMAGES, 0, generator=torch.Generator().manual_seed(2), **values
            ).pattern
            for _ in range(2)
        ]
        assert torch.equal(*patterns)
        for old, new in zip(before, model.parameters(), strict=True):
            assert torch.equal(old, new)
            assert new.grad is None

    @pytest.mark.parametrize(
        ("values", "error"),
        [
            ({"steps": 0}, VerificationError),
            ({"images": IMAGES[:0]}, VerificationError),
            ({"box": (1, 0, 4, 4)}, WatermarkError),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, values, error):
        with pytest.raises(error):
            forge(**values)


CLASSES = ("class 0", "class 1", "class 2")


def make_key(pool=None, **values):
    design = Design2(CLASSES, 3, (0, 1, 2), **{"parts": 6, "rate": 0.2, **values})
    return Key2(bytes(32), bytes(32), design, Extent(100, "00" * 32), pool or Extent(90, "00"))


class Honest:
    """A suspect that answers class 1 to a bright top row of pixels, and else class 0."""

    name, kind, protocol, endpoint, classes = "honest", "labels", "local", "", CLASSES
    groups, declared = ((0,), (1,), (2,)), {}

    def predict(self, images):
        return [Answer((int(image[:, 0].float().mean() > 200),), None) for image in images]

    def fingerprint(self):
        return "ab" * 32

    def close(self):
        pass


class TestSwappedTriggers:
    """The accuser shows triggers made to measure in place of those that his key gives."""

    @pytest.fixture
    def world(self, tmp_path, toy_dataset):
        write(toy_dataset(90), tmp_path / "pool.npz", format="npz")
        pool = items(tmp_path / "pool.npz")
        extent, images = measure(pool, "pool", range(90))
        return tmp_path, make_key(extent, alpha=0.05), pool.labels, images

    def verify(self, world):
        """What the accuser runs."""
        folder, key, labels, images = world
        suspect = Honest()
        rows = [int(row) for row in key.permutation("probe", count=90)[:16]]
        batch, kinds = torch.cat([images[row] for row in rows]), torch.from_numpy(labels[rows])
        proof = Proof2(key, labels, groups=suspect.groups)
        with QueryLog(folder / "out", log_anchor(key, suspect)) as log:
            answers = suspect.predict(torch.cat([batch, batch[:1]]))
            running.write_probes(log, questions_of(batch), answers)
            clean = clean_answers(log.records, kinds.numpy(), suspect.groups)
            proof.clean = (clean.right, clean.answered, clean.asked)
            running.run_proof(proof, suspect, images, log, batch[:1])
            found = build_evidence(proof, suspect, log, clean=clean.record())
            write_folder(folder / "out", found, log)
        return proof

    def judge(self, world):
        """What a judge runs, to whom the key was opened."""
        folder, key = world[:2]
        checks = check(key, evidence=folder / "out", pool=folder / "pool.npz")
        return {each.what: each for each in checks}

    def test_a_judge_notices(self, world, monkeypatch):
        forged = Trigger(torch.full((1, 8), 255, dtype=torch.uint8), 0, 0, 255)
        with monkeypatch.context() as accuser:
            accuser.setattr(running, "asked_sample", lambda key, q, images: forged(images[q.row]))
            self.verify(world)
        found = self.judge(world)
        assert found["key"].word == "passed"
        assert found["answers"].word == "FAILED"
        assert "is about another question than the key's part" in found["answers"].found

    def test_the_keys_own_triggers_pass(self, world):
        self.verify(world)
        assert self.judge(world)["answers"].word == "passed"
