"""Honest models, and the plain thief: crops and flips, nothing else."""

from collections.abc import Iterator

from papers.thieves.entries import PLAIN, Entry, Stolen
from papers.thieves.setting import Setting


def entries(setting: Setting) -> Iterator[Entry]:
    """The plain thief under both choices of hosts, and the honest model under many keys."""
    yield Entry("practice", PLAIN, lambda: plain(setting))
    yield Entry("practice", f"{PLAIN}, hosts as they come", lambda: plain(setting), hosts="drawn")
    keys = setting.lab.params("keys")
    yield Entry("honest", f"{keys} other keys", lambda: honest(setting), others=keys)


def plain(setting: Setting) -> Stolen:
    """The thief."""
    return Stolen(setting.served(setting.plain_thief()))


def honest(setting: Setting) -> Stolen:
    """The model of unmarked data."""
    return Stolen(setting.served(setting.honest()))
