"""Share links: who may make which, what they show when, and what is on record."""

import hashlib
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from playground.models import AuditEntry, Role, ShareLink, Visibility
from playground.services import sharing, videos
from playground.services.people import LinkEnded
from playground.services.sharing import MadeAlready, NotYours, Terms
from tests import factories
from tests.support.sharing import make_collection, make_link

pytestmark = pytest.mark.django_db


@pytest.fixture
def creator():
    return factories.make_member()


@pytest.fixture
def admin(creator):
    return factories.make_member(team=creator.team, role=Role.ADMIN)


@pytest.fixture
def video(creator):
    return factories.make_video(by=creator, files=False)


def is_open(token: str, **at) -> bool:
    try:
        sharing.open_link(token=token, **at)
    except LinkEnded:
        return False
    return True


def test_token_has_256_bits_and_only_its_hash_is_stored(creator, video, capsys):
    link, token = make_link(by=creator, video=video, password="open sesame")
    assert len(token) == 43
    assert link.token_hash == hashlib.sha256(token.encode()).hexdigest()
    call_command("dumpdata", "playground", "--all")
    rows = capsys.readouterr().out
    assert link.token_hash in rows
    assert token not in rows
    assert "open sesame" not in rows


def test_link_ends_at_its_time_to_the_second(creator, video):
    now = timezone.now()
    link, token = make_link(by=creator, video=video, days=7, now=now)
    assert link.expires_at == now + timedelta(days=7)
    assert is_open(token, now=now + timedelta(days=7, seconds=-1))
    assert not is_open(token, now=now + timedelta(days=7))


def test_endless_link_only_where_the_team_allows_it(creator, video):
    with pytest.raises(ValueError, match="end"):
        make_link(by=creator, video=video, days=None)
    creator.team.links_may_be_endless = True
    link, token = make_link(by=creator, video=video, days=None)
    assert link.expires_at is None
    assert is_open(token, now=timezone.now() + timedelta(days=4000))


@pytest.mark.parametrize("days", [0, -1, 366])
def test_link_lasts_from_a_day_to_a_year(creator, video, days):
    with pytest.raises(ValueError, match="day"):
        make_link(by=creator, video=video, days=days)


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_link_needs_the_name_of_its_recipient(creator, video, name):
    with pytest.raises(ValueError, match="name"):
        make_link(by=creator, video=video, name=name)


def test_name_of_eighty_characters_is_taken_without_its_margins(creator, video):
    assert make_link(by=creator, video=video, name=f"  {'x' * 80} ")[0].name == "x" * 80


def test_new_links_take_the_teams_defaults_but_never_the_cost(creator):
    creator.team.link_days = 30
    creator.team.link_shows_prompt = True
    creator.team.link_takes_marks = True
    assert sharing.suggested(creator) == Terms("", 30, shows_prompt=True, takes_marks=True)


def test_creators_share_their_own_and_admins_all_but_private_ones(creator, admin):
    mine, theirs = factories.make_video(by=creator, files=False), factories.make_video(by=admin, files=False)
    private = factories.make_video(by=creator, files=False, visibility=Visibility.PRIVATE)
    stranger = factories.make_member(role=Role.ADMIN)
    viewer = factories.make_member(team=creator.team, role=Role.VIEWER)
    owned = factories.make_video(by=viewer, files=False)
    assert make_link(by=creator, video=mine)
    assert make_link(by=admin, video=mine)
    assert make_link(by=creator, video=private)
    for by, video in [(creator, theirs), (admin, private), (stranger, mine), (viewer, mine), (viewer, owned)]:
        with pytest.raises(NotYours):
            make_link(by=by, video=video)


def test_collections_follow_the_same_rule(creator, admin):
    mine, theirs = make_collection(by=creator), make_collection(by=admin)
    private = make_collection(by=creator, visibility=Visibility.PRIVATE)
    assert make_link(by=creator, collection=private)
    assert make_link(by=admin, collection=mine)
    for by, collection in [(creator, theirs), (admin, private)]:
        with pytest.raises(NotYours):
            make_link(by=by, collection=collection)


def test_who_does_not_see_spend_shares_no_cost(creator, video):
    creator.sees_spend = False
    with pytest.raises(NotYours):
        make_link(by=creator, video=video, shows_cost=True)


def test_the_same_form_makes_one_link(creator, video):
    link, _token = make_link(by=creator, video=video)
    with pytest.raises(MadeAlready):
        sharing.make(by=creator, terms=Terms("Client B", 7), video=video, id=link.id)
    assert ShareLink.objects.get().name == "Client A"


def test_id_of_somebody_elses_link_is_not_told_from_one_that_never_was(creator, admin, video):
    other = factories.make_member()
    theirs, _token = make_link(by=other, video=factories.make_video(by=other, files=False))
    of_the_admin, _token = make_link(by=admin, video=video)
    for taken in (theirs, of_the_admin):
        now = timezone.now() - timedelta(days=1)
        link, token = sharing.make(by=creator, terms=Terms("Client B", 7), video=video, id=taken.id, now=now)
        assert link.id != taken.id
        assert link.created_at == now
        assert is_open(token)
    assert ShareLink.objects.count() == 4


def test_new_address_ends_the_old_one(creator, video):
    link, old = make_link(by=creator, video=video)
    new = sharing.renew(by=creator, link=link, shown=sharing.mark_of(link))
    assert is_open(new)
    assert not is_open(old)


def test_new_address_is_given_once_for_one_press(creator, video):
    link, _old = make_link(by=creator, video=video)
    shown = sharing.mark_of(link)
    new = sharing.renew(by=creator, link=link, shown=shown)
    with pytest.raises(MadeAlready):
        sharing.renew(by=creator, link=link, shown=shown)
    assert is_open(new)


def test_admin_gets_no_new_address_for_what_is_private_to_somebody_else(creator, admin):
    private = factories.make_video(by=creator, files=False, visibility=Visibility.PRIVATE)
    link, token = make_link(by=creator, video=private)
    with pytest.raises(NotYours):
        sharing.renew(by=admin, link=link, shown=sharing.mark_of(link))
    with pytest.raises(NotYours):
        sharing.change(by=admin, link=link, terms=Terms("Client A", 7), keeps_password=False)
    assert sharing.revoke(by=admin, link=link)
    assert not is_open(token)


def test_revoked_link_is_over_for_good(creator, video):
    link, token = make_link(by=creator, video=video)
    assert sharing.revoke(by=creator, link=link)
    assert not sharing.revoke(by=creator, link=link)
    assert not is_open(token)
    with pytest.raises(LinkEnded):
        sharing.renew(by=creator, link=link, shown=sharing.mark_of(link))
    with pytest.raises(LinkEnded):
        sharing.change(by=creator, link=link, terms=Terms("Client B", 7))


def test_only_its_maker_and_admins_revoke(creator, admin, video):
    link, token = make_link(by=creator, video=video)
    for by in (factories.make_member(team=creator.team), factories.make_member(role=Role.ADMIN)):
        with pytest.raises(NotYours):
            sharing.revoke(by=by, link=link)
    assert is_open(token)
    assert sharing.revoke(by=admin, link=link)


def test_change_sets_what_differs_and_keeps_end_and_password(creator, video):
    link, _token = make_link(by=creator, video=video, password="open sesame")
    before = ShareLink.objects.get()
    changed = sharing.change(by=creator, link=link, terms=Terms("Client A", 30, shows_prompt=True))
    assert changed == ["shows_prompt"]
    link.refresh_from_db()
    assert (link.shows_prompt, link.expires_at, link.password) == (True, before.expires_at, before.password)


def test_endless_link_of_before_can_be_changed_but_not_made_endless_anew(creator, video):
    creator.team.links_may_be_endless = True
    link, token = make_link(by=creator, video=video, days=None)
    creator.team.links_may_be_endless = False
    assert sharing.change(by=creator, link=link, terms=Terms("Client B", None)) == ["name"]
    assert is_open(token, now=timezone.now() + timedelta(days=4000))
    with pytest.raises(ValueError, match="links end"):
        sharing.change(by=creator, link=link, terms=Terms("Client C", None), keeps_end=False)
    link.refresh_from_db()
    assert link.name == "Client B"


def test_change_of_end_and_password(creator, video):
    link, token = make_link(by=creator, video=video, password="open sesame")
    now = timezone.now() + timedelta(days=10)
    assert not is_open(token, now=now)
    sharing.change(by=creator, link=link, terms=Terms("Client A", 2), keeps_end=False, keeps_password=False, now=now)
    link.refresh_from_db()
    assert (link.expires_at, link.password) == (now + timedelta(days=2), "")
    assert is_open(token, now=now)


def test_trash_closes_a_link_and_restoring_opens_it(creator, video):
    _link, token = make_link(by=creator, video=video)
    videos.trash(by=creator, videos=[video])
    assert not is_open(token)
    videos.restore(by=creator, videos=[video])
    assert is_open(token)


def test_lost_file_closes_a_link(creator, video):
    _link, token = make_link(by=creator, video=video)
    video.missing_at = timezone.now()
    video.save()
    assert not is_open(token)


def test_what_becomes_private_is_not_shown_by_links_of_others(creator, admin, video):
    _mine, own = make_link(by=creator, video=video)
    _theirs, other = make_link(by=admin, video=video)
    video.visibility = Visibility.PRIVATE
    video.save()
    assert is_open(own)
    assert not is_open(other)


def test_links_end_with_the_membership_of_their_maker(creator, video):
    _link, token = make_link(by=creator, video=video)
    creator.delete()
    assert not is_open(token)
    assert list(ShareLink.objects.open()) == []
    assert ShareLink.objects.ended().count() == 1


def test_collection_shows_what_may_be_seen_in_its_order(creator, admin):
    first, second, trashed, gone = (factories.make_video(by=creator, files=False) for _ in range(4))
    theirs = factories.make_video(by=admin, files=False, visibility=Visibility.PRIVATE)
    mine = factories.make_video(by=creator, files=False, visibility=Visibility.PRIVATE)
    collection = make_collection(second, trashed, theirs, first, mine, gone, by=creator)
    make_collection(first, by=creator)
    link, token = make_link(by=creator, collection=collection)
    videos.trash(by=creator, videos=[trashed])
    gone.missing_at = timezone.now()
    gone.save()
    assert list(sharing.open_link(token=token).videos()) == [second, first]
    assert sharing.still_shows(link=link, video=first)
    assert not sharing.still_shows(link=link, video=theirs)
    assert not sharing.still_shows(link=link, video=mine)


def test_private_collection_of_somebody_else_is_not_shown(creator, admin):
    collection = make_collection(by=creator)
    _link, token = make_link(by=admin, collection=collection)
    assert is_open(token)
    collection.visibility = Visibility.PRIVATE
    collection.save()
    assert not is_open(token)


def test_all_is_on_record_and_no_record_holds_a_secret(creator, admin, video):
    link, token = make_link(by=creator, video=video, password="open sesame", shows_prompt=True)
    sharing.change(by=admin, link=link, terms=Terms("Client B", 7, "another secret"), keeps_password=False)
    new = sharing.renew(by=creator, link=link, shown=sharing.mark_of(link))
    sharing.revoke(by=admin, link=link)
    entries = list(AuditEntry.objects.order_by("id"))
    assert [(entry.kind, entry.by) for entry in entries] == [
        ("link_made", creator.user),
        ("link_changed", admin.user),
        ("link_changed", creator.user),
        ("link_revoked", admin.user),
    ]
    assert {entry.team for entry in entries} == {creator.team}
    assert [entry.data["name"] for entry in entries] == ["Client A", "Client B", "Client B", "Client B"]
    assert entries[1].data["fields"] == ["name", "password", "shows_prompt"]
    assert entries[2].data["fields"] == ["address"]
    assert all(entry.data["video"] == str(video.id) for entry in entries)
    said = str([entry.data for entry in entries])
    secrets = (token, new, "sesame", "another secret", link.token_hash, link.password)
    assert not any(secret in said for secret in secrets)


def test_no_record_without_the_deed(creator, video, monkeypatch):
    link, token = make_link(by=creator, video=video)

    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(sharing.audit, "record", fail)
    with pytest.raises(RuntimeError):
        sharing.revoke(by=creator, link=link)
    assert is_open(token)


def test_open_and_ended_are_all_there_are(creator, video):
    now = timezone.now()
    creator.team.links_may_be_endless = True
    lasting = make_link(by=creator, video=video)[0]
    endless = make_link(by=creator, video=video, days=None)[0]
    over = make_link(by=creator, video=video, now=now - timedelta(days=8))[0]
    revoked = make_link(by=creator, video=video)[0]
    sharing.revoke(by=creator, link=revoked)
    assert set(ShareLink.objects.open(now)) == {lasting, endless}
    assert set(ShareLink.objects.ended(now)) == {over, revoked}
    assert set(ShareLink.objects.ended(now + timedelta(days=8))) == {lasting, over, revoked}
