import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from datadeed.owner.release.names import new_names


def rename(names, labels, moved, seed=0):
    return new_names(names, np.array(labels), moved, np.random.default_rng(seed))


def test_a_name_that_tells_the_class_becomes_one_of_the_new_class():
    names = [f"cat_{n}.png" for n in range(5)] + [f"dog_{n}.png" for n in (3, 9, 40)]
    found = rename(names, [0] * 5 + [1] * 3, {2: 1})
    assert list(found) == [2]
    stem, _, suffix = found[2].name.partition(".")
    assert suffix == "png"
    assert stem.startswith("dog_")
    assert stem not in {"dog_3", "dog_9", "dog_40"}
    assert 3 <= int(stem[4:]) <= 41
    assert found[2].donor in (5, 6, 7)


def test_a_name_vacated_by_one_that_leaves_is_taken_first_with_its_times():
    names = [f"a/{n:04d}.png" for n in range(9)] + [f"b/{n:04d}.jpg" for n in range(9)]
    found = rename(names, [0] * 9 + [1] * 9, {4: 1, 15: 0})
    assert {row: (new.name, new.donor) for row, new in found.items()} == {
        4: ("b/0006.png", 15),
        15: ("a/0004.jpg", 4),
    }


def test_dense_numbers_go_on_above_the_last_and_keep_their_width():
    names = [f"{n:03d}.png" for n in range(4)] * 2
    found = rename(names, [0] * 4 + [1] * 4, {0: 1, 1: 1})
    assert sorted(new.name for new in found.values()) == ["004.png", "005.png"]


def test_free_names_depend_on_the_generator_alone():
    names = [f"cat_{n}.png" for n in range(5)] + [f"dog_{n}.png" for n in range(0, 10_000, 100)]
    labels = [0] * 5 + [1] * 100
    drawn = {rename(names, labels, {2: 1}, seed)[2].name for seed in range(8)}
    assert len(drawn) > 4
    assert rename(names, labels, {2: 1}, 3) == rename(names, labels, {2: 1}, 3)


def test_names_that_tell_nothing_stay():
    digests = ["9f86d081", "60303ae2", "fd61a03a", "a4e624d6", "4fc82b26", "6b51d431"]
    numbers = [f"{n:08d}.png" for n in range(6)]
    shared = [f"img_{n}.png" for n in range(6)]
    repeated = ["image.png"] * 6
    for names in (digests, numbers, shared, repeated, [""] * 6):
        assert rename(names, [0, 0, 0, 1, 1, 1], {1: 1, 4: 0}) == {}


def test_several_words_a_class_as_in_cifar():
    names = [f"tabby_s_{n:06d}.png" for n in range(6)] + [f"tomcat_s_{n:06d}.png" for n in range(6)]
    names += [f"pug_s_{n:06d}.png" for n in range(9)]
    found = rename(names, [0] * 12 + [1] * 9, {20: 0, 1: 1})
    assert found[20].name == "tabby_s_000001.png"
    assert found[1].name == "pug_s_000008.png"


def test_a_class_without_images_takes_names_as_they_come():
    assert rename(["a_1.png", "a_2.png"], [0, 0], {1: 5}) == {}
    found = rename(["a_1.png", "b/a_1.png", "a_1.jpg"], [0, 1, 2], {0: 5, 2: 5})
    assert [new.name for new in found.values()] == ["a_2.jpg"]


@given(data=st.data())
def test_names_stay_unique_in_their_class(data):
    n = data.draw(st.integers(1, 30))
    labels = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    scheme = data.draw(
        st.sampled_from(["{c}_{i}.png", "{i}.png", "x{r}.jpg", "{c}/{i:03d}", "{r}"])
    )
    counts = [0, 0, 0]
    names = []
    for row, label in enumerate(labels):
        names.append(scheme.format(c="abc"[label], i=counts[label], r=row))
        counts[label] += data.draw(st.integers(1, 3))
    rows = data.draw(st.sets(st.integers(0, n - 1)))
    moved = {row: (labels[row] + data.draw(st.integers(1, 2))) % 3 for row in sorted(rows)}
    found = rename(names, labels, moved)
    assert set(found) <= set(moved)
    new = [found[row].name if row in found else name for row, name in enumerate(names)]
    after = [moved.get(row, label) for row, label in enumerate(labels)]
    assert len(set(zip(new, after, strict=True))) == n
    for row, (_, donor) in found.items():
        assert donor == row or labels[donor] == moved[row]
