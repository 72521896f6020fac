"""A server that is away: said, taken back, and nothing is lost."""

from tests.browser.conftest import ready_card, stays, still_there


def test_server_away_is_said_and_taken_back_and_the_prompt_is_still_there(visit, people, watch, up) -> None:
    watch.expected += ["ERR_CONNECTION_REFUSED", "Failed to fetch", "status of 503", "ERR_EMPTY_RESPONSE"]
    watch.expected += ["ERR_CONNECTION_RESET"]
    people.get("patient").order("Never ends [[sandbox:stuck]]", seconds=1)
    page = visit("/create/?model=p-video&seconds=1", who="patient")
    page.fill("#prompt", "Kept while the server is away")
    stays(page)
    try:
        assert up.stop() == 0
        line = page.locator("#connection", has_text="No contact with the server since")
        line.wait_for()
        page.locator("#generate").click()
        assert page.input_value("#prompt") == "Kept while the server is away"
    finally:
        up.start().ready()
    line.wait_for(state="hidden")
    page.locator(".toast", has_text="Back in contact").wait_for()
    assert page.input_value("#prompt") == "Kept while the server is away"
    page.locator("#generate").click()
    ready_card(page, "Kept while the server is away")
    assert still_there(page)
    found = up.query("SELECT count(*) FROM playground_run WHERE prompt = 'Kept while the server is away'")
    assert found == [(1,)]
