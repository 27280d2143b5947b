"""What programs do with `openai` 1.x and 2.x: one scenario that both must live through.

    python -m tests.clients.scenario ADDRESS KEY OPEN_ADDRESS

ADDRESS is a server that takes KEY, OPEN_ADDRESS one that was never given a key.
"""

import hashlib
import sys
from typing import Any

import openai
from openai import AzureOpenAI, OpenAI

from tests.clients.scenario_runs import runs
from tests.clients.tally import Tally, same
from tests.sdk import facts


def main() -> int:
    """Run everything and return the exit status."""
    address, key, open_address = sys.argv[1:]
    tally = Tally()
    sent: list[Any] = []
    http_client = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]})
    with OpenAI(base_url=f"{address}/v1", api_key=key, http_client=http_client) as client:
        files(tally, client)
        uploads(tally, client)
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


# The files that the facts refer to, by the names that they have there.
FILES: dict[str, str] = {}


def real(fact: dict[str, Any]) -> dict[str, Any]:
    """Return a fact with the identifiers of files that are there."""
    renamed: dict[str, Any] = facts.renamed(fact, FILES)
    return renamed


def files(tally: Tally, client: OpenAI) -> None:
    """Each method of `client.files`; what is left is for the facts."""
    for name in facts.FILES:
        made = client.files.create(file=(f"{name}.txt", b"Good day."), purpose="assistants")
        FILES[name] = made.id
    with tally.check("files.create keeps the name, the size and the purpose"):
        made = client.files.create(file=("größe.bin", bytes(range(256))), purpose="user_data")
        same((made.filename, made.bytes, made.purpose), ("größe.bin", 256, "user_data"))
        same((made.object, made.status), ("file", "processed"))
    with tally.check("files.retrieve and wait_for_processing read the same"):
        same(client.files.retrieve(made.id), made)
        same(client.files.wait_for_processing(made.id, poll_interval=0.01), made)
    with tally.check("files.content brings the bytes"):
        same(client.files.content(made.id).read(), bytes(range(256)))
    with tally.check("files.list pages and filters"):
        same(next(one.id for one in client.files.list(purpose="user_data")), made.id)
        newest = [one.id for one in client.files.list(limit=2, order="asc")]
        same(newest[-1], made.id)
        same(len(newest), len(set(newest)))
    with tally.check("files.delete removes it"):
        same(client.files.delete(made.id).deleted, True)
        expect(openai.NotFoundError, client.files.retrieve, made.id)
    with tally.check("a wrong purpose raises BadRequestError"):
        wrong: Any = "world_domination"
        expect(openai.BadRequestError, client.files.create, file=b"x", purpose=wrong)


def uploads(tally: Tally, client: OpenAI) -> None:
    """Each method of `client.uploads`."""
    about: dict[str, Any] = {"filename": "a.txt", "purpose": "batch", "mime_type": "text/plain"}
    with tally.check("uploads make a file of their parts, in the order given"):
        upload = client.uploads.create(bytes=6, **about)
        parts = [client.uploads.parts.create(upload.id, data=data) for data in (b"def", b"abc")]
        ids = [part.id for part in reversed(parts)]
        md5 = hashlib.md5(b"abcdef", usedforsecurity=False).hexdigest()
        done = client.uploads.complete(upload.id, part_ids=ids, md5=md5)
        same(done.status, "completed")
        assert done.file is not None
        same(client.files.content(done.file.id).read(), b"abcdef")
    with tally.check("uploads.upload_file_chunked sends a file in parts"):
        data = bytes(range(250))
        done = client.uploads.upload_file_chunked(
            file=data, bytes=len(data), part_size=100, **about
        )
        assert done.file is not None
        same(client.files.content(done.file.id).read(), data)
    with tally.check("uploads.cancel ends it"):
        upload = client.uploads.create(bytes=6, **about)
        same(client.uploads.cancel(upload.id).status, "cancelled")
        expect(openai.BadRequestError, client.uploads.complete, upload.id, part_ids=[])


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
