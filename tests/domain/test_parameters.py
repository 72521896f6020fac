import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.domain.parameters import MAX_NUMBER, WrongParameters, is_route, read_parameters, written

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,39}", fullmatch=True)
VALUES = st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.text("ab c\u00e9\u96ea\n\t", max_size=50))


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", ()),
        ("  \n", ()),
        ("{}", ()),
        ('{"mode": "pro", "cfg_scale": 0.5}', (("cfg_scale", 0.5), ("mode", "pro"))),
        ('{"draft": true, "steps": 30}', (("draft", True), ("steps", 30))),
    ],
)
def test_pairs_come_in_the_order_of_their_names(text, pairs):
    assert read_parameters(text) == pairs


@pytest.mark.parametrize(
    ("text", "code", "name"),
    [
        ("cfg_scale=0.5", "not_json", ""),
        ('{"a": 1', "not_json", ""),
        ("[" * 1500, "not_json", ""),
        ("[1]", "not_an_object", ""),
        ('"a"', "not_an_object", ""),
        ("null", "not_an_object", ""),
        ('{"a": 1, "a": 2}', "twice", ""),
        ('{"a b": 1}', "name", "a b"),
        ('{"": 1}', "name", ""),
        ('{"__proto__": 1}', "name", "__proto__"),
        ('{"model": "x"}', "reserved", "model"),
        ('{"seed": 1}', "reserved", "seed"),
        ('{"idempotency_key": "x"}', "reserved", "idempotency_key"),
        ('{"webhook_url": "https://x"}', "reserved", "webhook_url"),
        ('{"Webhook": "https://x"}', "reserved", "Webhook"),
        ('{"input_reference": "x"}', "reserved", "input_reference"),
        ('{"image_url": "x"}', "reserved", "image_url"),
        ('{"Model": "x"}', "reserved", "Model"),
        ('{"N": 4}', "reserved", "N"),
        ('{"dry_run": false}', "reserved", "dry_run"),
        ('{"DryRun": false}', "reserved", "DryRun"),
        ('{"IDEMPOTENCY_KEY": "x"}', "reserved", "IDEMPOTENCY_KEY"),
        ('{"metadata": "x"}', "reserved", "metadata"),
        ('{"user": "x"}', "reserved", "user"),
        ('{"media_retention": "none"}', "reserved", "media_retention"),
        ('{"stream": true}', "reserved", "stream"),
        ('{"start_image_url": "x"}', "reserved", "start_image_url"),
        ('{"audio": "https://example.org/a.mp3"}', "address", "audio"),
        ('{"image": " HTTP://127.0.0.1/"}', "address", "image"),
        ('{"image": "data:image/png;base64,AAAA"}', "address", "image"),
        ('{"a": null}', "value", "a"),
        ('{"a": [1]}', "value", "a"),
        ('{"a": {"b": 1}}', "value", "a"),
        ('{"a": NaN}', "value", "NaN"),
        ('{"a": -Infinity}', "value", "-Infinity"),
        ('{"a": 1e999}', "value", "a"),
        ('{"a": 1' + "0" * 400 + "}", "value", "a"),
        ('{"a": -1' + "0" * 1900 + "}", "value", "a"),
        ('{"\\ud800": 1}', "name", "\\ud800"),
        ('{"\\u202eledom": 1}', "name", "\\u202eledom"),
        ('{"\u017feed": 1}', "name", "\u017feed"),
        (json.dumps({"a": MAX_NUMBER + 1}), "value", "a"),
        ('{"a": "\\u0000"}', "value", "a"),
        ('{"a": "\\ud800"}', "value", "a"),
        (json.dumps({"a": "x" * 501}), "value", "a"),
        (json.dumps({"a": "x" * 2000}), "too_long", ""),
        (json.dumps({f"a{n}": n for n in range(21)}), "too_many", ""),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(text, code, name):
    with pytest.raises(WrongParameters) as wrong:
        read_parameters(text)
    assert (wrong.value.code, wrong.value.name) == (code, name)


@given(st.dictionaries(NAMES.filter(lambda name: name.startswith("x")), VALUES, max_size=10))
def test_what_was_written_is_read_again(values):
    pairs = tuple(sorted(values.items()))
    assert read_parameters(written(pairs)) == pairs


@given(st.text(max_size=200))
def test_no_text_fails_in_another_way(text):
    with suppress(WrongParameters):
        assert isinstance(read_parameters(text), tuple)


@pytest.mark.parametrize("text", ["fal", "replicate", "fal-ai", "a1.b_c"])
def test_name_of_a_provider(text):
    assert is_route(text)


@pytest.mark.parametrize("text", ["", "Fal", "fal/x", "a b", "-x", "é", "x" * 41, "fal\n"])
def test_what_is_no_name_of_a_provider(text):
    assert not is_route(text)


def test_parameters_are_written_by_name_whatever_their_order():
    assert written((("mode", "pro"), ("cfg_scale", 0.5))) == '{"cfg_scale": 0.5, "mode": "pro"}'
