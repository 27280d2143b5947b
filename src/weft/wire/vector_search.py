"""Searching a vector store: what a client asks and reads."""

from typing import Annotated, Any, Literal, NoReturn

from msgspec import Meta

from weft.domain.errors import BadRequest
from weft.wire.shapes import Broken, Request, Response

MAX_QUERIES = 32  # ways to say one question
MAX_DEPTH = 8  # of filters within filters
MAX_VALUES = 1000  # that a filter compares attributes with, all together

Question = Annotated[str, Meta(min_length=1, max_length=4096)]
Score = Annotated[float, Meta(ge=0, le=1)]


class Filter(Request):
    """A condition on the attributes of files: a comparison, or several conditions together."""

    type: Annotated[
        Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "and", "or"],
        Meta(description="How `value` is compared with the attribute, or how `filters` combine."),
    ]
    key: Annotated[str | None, Meta(description="Of a comparison: the name of the attribute.")] = (
        None
    )
    value: Annotated[
        str | float | bool | list[str | float] | None,
        Meta(description="Of a comparison: what is compared; a list for `in` and `nin`."),
    ] = None
    filters: Annotated[
        list["Filter"] | None, Meta(description="Of `and` and `or`: the conditions.")
    ] = None

    def __post_init__(self) -> None:
        wanted = ("filters",) if self.type in ("and", "or") else ("key", "value")
        for name in ("key", "value", "filters"):
            if name in wanted and getattr(self, name) is None:
                raise Broken(BadRequest.missing_parameter(name))
            if name not in wanted and getattr(self, name) is not None:
                raise Broken(BadRequest.unknown_parameter(name))
        if "value" in wanted and isinstance(self.value, list) is not (self.type in ("in", "nin")):
            words = ("an array", "a single value")
            expected, got = words if self.type in ("in", "nin") else words[::-1]
            raise Broken(BadRequest.invalid_type("value", expected, got))

    @property
    def depth(self) -> int:
        """How many filters stand within each other."""
        return 1 + max((inner.depth for inner in self.filters or ()), default=0)

    @property
    def values(self) -> int:
        """With how many values attributes are compared."""
        if self.filters is not None:
            return sum(inner.values for inner in self.filters)
        return len(self.value) if isinstance(self.value, list) else 1

    @property
    def plain(self) -> dict[str, Any]:
        """The condition as JSON has it, without what is not set."""
        if self.filters is not None:
            return {"type": self.type, "filters": [inner.plain for inner in self.filters]}
        return {"type": self.type, "key": self.key, "value": self.value}


class SearchRankingOptions(Request):
    """How results are ranked and cut."""

    ranker: Annotated[
        Literal["none", "auto", "default-2024-11-15"] | None,
        Meta(description="The ranker: there is one, and each name means it."),
    ] = None
    score_threshold: Annotated[
        Score | None, Meta(description="Results below this score (0 to 1) are left out.")
    ] = None


class VectorStoreSearchRequest(Request):
    """A question to a vector store."""

    query: Annotated[
        Question | Annotated[list[Question], Meta(min_length=1, max_length=MAX_QUERIES)],
        Meta(description="The question, or one question said in several ways, at most 32."),
    ]
    rewrite_query: Annotated[
        bool | None, Meta(description="Accepted; the question is searched as it is.")
    ] = None
    max_num_results: Annotated[
        Annotated[int, Meta(ge=1, le=50)] | None,
        Meta(description="How many results at most, 1 to 50; 10 by default."),
    ] = None
    filters: Annotated[
        Filter | None, Meta(description="Only files whose attributes meet this condition.")
    ] = None
    ranking_options: SearchRankingOptions | None = None

    def __post_init__(self) -> None:
        if self.filters is None:
            return
        if self.filters.depth > MAX_DEPTH:
            _refuse_filters(f"nested more than {MAX_DEPTH} levels deep")
        if self.filters.values > MAX_VALUES:
            _refuse_filters(f"it compares with more than {MAX_VALUES:,} values")

    @property
    def queries(self) -> list[str]:
        """The ways in which the question is said."""
        return [self.query] if isinstance(self.query, str) else self.query


def _refuse_filters(why: str) -> NoReturn:
    raise Broken(BadRequest(f"Invalid 'filters': {why}.", param="filters", code="invalid_value"))


class VectorStoreSearchResultContentObject(Response, tag_field="type", tag="text"):
    """A passage."""

    text: Annotated[str, Meta(description="The text.")]


class VectorStoreSearchResultItem(Response):
    """A passage that answers, and where it stands."""

    file_id: Annotated[str, Meta(description="The file that it is from.")]
    filename: Annotated[str, Meta(description="The name of the file.")]
    score: Annotated[float, Meta(ge=0, le=1, description="How well it answers, 0 to 1.")]
    attributes: Annotated[
        dict[str, str | float | bool], Meta(description="The attributes of the file.")
    ]
    content: Annotated[list[VectorStoreSearchResultContentObject], Meta(description="The passage.")]


class VectorStoreSearchResultsPage(Response, kw_only=True):
    """What a search found, best first."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: Annotated[list[str], Meta(description="What was searched.")]
    data: Annotated[list[VectorStoreSearchResultItem], Meta(description="The results, best first.")]
    has_more: Annotated[bool, Meta(description="Whether there is another page: there is none.")] = (
        False
    )
    next_page: Annotated[str | None, Meta(description="The next page: none.")] = None
