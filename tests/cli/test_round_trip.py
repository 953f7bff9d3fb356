"""The whole life of a key: committed, marked, proved, opened, checked; and no secret gets out."""

import pytest

from datadeed.datasets.formats.registry import read
from datadeed.watermarks.carriers.registry import carrier_of
from datadeed.watermarks.keyed2 import KeyPart2
from tests.cli.world import FILES, World, data, files_under, honest, run, thief


@pytest.mark.parametrize("format", FILES)
def test_round_trip(tmp_path, format):
    world = World(tmp_path, format).make()
    made = [world.commit("--json"), world.watermark("--json")]
    suspects = {name: world.recorded(says, name) for name, says in (("t", thief), ("h", honest))}
    signer = tmp_path / "safe/signer.json"
    made += [
        world.verify(suspects["t"], "--sign", signer, "--json"),
        world.verify(suspects["h"], out=tmp_path / "innocent"),
    ]
    assert [done.code for done in made] == [0, 0, 0, 4]
    evidence = made[2].json()
    assert evidence == world.evidence()
    assert evidence["verdict"]["word"] == "CLAIM"
    assert made[0].json()["commitment"] == evidence["key"]["commitment"]
    assert world.evidence(tmp_path / "innocent")["verdict"]["word"] == "NOT SUPPORTED"
    released = tmp_path / made[1].json()["out"]
    _no_secret(world, made)

    opened = world.open()
    more = ("--source", world.source, "--released", released)
    more += ("--commitment", tmp_path / "safe/commitment.json")
    checked = world.check(*more, "--public-key", world.out / "public-key.pem", "--json")
    assert (opened.code, checked.code) == (0, 6), "premises are only stated"
    words = {check["what"]: check["word"] for check in checked.json()["checks"]}
    assert words.pop("timestamp") == "not checked"
    assert set(words.values()) == {"passed"}, checked.out
    pinned = [check["found"] for check in checked.json()["checks"] if check["what"] == "signature"]
    assert "by the key you named" in pinned[0]
    unsigned = world.check(*more, out=tmp_path / "innocent")
    assert unsigned.code == 6
    assert "not checked  signature" in unsigned.out


def _no_secret(world, results):
    """Nothing but the files in ``safe`` may hold the secret or the salt."""
    key = world.key()
    hidden = [key.secret.hex().encode(), key.salt.hex().encode(), key.secret, key.salt]
    for path in files_under(world.root):
        if path.parent.name != "safe":
            assert not any(text in path.read_bytes() for text in hidden), path
    for result in results:
        printed = (result.out + result.err).encode()
        assert not any(text in printed for text in hidden)


@pytest.mark.parametrize("format", FILES)
def test_the_release_carries_the_marks_of_the_key_and_nothing_else(tmp_path, format):
    world = World(tmp_path, format).make()
    assert world.watermark("--keep-order").code == 0, "the key is made if there is none"
    split = "train" if format == "huggingface" else None
    released = read(tmp_path / f"released{world.source.suffix}", split=split)
    before = read(world.source, split=split)
    key = world.key()
    hosts = carrier_of(key).hosts(before.labels.numpy())
    rows, parts = hosts.rows, hosts.parts
    assert len(rows) == 10
    expected = _rows(before)
    for row, part in zip(rows.tolist(), parts.tolist(), strict=True):
        mark = KeyPart2(key, part)
        stamped = mark.stamp(before.samples[row : row + 1])[0].numpy().tobytes()
        expected[row] = (stamped, mark.target)
    if format == "imagefolder":  # rows move between the folders of the classes
        assert sorted(_rows(released)) == sorted(expected)
    else:
        assert _rows(released) == expected


def _rows(dataset):
    return [
        (image.contiguous().numpy().tobytes(), int(label))
        for image, label in zip(dataset.samples, dataset.labels, strict=True)
    ]


def test_the_page_and_the_terminal_show_the_verdict(world):
    done = world.verify(world.root / "thief.yaml")
    assert done.code == 0
    assert "CLAIM" in done.out
    page = world.out / "report.html"
    assert page.stat().st_mode & 0o777 == 0o600
    assert "CLAIM" in page.read_text()
    page.unlink()
    again = run("report", world.out)
    assert (again.code, "CLAIM" in again.out, page.exists()) == (0, True, True)
    assert run("report", world.out, "--json").json() == world.evidence()


def test_a_signed_folder_keeps_its_page(world, no_page):
    world.verify(world.root / "thief.yaml", "--sign", world.root / "safe/signer.json")
    before = (world.out / "report.html").read_bytes()
    done = run("report", world.out)
    assert done.code == 0
    assert "its page stays as it is" in done.err
    assert (world.out / "report.html").read_bytes() == before


def test_images_of_the_toy_world_are_all_different():
    """Else the recorded suspects could not tell them apart."""
    everything = _rows(data()) + _rows(data(100, seed=1))
    assert len({pixels for pixels, _ in everything}) == 300
