"""What programs do with `openai` 1.x and 2.x: one scenario that both must live through.

    python -m tests.clients.scenario ADDRESS KEY OPEN_ADDRESS

ADDRESS is a server that takes KEY, OPEN_ADDRESS one that was never given a key.
"""

import asyncio
import sys
from typing import Any

import openai
from openai import AsyncOpenAI, AzureOpenAI, OpenAI

from tests.clients.scenario_runs import runs
from tests.clients.tally import Tally, same
from tests.sdk import facts
from tests.sdk.file_story import CHAPTERS, Noted, methods_of, refused


def main() -> int:
    """Run everything and return the exit status."""
    address, key, open_address = sys.argv[1:]
    tally = Tally()
    sent: list[Any] = []
    http_client = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]})
    with OpenAI(base_url=f"{address}/v1", api_key=key, http_client=http_client) as client:
        named(client)
        asyncio.run(files(tally, "blocking", client))
        asyncio.run(files_asynchronously(tally, address, key))
        assistants(tally, client)
        assistant_pages(tally, client)
        threads(tally, client)
        messages(tally, client)
        message_pages(tally, client, sent)
        errors(tally, client, sent)
        runs(tally, client)
        the_rest(tally, client)
    azure(tally, address, key)
    without_keys(tally, open_address)
    return tally.close()


# The files and the store that the facts refer to, by the names that they have there.
NAMES: dict[str, str] = {}


def real(fact: dict[str, Any]) -> dict[str, Any]:
    """Return a fact with the identifiers of what is there."""
    renamed: dict[str, Any] = facts.renamed(fact, NAMES)
    return renamed


def named(client: OpenAI) -> None:
    """Make what the facts refer to."""
    for name in facts.FILES:
        made = client.files.create(file=(f"{name}.txt", b"Good day."), purpose="assistants")
        NAMES[name] = made.id
    NAMES[facts.STORE] = client.vector_stores.create().id


async def files(tally: Tally, kind: str, client: Any) -> None:
    """Every method of files, uploads and vector stores."""
    called: set[str] = set()
    for claim, chapter in CHAPTERS.items():
        with tally.check(f"{claim} ({kind})"):
            await chapter(Noted(client, called))
    with tally.check(f"no method of them is left out ({kind})"):
        same(methods_of(client) - called, set())
    with tally.check(f"a wrong purpose raises BadRequestError ({kind})"):
        wrong: Any = "world_domination"
        create = client.files.create
        await refused(lambda: create(file=b"x", purpose=wrong), openai.BadRequestError)


async def files_asynchronously(tally: Tally, address: str, key: str) -> None:
    """The same with the other client."""
    async with AsyncOpenAI(base_url=f"{address}/v1", api_key=key) as client:
        await files(tally, "async", client)


def assistants(tally: Tally, client: OpenAI) -> None:
    """Each method of `client.beta.assistants` on one object."""
    with tally.check("assistants.create takes every parameter and gives it back"):
        made = client.beta.assistants.create(**real(facts.ASSISTANT))
        own = {"id": made.id, "created_at": made.created_at}
        same(made.to_dict(), {**real(facts.ASSISTANT_READ), **own})
    with tally.check("assistants.retrieve reads the same"):
        same(client.beta.assistants.retrieve(made.id), made)
    with tally.check("assistants.update changes every parameter"):
        changed = client.beta.assistants.update(made.id, **real(facts.ASSISTANT_CHANGE))
        same(changed.to_dict(), {**real(facts.ASSISTANT_CHANGED), **own})
    with tally.check("assistants.delete removes it"):
        gone = client.beta.assistants.delete(made.id)
        same((gone.id, gone.object, gone.deleted), (made.id, "assistant.deleted", True))
        expect(openai.NotFoundError, client.beta.assistants.retrieve, made.id)


def assistant_pages(tally: Tally, client: OpenAI) -> None:
    """Auto-paging over assistants."""
    first, *made = [client.beta.assistants.create(model="m", name=str(n)) for n in range(6)]
    ids = [one.id for one in made]
    with tally.check("assistants.list pages oldest first"):
        same([one.id for one in client.beta.assistants.list(order="asc", after=first.id)], ids)
        pages = client.beta.assistants.list(order="asc", limit=2, after=first.id).iter_pages()
        same([len(page.data) for page in pages], [2, 2, 1])
    with tally.check("assistants.list pages newest first"):
        newest = [one.id for one in client.beta.assistants.list(limit=2)]
        same(newest[:6], [*reversed(ids), first.id])
        same(len(newest), len(set(newest)))
    with tally.check("assistants.list ends ahead of a cursor"):
        page = client.beta.assistants.list(order="asc", limit=2, before=ids[3])
        same([one.id for one in page.data], ids[1:3])


def threads(tally: Tally, client: OpenAI) -> None:
    """Each method of `client.beta.threads` on one object."""
    with tally.check("threads.create takes nothing at all"):
        same(client.beta.threads.create().to_dict()["metadata"], {})
    with tally.check("threads.create takes every parameter and gives it back"):
        made = client.beta.threads.create(**real(facts.THREAD))
        own = {"id": made.id, "created_at": made.created_at}
        same(made.to_dict(), {**real(facts.THREAD_READ), **own})
    with tally.check("threads.retrieve reads the same"):
        same(client.beta.threads.retrieve(made.id), made)
    with tally.check("threads.update changes every parameter"):
        changed = client.beta.threads.update(made.id, **real(facts.THREAD_CHANGE))
        same(changed.to_dict(), {**real(facts.THREAD_CHANGED), **own})
    with tally.check("threads.delete removes it and its messages"):
        gone = client.beta.threads.delete(made.id)
        same((gone.id, gone.object, gone.deleted), (made.id, "thread.deleted", True))
        expect(openai.NotFoundError, client.beta.threads.retrieve, made.id)
        expect(openai.NotFoundError, client.beta.threads.messages.list, made.id)


def messages(tally: Tally, client: OpenAI) -> None:
    """Each method of `client.beta.threads.messages` on one thread."""
    thread = client.beta.threads.create()
    with tally.check("messages.create takes a string"):
        plain = client.beta.threads.messages.create(thread.id, role="assistant", content="Hello.")
        same(text(plain), "Hello.")
        same((plain.role, plain.thread_id), ("assistant", thread.id))
    with tally.check("messages.create takes parts and attachments"):
        made = client.beta.threads.messages.create(thread.id, **real(facts.MESSAGE))
        dates = {"created_at": made.created_at, "completed_at": made.created_at}
        own = {"id": made.id, "thread_id": thread.id, **dates}
        same(made.to_dict(), {**real(facts.MESSAGE_READ), **own})
    with tally.check("messages.retrieve reads the same"):
        same(client.beta.threads.messages.retrieve(made.id, thread_id=thread.id), made)
    with tally.check("messages.update adds metadata and keeps the rest"):
        changed = client.beta.threads.messages.update(
            made.id, thread_id=thread.id, metadata={"seen": "yes"}
        )
        same(changed.to_dict(), {**made.to_dict(), "metadata": {"lang": "en", "seen": "yes"}})
    with tally.check("messages.delete removes it and leaves the others"):
        gone = client.beta.threads.messages.delete(made.id, thread_id=thread.id)
        same((gone.id, gone.object, gone.deleted), (made.id, "thread.message.deleted", True))
        same(client.beta.threads.messages.list(thread.id).data, [plain])


def message_pages(tally: Tally, client: OpenAI, sent: list[Any]) -> None:
    """Auto-paging and cursors over messages of one second."""
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": str(number)} for number in range(5)]
    )
    listed = client.beta.threads.messages.list
    with tally.check("messages.list pages in both orders, in no more requests than needed"):
        sent.clear()
        same([text(one) for one in listed(thread.id, order="asc", limit=2)], list("01234"))
        same([text(one) for one in listed(thread.id, order="desc", limit=2)], list("43210"))
        same(len(sent), 6)
    with tally.check("messages.list takes after and before"):
        ids = [one.id for one in listed(thread.id, order="asc")]
        page = listed(thread.id, order="asc", after=ids[0], before=ids[3])
        same([text(one) for one in page.data], ["1", "2"])
    with tally.check("messages.list finds the messages of one run"):
        restored: dict[str, Any] = {"id": "msg_of_run", "run_id": "run_1"}
        written = client.beta.threads.messages.create(
            thread.id, role="assistant", content="x", extra_body=restored
        )
        same(listed(thread.id, run_id="run_1").data, [written])
    with tally.check("messages can be deleted while paging over them"):
        for one in listed(thread.id, limit=2):
            client.beta.threads.messages.delete(one.id, thread_id=thread.id)
        same(listed(thread.id).data, [])


def errors(tally: Tally, client: OpenAI, sent: list[Any]) -> None:
    """Each refusal as the exception that programs catch, sent once."""
    thread = client.beta.threads.create()
    for name, refusal in facts.REFUSALS.items():
        with tally.check(f"{name} raises {refusal.error.__name__} and is not tried again"):
            sent.clear()
            caught = expect(refusal.error, refusal.call, client, thread.id)
            facts.check_refused(caught, refusal)
            same([request.headers["x-stainless-retry-count"] for request in sent], ["0"])


def the_rest(tally: Tally, client: OpenAI) -> None:
    """Raw responses and repeated creation."""
    with tally.check("with_raw_response has the request id and the object"):
        raw = client.beta.threads.with_raw_response.create(metadata={"a": "b"})
        same(str(raw.request_id)[:4], "req_")
        same(raw.parse().metadata, {"a": "b"})
    with tally.check("the same Idempotency-Key gives the same thread"):
        key = {"Idempotency-Key": f"python-{openai.__version__}"}
        first = client.beta.threads.create(extra_headers=key)
        same(client.beta.threads.create(extra_headers=key), first)


def azure(tally: Tally, address: str, key: str) -> None:
    """The client of Azure's older API."""
    version = "2024-05-01-preview"
    with (
        AzureOpenAI(azure_endpoint=address, api_key=key, api_version=version) as client,
        tally.check("AzureOpenAI works under /openai with the api-key header"),
    ):
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello."}])
        same([text(one) for one in client.beta.threads.messages.list(thread.id)], ["Hello."])
        same(client.beta.threads.delete(thread.id).deleted, True)


def without_keys(tally: Tally, open_address: str) -> None:
    """The first minutes of a new user."""
    with (
        OpenAI(base_url=f"{open_address}/v1", api_key="anything") as client,
        tally.check("a server without keys takes any key from this machine"),
    ):
        thread = client.beta.threads.create()
        same(client.beta.threads.retrieve(thread.id).id, thread.id)


def text(message: Any) -> str:
    """Return the text of a message, as programs read it."""
    value: str = message.content[0].text.value
    return value


def expect(
    error: type[openai.APIStatusError], call: Any, *arguments: Any, **named: Any
) -> openai.APIStatusError:
    """Make a call that must fail with `error`, and return it."""
    try:
        call(*arguments, **named)
    except error as caught:
        return caught
    raise AssertionError(f"{error.__name__} was not raised")


if __name__ == "__main__":
    sys.exit(main())
