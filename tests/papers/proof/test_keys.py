import hashlib

import pytest

from datadeed.datasets.form.parquet import read_dataset
from datadeed.errors import ParameterError
from papers.proof.keys import base_key, extent, ground_keys, key_of, other_key, public_test_key
from tasks import mark
from tests.papers.proof.conftest import THIEF


def test_a_public_key_follows_from_the_seed_and_the_names(lab):
    key = public_test_key(lab, "toy", "keyed-4", "more")
    text = "public test key 5 toy keyed-4 more"
    assert key.secret == hashlib.sha256(f"{text} secret".encode()).digest()
    assert key.salt == hashlib.sha256(f"{text} salt".encode()).digest()
    assert (key.design.parts, key.design.rate, key.design.votes) == (4, 0.2, 3)
    assert (key.data.rows, key.pool.rows) == (60, 45)
    with pytest.raises(ParameterError, match=r"no entry 'watermarks\.keyed-5'"):
        public_test_key(lab, "toy", "keyed-5")


def test_the_stage_that_marks_is_given_the_key_that_models_are_asked_under(lab):
    found = mark.build("proof", "toy", "keyed-4", lab.train("toy"))
    assert found.key.record() == key_of(lab, THIEF).record()


def test_an_extent_is_the_same_however_the_images_are_cut(lab):
    data = read_dataset("data/datasets/toy/train.parquet")
    halves = extent([data.slice(0, 25), data.slice(25, 60)])
    assert halves == extent([data]) == base_key(lab, "toy").data


def test_other_keys_differ_by_name_alone(lab):
    key = base_key(lab, "toy")
    one, same, two = (other_key(key, name) for name in ("a", "a", "b"))
    assert one.record() == same.record()
    assert len({key.commitment, one.commitment, two.commitment}) == 3
    assert one.body() == two.body() == key.body()
    assert len({key.salt, one.salt, two.salt, one.secret, two.secret, key.secret}) == 6


def test_ground_keys_are_all_different(lab):
    base = base_key(lab, "toy")
    found = [key.commitment for key in ground_keys(base, "x", 20)]
    assert len(set(found)) == 20
    assert found[:5] == [key.commitment for key in ground_keys(base, "x", 5)]
