"""``prefect.yaml`` is what Prefect reads, and fits the flow that it names."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.errors import PipelineError
from flows.server import Server
from tests.flows.toys import SOURCE


@pytest.fixture(scope="module")
def declared() -> dict[str, Any]:
    """The file as it stands."""
    return dict(yaml.safe_load((SOURCE / "prefect.yaml").read_text(encoding="utf-8")))


class TestPrefectYaml:
    def test_prefect_reads_every_entry(
        self, declared: dict[str, Any], prefect_server: Server
    ) -> None:
        from prefect.cli.deploy._models import (
            ConcurrencyLimitSpec,
            DeploymentConfig,
            PrefectYamlModel,
            RawScheduleConfig,
            WorkPoolConfig,
        )
        from prefect.client.schemas.objects import ConcurrencyLimitStrategy
        from prefect.client.schemas.schedules import CronSchedule

        PrefectYamlModel.model_validate(declared)
        assert declared["deployments"]
        for one in declared["deployments"]:
            # Prefect ignores what it does not know: a misspelt entry would do nothing.
            assert set(one) <= set(DeploymentConfig.model_fields)
            assert set(one["work_pool"]) <= set(WorkPoolConfig.model_fields)
            assert set(one["concurrency_limit"]) <= set(ConcurrencyLimitSpec.model_fields)
            ConcurrencyLimitStrategy(one["concurrency_limit"]["collision_strategy"])
            for schedule in one["schedules"]:
                assert RawScheduleConfig.model_validate(schedule).slug
                CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"])

    def test_it_is_of_the_version_that_is_installed(
        self, declared: dict[str, Any], prefect_server: Server
    ) -> None:
        import prefect

        assert declared["prefect-version"] == prefect.__version__

    def test_the_parameters_are_the_flows(
        self, declared: dict[str, Any], prefect_server: Server
    ) -> None:
        from flows.watch import AWAY, watch

        (one,) = declared["deployments"]
        assert one["entrypoint"] == f"{Path(inspect.getfile(watch.fn)).relative_to(SOURCE)}:watch"
        assert set(one["parameters"]) == set(watch.parameters.properties)
        assert watch.validate_parameters(one["parameters"]) == one["parameters"]
        assert one["parameters"]["tell_away"] == AWAY

    def test_the_arguments_are_the_commands(
        self, declared: dict[str, Any], prefect_server: Server
    ) -> None:
        from datadeed.cli.command import parser
        from flows.watch import given

        (one,) = declared["deployments"]
        passed = given(one["parameters"]["arguments"], one["parameters"]["in_all"])
        options = parser().parse_args(["watch", "--suspect", "a", "--out", "b", *passed])
        assert (options.key, options.pool) == (Path("/srv/key.json"), Path("/srv/pool"))
        assert options.suspects == 5


class TestSuspects:
    def test_a_folder_s_yaml_files_are_suspects(
        self, tmp_path: Path, prefect_server: Server
    ) -> None:
        from flows.watch import watched

        for name in ("b.yaml", "a.yaml", "notes.txt"):
            (tmp_path / name).touch()
        found = watched(str(tmp_path), 2)
        assert found == {name: str(tmp_path / f"{name}.yaml") for name in ("a", "b")}

    def test_one_too_many_is_told(self, tmp_path: Path, prefect_server: Server) -> None:
        from flows.watch import watched

        with pytest.raises(PipelineError, match="in_all is 1, and 2 suspects are named"):
            watched({"a": "a.yaml", "b": "b.yaml"}, 1)

    def test_an_empty_folder_is_told(self, tmp_path: Path, prefect_server: Server) -> None:
        from flows.watch import watched

        with pytest.raises(PipelineError, match="has no suspect: put a YAML file of each there"):
            watched(str(tmp_path), 5)
