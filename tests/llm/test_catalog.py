"""Which model answers for a name, and what is said when none does."""

import asyncio
import tomllib
from typing import Any

import pytest

from weft.llm.catalog import Catalog, Endpoint
from weft.llm.model import ModelError


def endpoint(match: str, url: str = "http://127.0.0.1:9/v1", **fields: Any) -> Endpoint:
    return Endpoint(match=match, url=url, **fields)


def test_the_first_pattern_that_fits_wins() -> None:
    catalog = Catalog([endpoint("gpt-4o"), endpoint("gpt-*"), endpoint("GPT-5")])
    exact, wide = catalog.find("gpt-4o"), catalog.find("gpt-4o-mini")
    assert exact is not wide
    assert catalog.find("gpt-5") is wide
    assert catalog.find("GPT-5") not in (exact, wide)
    asyncio.run(catalog.close())


def test_names_are_the_exact_ones_and_the_demo() -> None:
    patterns = ["gpt-4o", "llama-*", "qwen?", "o[13]", "gpt-4o", "weft-demo", "*"]
    catalog = Catalog([endpoint(pattern) for pattern in patterns])
    assert catalog.names() == ["gpt-4o", "weft-demo"]
    assert Catalog([]).names() == ["weft-demo"]


def test_the_demo_is_there_whatever_the_patterns() -> None:
    catalog = Catalog([endpoint("*")])
    assert catalog.find("weft-demo") is not catalog.find("anything")


def test_an_unknown_model_says_what_to_put_into_the_configuration() -> None:
    name = 'my "model"'
    with pytest.raises(ModelError) as caught:
        Catalog([endpoint("gpt-*")]).find(name)
    assert caught.value.code == "server_error"
    before, _, advice = caught.value.message.partition("[[models]]")
    assert "weft.toml" in before
    (entry,) = tomllib.loads("[[models]]" + advice.rpartition("\n\n")[0])["models"]
    assert entry["match"] == name
    assert Catalog([Endpoint(**entry)]).find(name)


@pytest.mark.parametrize("url", ["api.openai.com/v1", "ftp://host/v1", "http://", "http://h:x", ""])
def test_an_address_that_cannot_be_used_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ModelError) as caught:
        Catalog([endpoint("gpt-*", url=url)])
    assert 'match = "gpt-*"' in caught.value.message
    assert "http:// or https://" in caught.value.message


def test_a_key_that_no_header_can_hold_is_refused_and_not_shown() -> None:
    with pytest.raises(ModelError) as caught:
        Catalog([endpoint("gpt-*", api_key="sk-sec\nret")])
    assert "sk-sec" not in caught.value.message


def test_a_line_end_after_the_key_does_not_matter() -> None:
    headers = endpoint("gpt-*", api_key="sk-secret\n").request_headers()
    assert headers["Authorization"] == "Bearer sk-secret"


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
        ("http://localhost:11434/v1/", "http://localhost:11434/v1/chat/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h/v1?team=a", "http://h/v1/chat/completions?team=a"),
        ("http://h", "http://h/chat/completions"),
    ],
)
def test_the_path_is_appended(url: str, asked: str) -> None:
    assert str(endpoint("*", url=url).request_url()) == asked


def test_the_version_joins_what_the_address_has() -> None:
    found = endpoint("*", url="http://h/v1?team=a", api_version="1").request_url()
    assert dict(found.params) == {"team": "a", "api-version": "1"}
