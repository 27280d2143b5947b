"""Reads that wait at the same moment share one round trip, and one query where they ask the same.

While one round is under way the next one gathers. Reads change nothing: what a
lost connection leaves unanswered is asked once more.
"""

import asyncio
from typing import Any

from weft.store.database import Page, Params, Row
from weft.store.postgres.forms import Form, Forms
from weft.store.postgres.link import Link, told
from weft.store.postgres.pipe import POINT, Answer, Lost, Question


class _Asked:
    """A question and who waits for its rows."""

    __slots__ = ("done", "form", "formats", "is_first", "name", "values")

    def __init__(
        self, name: str, form: Form, params: Params, is_first: bool, done: "asyncio.Future[Any]"
    ) -> None:
        self.name = name
        self.form = form
        self.values, self.formats = form.values(params)
        self.is_first = is_first  # only the first row is wanted
        self.done = done

    def give(self, rows: Row | list[Row] | None) -> None:
        if not self.done.done():
            self.done.set_result(rows)

    def fail(self, fault: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(told(fault))


class _Group:
    """What is asked by one query."""

    __slots__ = ("_columns", "asked", "form", "is_many")

    def __init__(self, asked: list[_Asked], forms: Forms) -> None:
        self.asked = asked
        first = asked[0]
        self.is_many = len(asked) > 1 and forms.can_be_many(first.name)
        self.form = forms.many(first.name) if self.is_many else first.form
        if self.is_many:
            self._columns = forms.columns(first.name, [one.values for one in asked])

    def question(self) -> Question:
        """Return the query."""
        if not self.is_many:
            return Question(self.form, self.asked[0].values, self.asked[0].formats)
        return Question(self.form, *self._columns)

    def take(self, answer: Answer) -> list[_Asked]:
        """Tell everybody what they asked for; return those who have to ask alone."""
        assert answer is not None  # noqa: S101  # a query has an answer
        if isinstance(answer, Exception):
            if self.is_many:
                return self.asked  # what one of them asks for may be to blame
            for asked in self.asked:
                asked.fail(answer)
            return []
        rows = self.form.rows(answer)
        if self.is_many:
            found: dict[int, Row] = {row[0]: row[1:] for row in rows}
            for number, asked in enumerate(self.asked, 1):
                asked.give(found.get(number))
        else:
            for asked in self.asked:
                asked.give((rows[0] if rows else None) if asked.is_first else rows)
        return []


class Reads:
    """Everything that is read over one connection."""

    def __init__(self, link: Link, forms: Forms) -> None:
        self._link = link
        self._forms = forms
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Asked] = []
        self._working: asyncio.Task[None] | None = None

    def one(self, name: str, params: Params) -> "asyncio.Future[Row | None]":
        """Return the first row of a query, or None."""
        return self._ask(name, self._forms.plain[name], params, is_first=True)

    async def page(self, name: str, params: Params, limit_bytes: int | None) -> Page:
        """Return rows until their last texts exceed `limit_bytes`, one at least."""
        if limit_bytes is None:
            return Page(await self._ask(name, self._forms.plain[name], params), is_cut=False)
        form = self._forms.page(name)
        rows: list[Row] = await self._ask(name, form, {**params, "limit_bytes": limit_bytes})
        # Behind the columns asked for stand: how many rows there are, which one, bytes up to it.
        is_cut = bool(rows) and rows[0][-3] > len(rows)
        return Page([row[:-3] for row in rows], is_cut)

    async def alive(self) -> None:
        """Return if the database answers. Raises: Unavailable."""
        await self._ask("alive", self._forms.own["alive"], {}, is_first=True)

    def _ask(
        self, name: str, form: Form, params: Params, *, is_first: bool = False
    ) -> "asyncio.Future[Any]":
        done: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append(_Asked(name, form, params, is_first, done))
        if self._working is None:
            # It begins behind what else is ready: reads of the same moment join.
            self._working = self._loop.create_task(self._work())
        return done

    async def _work(self) -> None:
        while self._waiting:
            asked, self._waiting = self._waiting, []
            try:
                try:
                    alone = await self._round(self._grouped(asked))
                except Lost:
                    alone = asked  # they ask once more, on the next connection if there is one
                if alone:
                    await self._round([_Group([one], self._forms) for one in alone])
            except Exception as fault:  # noqa: BLE001  # whoever waits is told
                for one in asked:
                    one.fail(fault)
        self._working = None

    def _grouped(self, asked: list[_Asked]) -> list[_Group]:
        alike: dict[object, list[_Asked]] = {}
        for one in asked:
            # Pages are not alike: each has rows of its own.
            is_alike = one.is_first and (not one.values or self._forms.can_be_many(one.name))
            alike.setdefault(one.name if is_alike else one, []).append(one)
        return [_Group(group, self._forms) for group in alike.values()]

    async def _round(self, groups: list[_Group]) -> list[_Asked]:
        """Ask and tell; return those who have to ask alone. Raises: Lost, Unavailable."""
        pipe = await self._link.ready()
        questions: list[Question | None] = []
        for group in groups:
            questions += (group.question(), POINT)  # a fault is of one query only
        answers = await self._link.ask(pipe, questions)
        alone: list[_Asked] = []
        for group, answer in zip(groups, answers[::2], strict=True):
            alone += group.take(answer)
        return alone
