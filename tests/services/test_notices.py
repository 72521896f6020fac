"""What people are told."""

import pytest

from playground.models import Notice
from playground.services import notices
from tests import factories

pytestmark = pytest.mark.django_db


def test_same_news_are_told_once_to_a_team():
    team, other = factories.make_member().team, factories.make_member().team
    assert notices.tell("gateway_paused", team=team, key="paused:1", data={"name": "a"})
    assert not notices.tell("gateway_paused", team=team, key="paused:1", data={"name": "b"})
    assert notices.tell("gateway_paused", team=other, key="paused:1")
    assert [notice.data for notice in Notice.objects.filter(team=team)] == [{"name": "a"}]
