import torch
from hypothesis import example, given
from hypothesis import strategies as st

from datadeed.randomness import derive_seed, generator

NAMES = st.lists(st.text(st.characters(exclude_characters="\x1f"), max_size=5), max_size=3)


@given(seed=st.integers(0, 2**40), names=NAMES)
@example(seed=0, names=["\ud800"])
def test_a_seed_fits_63_bits_and_is_repeatable(seed, names):
    first = derive_seed(seed, *names)
    assert 0 <= first < 2**63
    assert derive_seed(seed, *names) == first


@given(one=st.tuples(st.integers(0, 9), NAMES), two=st.tuples(st.integers(0, 9), NAMES))
def test_other_names_give_another_seed(one, two):
    same = derive_seed(one[0], *one[1]) == derive_seed(two[0], *two[1])
    assert same == (one == two)


def test_a_known_seed_stays_what_it_was():
    # sha256("20230\x1fpoison")[:8] as a big-endian number, halved: published runs depend on it.
    assert derive_seed(20230, "poison") == 0x6628055C14159818


def test_generators_are_their_own():
    before = torch.get_rng_state()
    one, two = generator(1, "a"), generator(1, "a")
    drawn = torch.rand(5, generator=one)
    torch.rand(1)
    assert torch.equal(drawn, torch.rand(5, generator=two))
    assert not torch.equal(drawn, torch.rand(5, generator=generator(1, "b")))
    torch.set_rng_state(before)
