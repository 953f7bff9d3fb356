import numpy as np
import pytest
from PIL import Image

from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from datadeed.owner.release import jpeg
from datadeed.owner.release.edits import Manner
from datadeed.owner.release.items import items
from tests.owner.release.release_toys import age, invert, run, snapshot


def fill(path, per_class=6, suffix="png", size=(8, 8), **options):
    """Class folders with names that tell the class, as ImageNet's."""
    draw = np.random.default_rng(3)
    for name in ("n01", "n02", "n03"):
        for number in range(per_class):
            pixels = draw.integers(0, 256, (*size, 3), np.uint8)
            file = path / "train" / name / "images" / f"{name}_{number}.{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file, **options)
    age(path)
    return path


def opened(file):
    """An image file's pixels and mode."""
    with Image.open(file) as image:
        return np.array(image), image.mode


def next_class(row, pixels, label):
    return pixels, (label + 1) % 3


def test_names_of_the_classes_concerned_are_dealt_out_anew(tmp_path):
    path = fill(tmp_path / "set")
    # Rows 2 and 7: one leaves n01 for n02, and one leaves n02 for n03.
    result = run(path, tmp_path / "out", rows=(2, 7), edit=invert)
    assert result.relabelled == 2
    new, old = snapshot(tmp_path / "out"), snapshot(path)
    assert set(old) - set(new) == {"train/n01/images/n01_5.png"}  # no gap in the smaller class
    assert set(new) - set(old) == {"train/n03/images/n03_6.png"}
    pictures = {label: set() for label in range(3)}
    for item in items(path, split="train"):
        label = (item.label + 1) % 3 if item.row in (2, 7) else item.label
        pictures[label].add((255 - item.pixels if item.row in (2, 7) else item.pixels).tobytes())
    found = {label: set() for label in range(3)}
    for item in items(tmp_path / "out", split="train"):
        found[item.label].add(item.pixels.tobytes())
    assert found == pictures
    assert 2 <= result.renamed <= 18


def test_a_list_that_names_images_leaves_most_names(tmp_path):
    path = fill(tmp_path / "set", per_class=40)
    (path / "boxes.csv").write_text("n03_7.png,0,0,5,5\n")
    result = run(path, tmp_path / "out", rows=(2, 50), edit=next_class)
    assert 2 <= result.renamed <= 8
    new, old = snapshot(tmp_path / "out"), snapshot(path)
    assert len([name for name in old if new.get(name) == old[name]]) >= 120 - 8


def test_a_new_label_alone_moves_the_file_as_it_is(tmp_path):
    path = fill(tmp_path / "set", suffix="JPEG")
    result = run(path, tmp_path / "out", rows=(2, 7), edit=next_class)
    assert (result.edited, result.recoded, result.max_difference) == (2, 0, 0)
    assert sorted(snapshot(tmp_path / "out").values()) == sorted(snapshot(path).values())


def test_images_of_many_sizes(tmp_path):
    path = fill(tmp_path / "set")
    for number, size in enumerate([(3, 9), (20, 2), (5, 5)]):
        image = Image.new("RGB" if number else "L", size, number)
        image.save(path / "train" / "n02" / "images" / f"n02_{number}.png")
    found = items(path, split="train")
    assert {item.pixels.shape for item in found} == {(8, 8, 3), (9, 3, 3), (2, 20, 3), (5, 5, 3)}
    run(path, tmp_path / "out", rows=(0, 6, 7), edit=lambda _, p, y: (255 - p, y))
    pairs = zip(found, items(tmp_path / "out", split="train"), strict=True)
    for old, new in pairs:
        changed = old.row in (0, 6, 7)
        assert np.array_equal(new.pixels, 255 - old.pixels if changed else old.pixels)


def test_pngs_of_another_encoder_are_all_written_again(tmp_path):
    path = fill(tmp_path / "set", compress_level=1)
    ready = []
    result = run(path, tmp_path / "out", rows=(2, 7), edit=invert, on_rows=ready.append)
    assert (result.edited, result.recoded) == (2, 16)
    assert ready == list(range(1, 19))
    new, old = snapshot(tmp_path / "out"), snapshot(path)
    assert not set(new.values()) & set(old.values())
    before, after = (
        sorted(item.pixels.tobytes() for item in items(at, split="train"))
        for at in (path, tmp_path / "out")
    )
    assert len(set(before) - set(after)) == 2


@pytest.mark.parametrize("colours", [200, 256])
def test_one_mark_that_a_palette_lacks_converts_all_palettes(tmp_path, colours):
    path = tmp_path / "set"
    for name in ("a", "b"):
        (path / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), np.uint8)
            image = Image.fromarray(pixels).quantize(colours)
            image.save(path / name / f"{name}{number}.png")
    result = run(path, tmp_path / "out", split=None, rows=(5,), edit=lambda _, p, y: (255 - p, y))
    assert result.recoded == 7
    modes = {opened(file)[1] for file in (tmp_path / "out").rglob("*.png")}
    assert modes == {"RGB"}
    old, new = formats.read(path).samples, formats.read(tmp_path / "out").samples
    keep = [row for row in range(8) if row != 5]
    assert (new[keep] == old[keep]).all()
    assert (new[5] == 255 - old[5]).all()


def test_one_edited_jpeg_brings_all_to_rest(tmp_path):
    path = fill(tmp_path / "set", suffix="jpg", size=(16, 16), quality=85)
    result = run(path, tmp_path / "out", rows=(1, 9), edit=lambda _, p, y: (p // 2, y))
    assert result.recoded == 16
    for file in (tmp_path / "out").rglob("*.jpg"):
        data = file.read_bytes()
        assert jpeg.settled(data) == data


def test_jpegs_may_keep_the_bytes_of_unmarked_files_and_the_damage_is_told(tmp_path):
    path = fill(tmp_path / "set", suffix="jpg", size=(16, 16), quality=85)

    def spot(row, pixels, label):
        pixels[:4, :4] = 255
        return pixels, label

    stay = {"manner": Manner(jpegs=False)}
    result = run(path, tmp_path / "out", rows=(1, 9), edit=spot, **stay)
    new, old = snapshot(tmp_path / "out"), snapshot(path)
    assert new.keys() == old.keys()
    assert len([name for name in old if old[name] != new[name]]) == 2
    assert (result.odd_rows, result.recoded) == ((), 0)
    wanted = [item.pixels.copy() for item in items(path, split="train")]
    errors, marks = [], []
    for item in items(tmp_path / "out", split="train"):
        if item.row in (1, 9):
            before = wanted[item.row].copy()
            wanted[item.row][:4, :4] = 255
            error = np.abs(wanted[item.row].astype(int) - item.pixels)
            errors.append(error)
            marks.append(error[before != wanted[item.row]])
    assert result.max_difference == np.max(errors) > 0
    assert result.mean_difference == pytest.approx(np.mean(errors))
    assert result.mark_difference == pytest.approx(np.concatenate(marks).mean())


def test_lists_that_name_a_moved_image_are_reported(tmp_path):
    path = fill(tmp_path / "set")
    (path / "train" / "n01" / "boxes.txt").write_text(
        "n01_2.png\t0\t0\t5\t5\nn01_3.png\t1\t1\t2\t2\n"
    )
    (path / "metadata.csv").write_text("file_name,label\ntrain/n03/images/n03_1.png,2\n")
    result = run(path, tmp_path / "out", rows=(2, 7), edit=next_class)
    assert result.listed_in == ("train/n01/boxes.txt",)
    assert (tmp_path / "out" / "train" / "n01" / "boxes.txt").is_file()


def test_names_in_no_scheme_are_kept_and_reported(tmp_path):
    path = fill(tmp_path / "set")
    folder = path / "train" / "n03" / "images"
    for number, name in enumerate(["old dog", "rex", "a walk", "at play", "asleep", "spot"]):
        (folder / f"n03_{number}.png").rename(folder / f"{name}.png")
    assert not run(path, tmp_path / "stay", rows=(2,), edit=lambda _, p, y: (255 - p, y)).worded
    assert run(path, tmp_path / "out", rows=(2,), edit=next_class).worded
    kept = sorted(file.name for file in (tmp_path / "out" / "train" / "n03" / "images").iterdir())
    assert kept == sorted([*(file.name for file in folder.iterdir()), "n01_2.png"])


def test_class_order_is_kept(tmp_path):
    path = fill(tmp_path / "set")
    (path / "train" / "class_order.txt").write_text("n03\nn01\nn02\n")
    run(path, tmp_path / "out", rows=(0,), edit=invert)
    found = items(tmp_path / "out", split="train")
    assert found.classes == items(path, split="train").classes == ("n03", "n01", "n02")
    assert found.labels.tolist() == [0] * 5 + [1] * 7 + [2] * 6


def test_a_read_only_source_can_be_released(tmp_path):
    path = fill(tmp_path / "set")
    for file in path.rglob("*"):
        file.chmod(0o555 if file.is_dir() else 0o444)
    run(path, tmp_path / "out", rows=(0,), edit=invert)
    folder = tmp_path / "out" / "train" / "n01"
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "images" / "n01_1.png").stat().st_mode & 0o777 == 0o444
    for file in path.rglob("*"):
        file.chmod(0o755)


def test_a_format_that_cannot_be_written_is_named(tmp_path):
    path = fill(tmp_path / "set", suffix="gif")
    with pytest.raises(DatasetError, match=r"n01_2\.gif is GIF, which cannot be written"):
        run(path, tmp_path / "out", rows=(2,), edit=invert)
    assert not (tmp_path / "out").exists()
    run(path, tmp_path / "out", rows=(2,), edit=next_class)  # its pixels stay
