import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from datadeed.datasets import espeak, synthesis
from datadeed.datasets.formats.blocks import collect
from datadeed.datasets.synthesis import Utterance, speak, spoken_digits, variants
from datadeed.errors import FetchError

HELLO = Utterance("seven", "en-us+f2", speed=160, volume=80, pitch=50, range=50)

try:
    DATA = synthesis._engine()[1]
except FetchError:
    DATA = None
spoken = pytest.mark.skipif(DATA is None, reason="the extra 'audio' is not installed")


def digits(split="train", per_class=3, **options):
    return collect(spoken_digits(split, per_class, **{"seconds": 1.0, "rate": 8000} | options), "x")


@pytest.fixture
def program(monkeypatch, tmp_path):
    """Puts another program in the place of the one that speaks."""

    def use(text):
        (tmp_path / "program.py").write_text(text)
        monkeypatch.setattr(espeak, "__file__", str(tmp_path / "program.py"))
        (tmp_path / "data").mkdir()
        monkeypatch.setattr(synthesis, "_engine", lambda: ("library", tmp_path / "data"))

    return use


@spoken
def test_each_row_is_a_digit_in_turn_and_another_voice():
    data = digits()
    assert (data.form.shape, data.rate, len(data)) == ((8000,), 8000, 30)
    assert data.classes == tuple("0123456789")
    assert data.labels.tolist() == [*range(10)] * 3
    assert data.index.tolist() == list(range(30))
    assert len({row.numpy().tobytes() for row in data.samples}) == 30
    loudness = data.samples.double().square().mean(1).sqrt()
    assert loudness.min() > 50
    assert (data.samples[:, ::7] != 0).float().mean(1).min() > 0.5  # noise everywhere


@spoken
def test_another_process_gives_the_same_bytes():
    """Whatever was spoken before, and whatever the seed of hashes or the language is."""
    digits("test", 1)
    code = (
        "from tests.datasets.test_synthesis import digits; import sys;"
        "sys.stdout.write(digits().digest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "3", "LC_ALL": "de_DE.UTF-8", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout == digits().digest()


@spoken
def test_more_rows_leave_the_first_as_they_are(monkeypatch):
    few, many = digits("test", 1), digits("test", 3)
    assert (many.samples[:10] == few.samples).all()
    monkeypatch.setattr("datadeed.datasets.form.columns.ROW_GROUP_BYTES", 7 * 16000)
    blocks = list(spoken_digits("test", 3, seconds=1.0, rate=8000))
    assert [len(block) for block in blocks] == [7, 7, 7, 7, 2]
    assert collect(iter(blocks), "x").digest() == many.digest()


@spoken
def test_length_and_rate_are_options():
    data = digits(per_class=1, seconds=0.2, rate=16000)  # shorter than most words
    assert (data.form.shape, data.rate) == ((3200,), 16000)
    assert digits(per_class=1, seconds=2.0).form.shape == (16000,)


@spoken
def test_test_voices_are_never_heard_in_training():
    train, test = variants(DATA, "train"), variants(DATA, "test")
    families = [{name.lower().rstrip("0123456789") for name in names} for names in (train, test)]
    assert not families[0] & families[1]
    everything = sorted(file.name for file in (DATA / "voices" / "!v").iterdir())
    assert sorted([*train, *test, "fast"]) == everything
    assert 0.1 < len(test) / len(everything) < 0.3
    drawn = {synthesis._utterance("test", row, test).voice.split("+")[1] for row in range(300)}
    assert drawn == set(test)


@spoken
def test_breath_and_history_change_nothing():
    """Voices that draw noise, and a state that is kept from word to word."""
    sounds = [[hashlib.sha256(x).hexdigest() for x in speak([HELLO] * 3)] for _ in range(2)]
    assert sounds[0] == sounds[1]


@spoken
def test_speech_says_what_was_asked_for():
    slow = HELLO._replace(speed=80)
    quiet = HELLO._replace(volume=20)
    one, two, three = speak([HELLO, slow, quiet])
    assert one.dtype == np.int16
    assert 0.2 < len(one) / espeak.RATE < 1.0
    assert len(two) > 1.4 * len(one)
    assert np.abs(three).max() < 0.5 * np.abs(one).max()


@spoken
def test_a_voice_that_is_missing_is_named():
    with pytest.raises(FetchError, match=r"status 1 at 'seven' .*there is no voice 'xx'") as caught:
        list(speak([HELLO, HELLO._replace(voice="xx")]))
    assert "\n" not in str(caught.value)


@spoken
def test_nothing_to_say_is_an_error():
    with pytest.raises(FetchError, match="gave silence at ' '"):
        list(speak([HELLO._replace(text=" ")]))


CRASH = "import os, sys; sys.stdout.buffer.write(b'\\4\\0\\0\\0ab'); sys.stdout.flush(); "


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CRASH + "os.kill(os.getpid(), 11)", "ended with status -11 at 'seven' .*no message"),
        (CRASH + "sys.exit('a long\\nstory')", r"ended with status 1 .*\(story\): reinstall"),
        ("", "ended with status 0"),
        ("print('noise')", "ended with status 0"),
    ],
)
def test_a_crash_is_one_line(program, text, words):
    program(text)
    with pytest.raises(FetchError, match=words) as caught:
        list(speak([HELLO]))
    assert "\n" not in str(caught.value)


def test_the_process_ends_with_the_stream(program, tmp_path):
    program(
        "import os, sys, time; open('pid', 'w').write(str(os.getpid()));"
        "sys.stdout.buffer.write(b'\\2\\0\\0\\0ab'); sys.stdout.flush(); time.sleep(600)"
    )
    stream = speak([HELLO, HELLO])
    assert next(stream).tobytes() == b"ab"
    stream.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_missing_synthesiser_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FetchError, match="install the extra 'audio'") as caught:
        spoken_digits("train", 1, seconds=1.0, rate=8000)
    assert "\n" not in str(caught.value)


def test_silence_around_a_word_is_cut_off():
    speech = np.zeros(10_000, np.int16)
    speech[4000:5000] = 900
    speech[8000] = 10  # below a fiftieth of the peak
    assert len(synthesis._trimmed(speech)) == 1000 + 2 * (espeak.RATE // 200)
    speech[:] = -(2**15)
    assert len(synthesis._trimmed(speech)) == 10_000
