"""eSpeak NG as a program of its own: requests on standard input, speech on standard output.

Run by its path, with the standard library alone, in the folder that holds ``espeak-ng-data``. The
library keeps state from call to call, may print, and may crash; here none of it hurts, and the
same list of requests gives the same bytes in every process.

The one argument is the library. A request is a line of JSON with ``text``, ``voice`` and the keys
of :data:`PARAMETERS`. An answer is its length in bytes (4 of them, little-endian) and int16 samples
at :data:`RATE` Hz.
"""

import ctypes
import json
import os
import struct
import sys

RATE = 22_050
PARAMETERS = {"speed": 1, "volume": 2, "pitch": 3, "range": 4}  # espeak_PARAMETER of speak_lib.h
_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples to a callback, and no thread
_DONT_EXIT = 0x8000
_UTF8 = 1


class Engine:
    """The library, initialised.

    Args:
        library: its path.
    """

    def __init__(self, library: str):
        self._library = ctypes.CDLL(library)
        self._parts: list[bytes] = []
        short, number = ctypes.POINTER(ctypes.c_short), ctypes.c_int
        self._callback = ctypes.CFUNCTYPE(number, short, number, ctypes.c_void_p)(self._take)
        # The path by way of the working folder: the library holds 160 characters.
        rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, b".", _DONT_EXIT)
        if rate != RATE:
            sys.exit(f"espeak_Initialize gave {rate}, not {RATE} Hz")
        self._library.espeak_SetSynthCallback(self._callback)

    def _take(self, samples: object, count: int, _: object) -> int:
        if samples and count > 0:
            self._parts.append(ctypes.string_at(samples, 2 * count))  # type: ignore[arg-type]
        return 0

    def speak(self, request: dict[str, object], seed: int) -> bytes:
        """One request's samples."""
        self._parts.clear()
        # Breathy voices draw noise from a generator that the library has seeded with the time.
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        if self._library.espeak_SetVoiceByName(str(request["voice"]).encode()):
            sys.exit(f"there is no voice {request['voice']!r}")
        for name, parameter in PARAMETERS.items():
            self._library.espeak_SetParameter(parameter, request[name], 0)
        text = str(request["text"]).encode()
        if self._library.espeak_Synth(text, len(text) + 1, 0, 0, 0, _UTF8, None, None):
            sys.exit(f"espeak_Synth refused {request['text']!r}")
        return b"".join(self._parts)


def main() -> None:
    """Answer all requests."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # what the library prints must not lie between samples
        engine = Engine(sys.argv[1])
        for number, line in enumerate(sys.stdin):
            samples = engine.speak(json.loads(line), number)
            out.write(struct.pack("<I", len(samples)) + samples)


if __name__ == "__main__":
    main()
