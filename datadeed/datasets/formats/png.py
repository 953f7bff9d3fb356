"""The parts of PNG files: decoders read a file without its end, writers need the whole of it."""

from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"IEND"


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and whole chunks of a PNG, up to the end chunk.

    Raises:
        ValueError: it ends before that.
    """
    at, name = len(SIGNATURE), b""
    while name != END:
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if len(data) < at + 12 + size:
            raise ValueError("a PNG without its end")
        yield name, data[at : at + 12 + size]
        at += 12 + size


def is_cut(data: bytes) -> bool:
    """Whether bytes are a PNG without its end."""
    if not data.startswith(SIGNATURE):
        return False
    try:
        return not all(True for _ in chunks(data))
    except ValueError:
        return True
