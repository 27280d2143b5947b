"""File searches as run steps show them."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from weft.wire.shapes import Response

# What the stored form of a step holds if one of its calls is a search.
MARK = '"type":"file_search"'


class RankingUsed(Response):
    """How the results were ranked."""

    ranker: Annotated[str, Meta(description="The ranker.")]
    score_threshold: Annotated[float, Meta(description="Results below this score were left out.")]


class ResultText(Response, tag_field="type", tag="text"):
    """The passage of a result."""

    text: Annotated[str, Meta(description="The text.")]


class SearchResult(Response, kw_only=True):
    """A passage that a search found."""

    file_id: Annotated[str, Meta(description="The file that it is from.")]
    file_name: Annotated[str, Meta(description="The name of the file.")]
    score: Annotated[float, Meta(ge=0, le=1, description="How well it answers, 0 to 1.")]
    attributes: Annotated[
        dict[str, str | int | float | bool], Meta(description="The attributes of the file.")
    ]
    content: Annotated[
        list[ResultText] | UnsetType, Meta(description="The passage, where it was asked for.")
    ] = UNSET


class SearchCall(Response):
    """A search and what it found."""

    ranking_options: RankingUsed
    results: Annotated[list[SearchResult], Meta(description="What was found, best first.")]


class FileSearchToolCall(Response, tag_field="type", tag="file_search", kw_only=True):
    """A search in files: the server does it itself."""

    id: Annotated[str, Meta(description="The identifier of the call.")]
    file_search: SearchCall


def with_passages(wire: str, passages: Mapping[str, list[str]]) -> str:
    """Return a step's wire form with the passages of its searches, by the id of their call."""
    step: dict[str, Any] = json.loads(wire)
    for call in step["step_details"].get("tool_calls", ()):
        if call["type"] == "file_search":
            results = call["file_search"]["results"]
            for result, text in zip(results, passages.get(call["id"], ()), strict=False):
                result["content"] = [{"type": "text", "text": text}]
    return json.dumps(step, ensure_ascii=False, separators=(",", ":"))
