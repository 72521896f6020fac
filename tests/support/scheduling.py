"""Which tests stay together on one worker of pytest-xdist, since what they stand on is dear to start.

By file, not by the marker `xdist_group`: pytest-xdist 3.8 hands that on in a test's id, which pytest 9 computes anew.
"""

from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    "tests/journeys/test_main_job.py": "an installation",
    "tests/browser/test_pages.py": "pages with videos",
    "tests/browser/test_with_videos.py": "pages with videos",
    "tests/browser/alone/test_new_user.py": "an installation without others",
    "tests/browser/alone/test_charged_once.py": "an installation without others",
    "tests/browser/alone/test_odd_bodies.py": "an installation without others",
    "tests/browser/alone/test_server_away.py": "an installation without others",
    "tests/faults/test_surroundings.py": "an installation under fire",
    "tests/media/test_bucket.py": "a bucket",
    "tests/media/test_storage.py": "a bucket",
    "tests/views/test_media_in_a_bucket.py": "a bucket",
    "tests/services/test_bucket.py": "another bucket",
    "tests/test_object_storage.py": "another bucket",
    "tests/views/test_account_in_chromium.py": "a test database for pages",
    "tests/views/test_spend_in_chromium.py": "a test database for pages",
    "tests/views/test_create_in_chromium.py": "another test database for pages",
    "tests/views/test_in_chromium.py": "another test database for pages",
    "tests/views/test_bucket_in_chromium.py": "another test database for pages",
}


class Together(LoadScopeScheduling):
    """Tests of the same group go to one worker, all others go one by one to whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER.get(nodeid.split("::")[0], nodeid)
