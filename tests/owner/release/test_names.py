import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from datadeed.owner.release.names import new_names, tell_words


def rename(names, labels, moved, seed=0, *, whole=True):
    return new_names(names, np.array(labels), moved, np.random.default_rng(seed), whole=whole)


def after(names, labels, moved, found):
    """Names by class, after a renaming."""
    result = {}
    for row, name in enumerate(names):
        result.setdefault(moved.get(row, labels[row]), []).append(found.get(row, name))
    return {label: sorted(some) for label, some in result.items()}


def test_a_class_that_grows_takes_a_free_number_of_its_own():
    names = [f"cat_{n}.png" for n in range(5)] + [f"dog_{n}.png" for n in (3, 9, 40)]
    labels = [0] * 5 + [1] * 3
    found = rename(names, labels, {2: 1})
    new = after(names, labels, {2: 1}, found)
    assert new[0] == [f"cat_{n}.png" for n in range(4)]  # no gap
    (extra,) = set(new[1]) - set(names)
    assert extra in ("dog_4.png", "dog_10.png", "dog_41.png")


def test_classes_that_swap_rows_keep_their_names():
    names = [f"a/{n:04d}.png" for n in range(9)] + [f"b/{n:04d}.png" for n in range(9)]
    labels = [0] * 9 + [1] * 9
    for whole in (True, False):
        found = rename(names, labels, {4: 1, 15: 0}, whole=whole)
        assert after(names, labels, {4: 1, 15: 0}, found) == {0: names[:9], 1: names[9:]}


def test_dense_numbers_stay_dense_and_keep_their_width():
    names = [f"{n:03d}.png" for n in range(4)] * 2
    labels = [0] * 4 + [1] * 4
    found = rename(names, labels, {0: 1, 1: 1})
    new = after(names, labels, {0: 1, 1: 1}, found)
    assert new == {0: names[:2], 1: [f"{n:03d}.png" for n in range(6)]}


def test_a_row_that_comes_may_get_any_name_of_its_class():
    names = [f"cat_{n}.png" for n in range(4)] + [f"dog_{n}.png" for n in range(4)]
    labels = [0] * 4 + [1] * 4
    for whole in (True, False):
        counts = dict.fromkeys((f"dog_{n}.png" for n in range(5)), 0)
        for seed in range(1000):
            counts[rename(names, labels, {1: 1}, seed, whole=whole)[1]] += 1
        assert min(counts.values()) > 150  # of 200; a standard deviation is 13
    assert rename(names, labels, {1: 1}, 3) == rename(names, labels, {1: 1}, 3)


def test_few_names_change_if_all_need_not():
    names = [f"cat_{n}.png" for n in range(100)] + [f"dog_{n}.png" for n in range(100)]
    labels, moved = [0] * 100 + [1] * 100, {3: 1, 50: 1, 60: 1, 150: 0}
    assert len(rename(names, labels, moved, whole=False)) <= 2 * len(moved) + 4
    assert len(rename(names, labels, moved, whole=True)) > 150


def test_names_that_tell_nothing_stay():
    digests = ["9f86d081", "60303ae2", "fd61a03a", "a4e624d6", "4fc82b26", "6b51d431"]
    numbers = [f"{n:08d}.png" for n in range(6)]
    shared = [f"img_{n}.png" for n in range(6)]
    repeated = ["image.png"] * 6
    for names in (digests, numbers, shared, repeated, [""] * 6):
        assert rename(names, [0, 0, 0, 1, 1, 1], {1: 1, 4: 0}) == {}


def test_one_count_in_class_order_tells():
    names, labels = [f"{n:08d}.png" for n in range(4000)], [0] * 2000 + [1] * 2000
    found = rename(names, labels, {1: 1, 4: 1, 3000: 0})
    new = after(names, labels, {1: 1, 4: 1, 3000: 0}, found)
    assert sorted(new[0] + new[1]) == names  # a number once
    assert new[0] == names[:1999]
    assert new[1] == names[1999:]
    mixed = np.random.default_rng(0).permutation(labels).tolist()
    assert rename(names, mixed, {1: 1 - mixed[1]}) == {}


def test_several_words_a_class_as_in_cifar():
    words = [f"tabby_s_{n:06d}.png" for n in range(60)] + [f"tom_s_{n:06d}.png" for n in range(60)]
    names, labels = words + [f"pug_s_{n:06d}.png" for n in range(90)], [0] * 120 + [1] * 90
    found = rename(names, labels, {200: 0, 1: 1})
    assert after(names, labels, {200: 0, 1: 1}, found) == {0: sorted(words), 1: names[120:]}
    kept = [
        row for row in range(120) if row != 1 and found.get(row, names[row])[:3] == names[row][:3]
    ]
    assert len(kept) >= 118  # but for the row whose name the newcomer took


def test_a_class_without_images_takes_names_as_they_come():
    assert rename(["a_1.png", "a_2.png"], [0, 0], {1: 5}) == {}
    found = rename(["a_1.png", "b/a_1.png", "a_1.jpg"], [0, 1, 2], {0: 5, 2: 5})
    assert found == {2: "a_2.jpg"}


def test_words_that_may_tell_a_class_are_noticed():
    labels = np.array([0, 0, 1, 1])
    assert tell_words(["my cat.png", "kitten.png", "rex.png", "old dog.png"], labels)
    assert not tell_words(["9f86d081.png", "60303ae2.png", "fd61a03a.png", "a4e624d6.png"], labels)
    assert not tell_words(["cat_1.png", "cat_2.png", "dog_1.png", "dog_7.png"], labels)


@given(data=st.data())
def test_names_stay_unique_in_their_class(data):
    n = data.draw(st.integers(1, 30))
    labels = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    scheme = data.draw(
        st.sampled_from(["{c}_{i}.png", "{i}.png", "x{r}.jpg", "{c}/{i:03d}", "{r}", "{c}-{i}a"])
    )
    counts = [0, 0, 0]
    names = []
    for row, label in enumerate(labels):
        names.append(scheme.format(c="abc"[label], i=counts[label], r=row))
        counts[label] += data.draw(st.integers(1, 3))
    rows = data.draw(st.sets(st.integers(0, n - 1)))
    moved = {row: (labels[row] + data.draw(st.integers(1, 2))) % 3 for row in sorted(rows)}
    found = rename(names, labels, moved, whole=data.draw(st.booleans()))
    concerned = {*moved.values()} | {labels[row] for row in moved}
    assert {moved.get(row, labels[row]) for row in found} <= concerned
    new = [found.get(row, name) for row, name in enumerate(names)]
    after = [moved.get(row, label) for row, label in enumerate(labels)]
    assert len(set(zip(new, after, strict=True))) == n
    if "{r}" in scheme:
        assert len(set(new)) == n
