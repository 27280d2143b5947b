"""File search in a run: what is searched, what the model is told, what it may cite.

The model is offered a function; the engine executes it. Each passage that is found gets a mark,
`【4:0†handbook.txt】`, and the model is asked to write it behind what it takes from there.
"""

import asyncio
from typing import NamedTuple

import msgspec

from weft.engine.citing import Sources, mark_of
from weft.llm.embeddings import Embedder
from weft.llm.model import FunctionTool as OfferedFunction
from weft.llm.tokens import estimate
from weft.retrieval.search import Ranking, search
from weft.store import assistants as assistant_store
from weft.store import runs as run_store
from weft.store import searches
from weft.store import threads as thread_store
from weft.store import vector_stores as store
from weft.store.database import Database
from weft.store.runs import RunKey
from weft.store.searches import SearchRow
from weft.wire.assistants import stored as stored_assistant
from weft.wire.runs import RunObject, ToolCalls, stored_step
from weft.wire.search_calls import FileSearchToolCall, RankingUsed, SearchCall, SearchResult
from weft.wire.threads import stored as stored_thread
from weft.wire.tools import FileSearchTool, FunctionTool, ToolResources
from weft.wire.vector_search import MAX_QUERIES

NAME = "file_search"
RESULTS = 20  # of a search whose tool sets no number
TOKENS = 16_000  # of passages in one search
MAX_ROUNDS = 10  # turns with searches in one run: a model that goes on and on has to answer
LOOK_S = 1.0
_QUERY_CHARACTERS = 4096

_HEAD = (
    "Passages from the files, best first, each under its mark. When you use a passage, write its "
    "mark right behind the words that rest on it, exactly as it stands here."
)
_NOTHING = "Nothing in the files matches this query."
_NO_QUERY = 'The search needs a query: {"query": "..."}.'


class Search(NamedTuple):
    """What a run searches, and under which name the model is offered it."""

    name: str
    tool: FileSearchTool
    store_ids: list[str]
    of_thread: list[str]

    @property
    def offer(self) -> OfferedFunction:
        """The function for the model."""
        return OfferedFunction(
            name=self.name,
            description="Search the files of this conversation and of the assistant. Use it "
            "whenever the answer may stand in them.",
            parameters={
                "type": "object",
                "properties": {
                    "query": {"type": "string", "description": "What to look for, in full words."}
                },
                "required": ["query"],
            },
        )

    @property
    def ranking(self) -> RankingUsed:
        """How results are ranked, as steps show it."""
        options = self.tool.file_search.ranking_options
        return RankingUsed(options.ranker, options.score_threshold)


async def search_of(database: Database, key: RunKey, run: RunObject) -> Search | None:
    """Return what a run searches: the stores of its thread and of its assistant, if it may."""
    tool = next((tool for tool in run.tools if isinstance(tool, FileSearchTool)), None)
    if tool is None:
        return None
    thread = await thread_store.get(database, key.project, key.thread_id)
    assistant = await assistant_store.get(database, key.project, run.assistant_id)
    of_thread = _stores(stored_thread.decode(thread).tool_resources) if thread else []
    others = _stores(stored_assistant.decode(assistant).tool_resources) if assistant else []
    found = [
        store_id
        for store_id in dict.fromkeys([*of_thread, *others])
        if await store.get(database, key.project, store_id) is not None
    ]
    return Search(name_for(run), tool, found, of_thread) if found else None


def name_for(run: RunObject) -> str:
    """Return what the search is called for the model: a function of the client's goes first."""
    taken = {tool.function.name for tool in run.tools if isinstance(tool, FunctionTool)}
    return NAME if NAME not in taken else f"weft_{NAME}"


def _stores(found: ToolResources) -> list[str]:
    return found.file_search.vector_store_ids if found.file_search else []


async def until_indexed(database: Database, project: str, search: Search, wait_s: float) -> None:
    """Wait until the files of the thread's stores are indexed, at most `wait_s`."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + wait_s
    for store_id in search.of_thread:
        with database.bells.listening(store.topic(store_id)) as bell:
            while (left := give_up_at - loop.time()) > 0:
                row = await store.get(database, project, store_id)
                if row is None or not row.in_progress:
                    break
                await bell.wait(min(left, LOOK_S))


async def perform(
    database: Database,
    embedder: Embedder | None,
    project: str,
    search_: Search,
    call_id: str,
    arguments: str,
    mark: int,
) -> tuple[FileSearchToolCall, SearchRow]:
    """Search, and return the call as its step shows it and what is kept beside it."""
    results: list[SearchResult] = []
    passages: list[str] = []
    queries = queries_in(arguments)
    if queries:
        settings = search_.tool.file_search
        hybrid = settings.ranking_options.hybrid_search
        found = await search(
            database,
            embedder,
            project,
            search_.store_ids,
            queries,
            limit=settings.max_num_results or RESULTS,
            ranking=Ranking(
                score_threshold=settings.ranking_options.score_threshold,
                embedding_weight=hybrid.embedding_weight if hybrid else 1.0,
                text_weight=hybrid.text_weight if hybrid else 1.0,
            ),
        )
        left = TOKENS
        for passage in found:
            left -= estimate(passage.text)
            if left < 0 and passages:
                break
            passages.append(passage.text)
            results.append(
                SearchResult(
                    file_id=passage.file_id,
                    file_name=passage.filename,
                    score=passage.score,
                    attributes=passage.attributes,
                )
            )
    call = FileSearchToolCall(id=call_id, file_search=SearchCall(search_.ranking, results))
    return call, SearchRow(call_id, mark, arguments, passages)


def queries_in(arguments: str) -> list[str]:
    """Return what the model wants to know; nothing when its arguments say nothing."""
    try:
        given = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return []
    asked = given.get("query", given.get("queries")) if isinstance(given, dict) else given
    said = [asked] if isinstance(asked, str) else asked if isinstance(asked, list) else []
    queries = [each[:_QUERY_CHARACTERS] for each in said if isinstance(each, str) and each.strip()]
    return queries[:MAX_QUERIES]


def told(call: FileSearchToolCall, row: SearchRow) -> str:
    """Return what the model reads of a search."""
    if not queries_in(row.arguments):
        return _NO_QUERY
    pairs = zip(call.file_search.results, row.passages, strict=True)
    parts = [
        f"{mark_of(row.mark, number, result.file_name)}\n{passage}"
        for number, (result, passage) in enumerate(pairs)
    ]
    return "\n\n".join([_HEAD, *parts]) if parts else _NOTHING


async def sources_of(database: Database, key: RunKey) -> Sources:
    """Return what a run's answers may cite: the results of its searches so far."""
    rows = await searches.of_run(database, key)
    found: Sources = {}
    for wire in await run_store.steps(database, key) if rows else ():
        details = stored_step.decode(wire).step_details
        for call in details.tool_calls if isinstance(details, ToolCalls) else ():
            if isinstance(call, FileSearchToolCall) and call.id in rows:
                for number, result in enumerate(call.file_search.results):
                    found[rows[call.id].mark, number] = result.file_id
    return found
