"""How long the page of a store takes: a thousand suspects, watched every day of a year."""

import math
import time

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from datadeed.watching.page.app import make_app
from datadeed.watching.page.guard import Guard
from datadeed.watching.store.store import Store
from datadeed.watching.store.tables import DAYS, RUNS, SUSPECTS
from tests.watching.page.rows import add, named

SUSPECTS_WATCHED, DAYS_WATCHED = 1000, 365


@pytest.fixture(scope="module")
def visitor(tmp_path_factory):
    """Of a store that holds one suspect as the tests write it, a thousand times."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}"
    with Store.open(url) as store:
        add(store, 1, "s1", [math.log(1 + day) for day in range(DAYS_WATCHED)], in_all=1000)
        with store.writing(named(0)) as connection:
            rows = {
                table: [dict(row) for row in connection.execute(table.select()).mappings()]
                for table in (SUSPECTS, DAYS, RUNS)
            }
            for number in range(2, SUSPECTS_WATCHED + 1):
                for table, column in ((SUSPECTS, "id"), (DAYS, "suspect"), (RUNS, "suspect")):
                    for row in rows[table]:
                        row[column] = named(number)
                    if table is SUSPECTS:
                        rows[table][0] |= {"subject": named(number), "name": f"s{number}"}
                    connection.execute(insert(table), rows[table])
    return TestClient(make_app(url, Guard(None)), "http://127.0.0.1")


@pytest.mark.parametrize(
    ("path", "of"),
    [("/", "all suspects"), ("/?page=20", "the last page"), (f"/suspects/{named(500)}", "one")],
)
def bench_page(benchmark, report, visitor, path, of):
    def run():
        assert visitor.get(path).status_code == 200

    benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    started = time.process_time()
    run()
    processor = time.process_time() - started
    name = f"page of {of}, {SUSPECTS_WATCHED:,} suspects, a year each"
    report(name, benchmark.stats.stats.median, unit="s", most=0.2)
    report(f"{name}, processor time", processor, unit="s", most=0.2, timing=False)
