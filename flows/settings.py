"""Prefect's and DVC's settings, given as defaults: what the user has set is never touched."""

import os
import tomllib
from pathlib import Path

_QUIET = {
    # Prefect logs a failed stage with its traceback; the stage's own error line says more.
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    # No calls home.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
}

# What a server that lives as long as one flow has no use for. Fewer writers also means fewer
# "database is locked" from SQLite.
_SERVER = {
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    **{
        f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false"
        for name in (
            "CANCELLATION_CLEANUP",
            "EVENT_PERSISTER",
            "FOREMAN",
            "LATE_RUNS",
            "PAUSE_EXPIRATIONS",
            "REPOSSESSOR",
            "SCHEDULER",
            "TRIGGERS",
        )
    },
}


def quiet() -> None:
    """Keep Prefect silent and at home, unless the user has said otherwise."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def users_server() -> bool:
    """Whether the user has named a Prefect server, in the environment or in a profile."""
    if os.environ.get("PREFECT_API_URL") or os.environ.get("PREFECT_PROFILE"):
        return True
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    path = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    try:
        profiles = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    active = profiles.get("profiles", {}).get(profiles.get("active", ""), {})
    return bool(active.get("PREFECT_API_URL"))


def server_environment(home: Path) -> dict[str, str]:
    """The environment of our own server, with its database in ``home`` and not in the user's."""
    return {"PREFECT_HOME": str(home), **_SERVER, **os.environ}
