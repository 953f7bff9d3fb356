"""A small project of UBW."""

from tests.tasks.conftest import ubw_project

__all__ = ["ubw_project"]
