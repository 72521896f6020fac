"""People for the tests of pages: a member, an admin of the same team, a member of another one; and their browsers."""

import pytest
from django.test import Client

from playground.models import Membership, Role
from tests import factories


class MemberClient(Client):
    """A browser whose forms carry the team they were made in, as those of the pages do."""

    team = ""

    def post(self, path, data=None, *args, **kwargs):
        return super().post(path, {"team": self.team, **(data or {})}, *args, **kwargs)


@pytest.fixture
def member(db) -> Membership:
    return factories.make_member()


@pytest.fixture
def admin(member) -> Membership:
    return factories.make_member(team=member.team, role=Role.ADMIN)


@pytest.fixture
def viewer(member) -> Membership:
    return factories.make_member(team=member.team, role=Role.VIEWER)


@pytest.fixture
def stranger(db) -> Membership:
    return factories.make_member(role=Role.ADMIN)


@pytest.fixture
def browser_of():
    """A browser that a member is signed in with; `htmx=True` sends what htmx sends."""

    def browser(membership: Membership | None = None, *, htmx: bool = False) -> Client:
        headers = {"HX-Request": "true", "HX-Request-Type": "partial"} if htmx else {}
        client = MemberClient(headers=headers)
        if membership:
            client.team = membership.team.slug
            client.force_login(membership.user)
        return client

    return browser


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    """Pages are drawn without `collectstatic`; the hashed names are the business of the browser lane."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
