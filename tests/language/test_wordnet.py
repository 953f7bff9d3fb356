import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import DatasetError, FetchError
from datadeed.language import wordnet
from datadeed.language.wordnet import WordNet, load_wordnet

LICENCE = "  1 A licence, in lines that begin with two spaces.  \n"
SENSES = [("film", "movie", "picture_show", "pic"), ("film", "Celluloid"), ("picture", "film")]


def write(folder: Path, senses: dict[str, list[tuple[str, ...]]]) -> Path:
    """WordNet's files with these senses of each part of speech, commonest first."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("noun", "verb", "adj", "adv"):
        data, offsets = LICENCE, {}
        for number, sense in enumerate(senses.get(part, [])):
            for word in sense:
                offsets.setdefault(word.split("(")[0].lower(), []).append(len(data))
            words = " ".join(f"{word} 0" for word in sense)
            data += f"{len(data):08d} 03 n {len(sense):02x} {words} 000 | gloss {number} | x  \n"
        lines = [
            f"{word} n {len(found)} 1 @ {len(found)} 0 " + " ".join(f"{o:08d}" for o in found)
            for word, found in sorted(offsets.items(), key=lambda item: item[0].encode())
        ]
        (folder / f"data.{part}").write_text(data)
        (folder / f"index.{part}").write_text(LICENCE + "".join(line + "  \n" for line in lines))
    return folder


def test_synonyms_come_by_sense_without_the_word_and_phrases(tmp_path):
    found = WordNet(write(tmp_path, {"noun": SENSES, "adj": [("good", "galore(ip)", "well")]}))
    assert found.synonyms("film", "noun") == ("movie", "pic", "Celluloid", "picture")
    assert found.synonyms("Film", "noun") == found.synonyms("film", "noun")
    assert found.synonyms("celluloid", "noun") == ("film",)
    assert found.synonyms("picture show", "noun") == ("film", "movie", "pic")
    assert found.synonyms("good", "adj") == ("galore", "well")
    assert found.synonyms("film", "verb") == found.synonyms("fil", "noun") == ()
    with pytest.raises(KeyError):
        found.synonyms("film", "pronoun")


WORDS = st.text(alphabet="abc-'", min_size=1, max_size=4)


@settings(max_examples=60)
@given(
    senses=st.lists(st.lists(WORDS, min_size=1, max_size=4, unique=True), min_size=1, max_size=8),
    other=WORDS,
)
def test_every_word_of_any_index_is_found_and_no_other(tmp_path_factory, senses, other):
    folder = write(tmp_path_factory.mktemp("wn"), {"noun": [tuple(sense) for sense in senses]})
    found = WordNet(folder)
    for word in {*(word for sense in senses for word in sense), other}:
        joined = [w for sense in senses if word in sense for w in sense if w != word]
        assert found.synonyms(word, "noun") == tuple(dict.fromkeys(joined))


def test_an_index_beside_other_data_is_one_line(tmp_path):
    write(tmp_path, {"noun": SENSES})
    (tmp_path / "data.noun").write_text(LICENCE + "x" + LICENCE * 5)
    with pytest.raises(DatasetError, match=r"data\.noun has no sense at byte") as caught:
        WordNet(tmp_path).synonyms("film", "noun")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_a_missing_or_empty_file_is_one_line(tmp_path, damage):
    write(tmp_path, {"noun": SENSES})
    (tmp_path / "data.verb").unlink()
    if damage == "empty":
        (tmp_path / "data.verb").touch()
    with pytest.raises(DatasetError, match=r"data\.verb cannot be read"):
        WordNet(tmp_path)


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Toy files take the published ones' place; nothing of this machine is looked at."""
    folder = write(tmp_path / "toy", {"noun": SENSES})
    digests = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.iterdir()}
    monkeypatch.setattr(wordnet, "WORDNET", digests)
    monkeypatch.setattr(wordnet, "SYSTEM", tmp_path / "system")
    monkeypatch.delenv("DATADEED_DATA", raising=False)

    def nothing(name, target):
        raise FetchError("no apt here")

    monkeypatch.setattr(wordnet, "debian_package", nothing)
    return tmp_path


@pytest.mark.parametrize("place", ["named", "named/wordnet", "cache/wordnet", "system"])
def test_it_is_found_where_it_lies(places, monkeypatch, place):
    monkeypatch.setenv("DATADEED_DATA", f"{places / 'none'}:{places / 'named'}")
    write(places / place, {"noun": SENSES})
    assert load_wordnet(places / "cache").synonyms("movie", "noun") == ("film", "pic")


def test_another_version_is_passed_over(places):
    write(places / "cache/wordnet", {"noun": SENSES[:1]})
    write(places / "system", {"noun": SENSES})
    assert "Celluloid" in load_wordnet(places / "cache").synonyms("film", "noun")


def test_the_package_is_fetched_once_into_the_cache(places, monkeypatch):
    fetched = []

    def package(name, target):
        fetched.append(name)
        write(target / wordnet.SYSTEM.relative_to("/"), {"noun": SENSES})

    monkeypatch.setattr(wordnet, "debian_package", package)
    write(places / "cache/wordnet", {"noun": SENSES[:1]})  # of another version, say
    for _ in range(2):
        assert load_wordnet(places / "cache").synonyms("movie", "noun") == ("film", "pic")
    assert fetched == ["wordnet-base"]


def test_no_place_is_one_line_that_names_each(places):
    write(places / "system", {"noun": SENSES[:1]})
    with pytest.raises(FetchError, match=r"noun is not of WordNet 3\.0.*no apt here") as caught:
        load_wordnet(places / "cache")
    assert "\n" not in str(caught.value)
    assert not (places / "cache/wordnet").exists()
