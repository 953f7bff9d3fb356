"""An owner who marks data with a published method."""

from PIL import Image

from datadeed.datasets.formats.registry import read
from datadeed.keys.sealing import read_secret
from tests.cli.world import FILES, files_under, run
from tests.conftest import toy
from tests.datasets.formats.writers import write


class Owner:
    """A folder with 120 images of 4 classes, and what the command puts beside them."""

    def __init__(self, root, format="npz"):
        self.root, self.format = root, format
        self.source, self.out = root / FILES[format], root / f"copy-of-{FILES[format]}"
        self.secret_file = root / "safe/secret.json"
        self.split = "train" if format == "huggingface" else None
        self.before = toy(120, classes=4, shape=(3, 16, 16))
        write(self.before, self.source, format=format, split=self.split)

    def mark(self, method, *more, out=None, secret=None):
        # In the source's order, so that rows can be compared by their number.
        where = ("--out", out or self.out, "--secret", secret or self.secret_file, "--keep-order")
        return run("watermark", self.source, *where, "--method", method, *more)

    def secret(self, passphrase=None):
        return read_secret(self.secret_file, passphrase)

    def copy(self):
        return read(self.out, split=self.split)

    def files(self):
        return sorted(str(path) for path in files_under(self.root))


def fails(done, message, code=1):
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert done.err.count("\n") == 1 or code == 2
    return True


def jpegs(owner, folder):
    """Replace the owner's data by JPEG files, a folder a class."""
    for row, (image, label) in enumerate(
        zip(owner.before.samples, owner.before.labels.tolist(), strict=True)
    ):
        path = folder / f"class {label}" / f"{row:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(path, quality=80)
    owner.source, owner.out = folder, owner.root / "released"
