"""The form of a store: made when it is empty, upgraded when it is older, refused when newer."""

from importlib import resources

from sqlalchemy import Connection, Engine, inspect, text

from datadeed.errors import StoreError
from datadeed.watching.store.engine import reading, shown, writing

NEWEST = "0001"  # the last file of migrations/versions
VERSIONS = "datadeed_store_version"  # the table in which Alembic keeps the number


def make_ready(engine: Engine, *, create: bool = True) -> None:
    """Give a store the form that this program reads.

    Args:
        engine: the store's.
        create: whether to make the tables where there are none.

    Raises:
        StoreError: the store is newer, cannot be reached, or there is none.
    """
    with reading(engine) as connection:
        version = _version(connection)
    if version == NEWEST:
        return
    if version == "" and not create:
        raise StoreError(f"{shown(engine.url)} is empty: name a store that `--store` made")
    with writing(engine, "0" * 16) as connection:
        if _version(connection) != NEWEST:  # nor did another process do it meanwhile
            _upgrade(connection)


def _version(connection: Connection) -> str:
    if not inspect(connection).has_table(VERSIONS):
        return ""
    return connection.execute(text(f"SELECT version_num FROM {VERSIONS}")).scalar() or ""


def _upgrade(connection: Connection) -> None:
    from alembic import command  # slow to import, and needed once in a store's life
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    with resources.as_file(resources.files("datadeed.watching.store") / "migrations") as folder:
        config = Config(attributes={"connection": connection, "versions": VERSIONS})
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        script = ScriptDirectory.from_config(config)
        version = _version(connection)
        if version and version not in {one.revision for one in script.walk_revisions()}:
            raise StoreError(
                f"{shown(connection.engine.url)} has form {version}, newer than this datadeed's "
                f"{NEWEST}: install the release that wrote it"
            )
        command.upgrade(config, "head")
