"""An owner of texts or of sound."""

import shutil

from datadeed.datasets.formats.registry import read
from datadeed.keys.sealing import read_secret
from tests.cli.world import files_under, run


class Owner:
    """A folder with a source, and what the command puts beside it."""

    def __init__(self, root, source, method):
        self.root, self.source, self.method = root, source, method
        self.out = root / f"marked{source.suffix}"
        self.secret_file = root / "safe/secret.json"

    def run(self, *more):
        return run("watermark", self.source, *more)

    def mark(self, *more, method=None):
        where = ("--out", self.out, "--secret", self.secret_file)
        return self.run(*where, "--method", method or self.method, *more)

    def secret(self):
        return read_secret(self.secret_file, None)

    def copy(self, **options):
        return read(self.out, **options)

    def forget(self):
        """Remove the copy and the secret."""
        self.secret_file.unlink()
        if self.out.is_dir():
            shutil.rmtree(self.out)
        else:
            self.out.unlink()

    def words(self, seed):
        """The trigger word that a seed draws."""
        assert self.mark("--no-perturbation", "--seed", seed).code == 0
        word = self.secret()["watermark"]["pattern"]["word"]
        self.forget()
        return word

    def files(self):
        return sorted(str(path) for path in files_under(self.root))
