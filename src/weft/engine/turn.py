"""One answer of the model, as it comes: text becomes a message, calls become a step."""

from collections.abc import Callable
from itertools import groupby
from typing import Any

import msgspec

from weft.domain.ids import Ids
from weft.engine.citing import Citing, Piece, Sources
from weft.engine.journal import Ended, Journal, OpenMessage
from weft.engine.searching import Search
from weft.llm.model import (
    Delta,
    Finished,
    FinishReason,
    ModelError,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)
from weft.llm.model import Usage as ModelUsage
from weft.llm.tokens import Calibration, estimate
from weft.store import runs as store
from weft.store.database import Statement
from weft.wire import events
from weft.wire.events import PartKind
from weft.wire.messages import FileCitation
from weft.wire.runs import (
    CachedTokens,
    CalledFunction,
    FunctionCall,
    FunctionToolCall,
    ReasoningTokens,
    RequiredAction,
    RunStepObject,
    RunToolCallObject,
    ToolCalls,
    ToolCallsToSubmit,
    Usage,
)
from weft.wire.search_calls import FileSearchToolCall, SearchCall
from weft.wire.shapes import encode

_PARTS: dict[type, PartKind] = {TextDelta: "text", RefusalDelta: "refusal"}


class _Call:
    """A function call as it arrives."""

    def __init__(self, index: int, call_id: str, name: str) -> None:
        self.index = index
        self.id = call_id
        self.name = name
        self.arguments = ""
        self.search: FileSearchToolCall | None = None  # instead of a function of the client's

    @property
    def shown(self) -> FunctionToolCall | FileSearchToolCall:
        """The call as its step shows it."""
        if self.search is not None:
            return self.search
        return FunctionToolCall(
            id=self.id, function=CalledFunction(self.name, self.arguments, None)
        )


class Turn:
    """What the model says in one answer. `take` its deltas in order, then close it."""

    def __init__(
        self,
        journal: Journal,
        ids: Ids,
        now: Callable[[], int],
        search: Search | None = None,
        sources: Sources | None = None,
    ) -> None:
        """`search` is what a call of that name does; `sources` are what the text may cite."""
        self.calls: dict[int, _Call] = {}
        self.usage = Usage()
        self.finish: FinishReason = "stop"
        self._reported: ModelUsage | None = None
        self._journal = journal
        self._ids = ids
        self._now = now
        self._message: OpenMessage | None = None
        self._step: RunStepObject | None = None
        self._said: list[str] = []
        self._search = search
        self._sources = sources or {}
        self._citing = Citing(self._sources)

    @property
    def searches(self) -> list[_Call]:
        """The calls that search files, in order."""
        return [call for call in self._in_order() if call.search is not None]

    @property
    def functions(self) -> list[_Call]:
        """The calls of the client's functions, in order."""
        return [call for call in self._in_order() if call.search is None]

    async def take(self, batch: list[Delta]) -> None:
        """Log a batch of deltas in one write.

        Raises: store.database.Refused once the run is no longer this attempt's.
        """
        statements: list[Statement] = []
        for kind, run_of in groupby(batch, type):
            deltas: list[Any] = list(run_of)
            if kind in _PARTS:
                texts = [delta.text for delta in deltas if delta.text]
                if texts:
                    self._said += texts
                    self._say(statements, _PARTS[kind], texts)
            elif kind is ToolCallDelta:
                self._take_calls(deltas, statements)
            elif kind is Finished:
                self.finish = deltas[-1].reason
            elif kind is ModelUsage:
                self._reported = deltas[-1]
        if statements:
            await self._journal.write(*statements)

    def _say(self, statements: list[Statement], kind: PartKind, texts: list[str]) -> None:
        """Log a batch of text; what may become a source mark waits for more."""
        cited: dict[int, FileCitation] = {}
        if kind == "text" and self._sources:
            pieces = [piece for text in texts for piece in self._citing.take(text)]
            texts, cited = _split(pieces)
        message = self._writing(statements)
        if texts:
            statements += self._journal.say(message, kind, texts, cited)

    def _writing(self, statements: list[Statement]) -> OpenMessage:
        """Return the open message, begun if there is none."""
        if self._message is None:
            self._message, begin = self._journal.open_message(self._now())
            statements += begin
        return self._message

    def _take_calls(self, deltas: list[ToolCallDelta], statements: list[Statement]) -> None:
        now = self._now()
        # Text ahead of calls is a message of its own; the turn's usage counts with the calls.
        self._end_message(statements, now, Ended())
        if self._step is None:
            self._step, begin = self._journal.open_step(ToolCalls([]), now)
            statements += begin
        shown: list[dict[str, Any]] = []
        for delta in deltas:
            call = self.calls.get(delta.index)
            if call is None:
                call = _Call(delta.index, self._fresh_id(delta.id), delta.name or "")
                self.calls[delta.index] = call
                if self._search is not None and call.name == self._search.name:
                    call.id = self._ids.new("call_")
                    begun = SearchCall(self._search.ranking, [])
                    call.search = FileSearchToolCall(id=call.id, file_search=begun)
                    shown.append(_shown_search(call, begun))
                else:
                    function = {"name": call.name, "arguments": "", "output": None}
                    shown.append(_shown(call, function, id=call.id))
            if delta.arguments:
                call.arguments += delta.arguments
            if delta.arguments and call.search is None:
                shown.append(_shown(call, {"arguments": delta.arguments}))
        if shown:
            data = events.call_deltas(self._step.id, shown)
            event = store.event(self._journal.key, events.STEP_DELTA, data, len(shown))
            statements.append(event)

    def settle_usage(self, model: str, estimated: int, calibration: Calibration) -> None:
        """Set `usage` to what the model reported, or to an estimate if it reported nothing.

        `estimated` is about how many tokens the prompt had, not adjusted to the model.
        """
        said = "".join(self._said)
        said += "".join(call.name + call.arguments for call in self.calls.values())
        if self._reported is None:
            prompt = calibration.adjust(model, estimated)
            completion = estimate(said)
            self.usage = Usage(prompt, completion, prompt + completion)
            return
        reported = self._reported
        calibration.learn(model, estimated, reported.prompt_tokens)
        self.usage = Usage(
            reported.prompt_tokens,
            reported.completion_tokens,
            reported.prompt_tokens + reported.completion_tokens,
            CachedTokens(reported.cached_tokens),
            ReasoningTokens(reported.reasoning_tokens),
        )

    def end(self, now: int, ended: Ended) -> list[Statement]:
        """Return the statements that end all that is open; an empty answer is a message too."""
        statements: list[Statement] = []
        if self._step is None:
            self._writing(statements)
            self._end_message(statements, now, ended._replace(usage=self.usage))
        else:
            self._end_message(statements, now, ended)
            self._step.step_details = self._details()
            ended = ended._replace(usage=self.usage)
            statements += self._journal.end_step(self._step, now, ended)
        return statements

    def await_outputs(self, now: int) -> tuple[list[Statement], RequiredAction]:
        """Return the statements that leave the calls open, and what the client has to do.

        Raises: ModelError when arguments are not JSON: no client could call with them.
        """
        assert self._step is not None  # noqa: S101  # where there are calls, a step holds them
        for call in self.functions:
            _require_json(call)
        statements: list[Statement] = []
        self._end_message(statements, now, Ended())
        self._step.step_details = self._details()
        self._step.usage = self.usage
        statements.append(store.replace_step(self._journal.key, self._step.id, encode(self._step)))
        wanted = [
            RunToolCallObject(id=call.id, function=FunctionCall(call.name, call.arguments))
            for call in self.functions
        ]
        return statements, RequiredAction(submit_tool_outputs=ToolCallsToSubmit(wanted))

    def _end_message(self, statements: list[Statement], now: int, ended: Ended) -> None:
        if self._message is not None:
            if held := self._citing.rest():
                texts, cited = _split(held)
                statements += self._journal.say(self._message, "text", texts, cited)
            self._citing = Citing(self._sources)
            statements += self._journal.end_message(self._message, now, ended)
            self._message = None

    def _details(self) -> ToolCalls:
        return ToolCalls([call.shown for call in self._in_order()])

    def _in_order(self) -> list[_Call]:
        return [self.calls[index] for index in sorted(self.calls)]

    def _fresh_id(self, given: str | None) -> str:
        """Return the model's own id of a call; outputs of two calls are told apart by it."""
        taken = {call.id for call in self.calls.values()}
        return given if given and given not in taken else self._ids.new("call_")


def _shown(call: _Call, function: dict[str, Any], **more: str) -> dict[str, Any]:
    """Return a delta of a call in the order of the recorded ones."""
    return {"index": call.index, **more, "type": "function", "function": function}


def _shown_search(call: _Call, begun: SearchCall) -> dict[str, Any]:
    """Return the one delta of a search: it begins, and has found nothing yet."""
    return {
        "index": call.index,
        "id": call.id,
        "type": "file_search",
        "file_search": msgspec.to_builtins(begun),
    }


def _split(pieces: list[Piece]) -> tuple[list[str], dict[int, FileCitation]]:
    """Return the texts of pieces, and the citations by the place of their text."""
    cited = {place: piece.citation for place, piece in enumerate(pieces) if piece.citation}
    return [piece.text for piece in pieces], cited


def _require_json(call: _Call) -> None:
    try:
        msgspec.json.decode(call.arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ModelError(
            "server_error",
            f"The model called '{call.name}' with arguments that are not JSON: "
            f"{call.arguments[:200]}",
        ) from None
