"""A store, and visitors of its page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from datadeed.files import canonical_digest, write_json
from datadeed.watching.page.app import make_app
from datadeed.watching.page.guard import Guard
from datadeed.watching.store.store import Store
from tests.watching.page.rows import add

EVIDENCE = {"verdict": "claimed"}
HOSTILE = "<script>alert(1)</script>\u202e\"' onload=x"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store: an honest suspect, one with evidence, one out of reach, one that never answered."""
    address = f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}"
    with Store.open(address) as store:
        add(store, 1, "honest", [-0.5, -0.4, -0.3])
        add(store, 2, "thief", [0.0, 10.0, 20.0], verdict=("CLAIM", canonical_digest(EVIDENCE)))
        add(store, 3, HOSTILE, [0.0] * 150, away=2)
        add(store, 4, "never there", [], away=1)
    return address


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of evidence, with what must not be shown beside its page."""
    folder = tmp_path / "root" / "thief"
    folder.mkdir(parents=True)
    write_json(folder / "evidence.json", EVIDENCE)
    (folder / "report.html").write_text("<title>the evidence</title>")
    (folder / "key.json").write_text("s3cret")
    return tmp_path / "root"


@pytest.fixture
def visit(url: str) -> Callable[..., TestClient]:
    """Make a visitor of the page, who comes by 127.0.0.1."""

    def make(
        store: str = url, *, token: str | None = None, evidence: Path | None = None
    ) -> TestClient:
        app = make_app(store, Guard(token), evidence=evidence)
        return TestClient(app, base_url="http://127.0.0.1", follow_redirects=False)

    return make
