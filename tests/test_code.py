"""Whether stages name exactly the code that can decide their bytes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows import code, imports

ROOT = Path(__file__).parents[1]
CODE = ("datadeed", "flows", "papers", "tasks")


@pytest.fixture(scope="module")
def stages():
    return code.stages(ROOT)


def test_every_stage_names_its_code_and_no_other(stages):
    assert code.faults(ROOT, stages) == []


def test_a_short_list_names_the_same_files(stages):
    for files in code.expected(ROOT, stages).values():
        assert code.covered(ROOT, code.shortest(ROOT, files)) == files


class TestClosure:
    """What importing a module may execute."""

    @pytest.fixture
    def tree(self, tmp_path):
        texts = {
            "datadeed/__init__.py": '"""Names."""\nimport datadeed.far\n',
            "datadeed/a.py": "from datadeed.room import b\n",
            "datadeed/room/__init__.py": '"""A face."""\n',
            "datadeed/room/b.py": "def f():\n    from datadeed.c import x\n",
            "datadeed/c.py": (
                "from typing import TYPE_CHECKING\n"
                "if TYPE_CHECKING:\n    from datadeed.types import T\n"
                "else:\n    import datadeed.d\n"
            ),
            "datadeed/d.py": "import numpy\nx = 1\n",
            "datadeed/far.py": "",
            "datadeed/types.py": "T = int\n",
        }
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    def test_it_follows_imports_in_functions_but_not_those_for_types(self, tree):
        found = imports.closure(tree, ["datadeed.a"])
        assert found == {f"datadeed/{name}.py" for name in ("a", "room/b", "c", "d")}

    def test_a_package_with_code_of_its_own_counts(self, tree):
        (tree / "datadeed/room/__init__.py").write_text("y = 2\n")
        assert "datadeed/room/__init__.py" in imports.closure(tree, ["datadeed.room.b"])

    @pytest.mark.parametrize(
        "modules",
        [
            ("tasks.train", "datadeed.models.classifier", "datadeed.models.resnet"),
            ("tasks.mark", "datadeed.watermarks.keyed"),
            ("tasks.judge", "papers.ubw.judge"),
        ],
    )
    def test_it_holds_all_that_python_loads(self, modules):
        program = f"import sys, {', '.join(modules)}\n" + (
            "for m in list(sys.modules.values()):\n"
            "    if getattr(m, '__file__', None): print(m.__name__, m.__file__)\n"
        )
        lines = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.splitlines()
        names = [line.split()[0] for line in lines]
        ours = [name for name in names if name.split(".")[0] in imports.ROOMS]
        files = {imports.module_file(ROOT, name) for name in ours}
        loaded = {p.relative_to(ROOT).as_posix() for p in files if p and not imports.is_face(p)}
        assert loaded - imports.WITHOUT_A_SAY <= imports.closure(ROOT, modules)


UBW, DVBW, CLEAN = (f"papers/{paper}/dvc.yaml" for paper in ("ubw", "dvbw", "clean_label"))
PROOF = "papers/proof/dvc.yaml"
# A file of every room, and definitions of stages that it decides and that it does not.
ROOMS = {
    "datadeed/keys/merkle.py": (f"{PROOF}:mark", f"{DVBW}:mark"),
    "datadeed/datasets/form/dataset.py": ("fetch", None),
    "datadeed/language/words.py": (f"{CLEAN}:mark-sentiment", "train"),
    "datadeed/triggers/warp.py": (f"{UBW}:mark-stamped", f"{DVBW}:mark"),
    "datadeed/models/resnet.py": ("train", f"{DVBW}:mark"),
    "datadeed/perturbations/pgd.py": (
        f"{UBW}:mark-perturbed",
        f"{DVBW}:ask",
    ),
    "datadeed/watermarks/ubw_p.py": (
        f"{UBW}:mark-stamped",
        f"{PROOF}:mark",
    ),
    "datadeed/thieves/outliers.py": (f"{CLEAN}:stealth-images", "train"),
    "datadeed/verification/published.py": (f"{DVBW}:judge", "train"),
    "datadeed/reports/cells.py": (f"{UBW}:tabulate", "train"),
    "datadeed/owner/release/release.py": (None, "train"),
    "datadeed/cli/command.py": (None, f"{DVBW}:tabulate"),
    "datadeed/randomness.py": (f"{DVBW}:mark", None),  # all draw
    "papers/dvbw/claims.py": (f"{DVBW}:tabulate", f"{DVBW}:judge"),
    "papers/dvbw/tables.py": ("report", f"{UBW}:tabulate"),
    "tasks/train.py": ("train", "fetch"),
}


class TestStaleness:
    """A changed file makes stages stale for DVC: those that it decides, and no others."""

    @pytest.fixture(scope="class")
    def saved(self, tmp_path_factory):
        """A copy of the code, and for each definition a stage with its code as it is now."""
        from dvc.repo import Repo

        root = tmp_path_factory.mktemp("stale") / "house"
        for folder in CODE:
            shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("*.pyc"))
        for name in (".dvc/config", "dvc.yaml", "params.yaml"):
            (root / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        with Repo(str(root), uninitialized=True) as repo:
            first = {code.definition_of(s, root): s for s in reversed(repo.index.stages)}
            for stage in first.values():
                for dep in _code_of(stage, root):
                    dep.save()
            yield root, first

    @pytest.mark.parametrize("file", ROOMS)
    def test_one_file_of_a_room(self, saved, stages, file):
        root, first = saved
        decided = {name for name, files in code.expected(ROOT, stages).items() if file in files}
        path, (one, other) = root / file, ROOMS[file]
        before = path.read_bytes()
        path.write_bytes(before + b"CHANGED = True\n")
        try:
            stale = {
                name
                for name, stage in first.items()
                for dep in _code_of(stage, root)
                if path.is_relative_to(dep.fs_path) and dep.changed_checksum()
            }
        finally:
            path.write_bytes(before)
        assert stale == decided & set(first)
        assert one is None or one in stale
        assert other is None or other in set(first) - stale


def _code_of(stage, root):
    paths = [(dep, Path(dep.fs_path)) for dep in stage.deps]
    return [d for d, p in paths if code.is_code(p.relative_to(root).as_posix())]
