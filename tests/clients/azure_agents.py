"""What programs do with `azure-ai-agents`: an agent there is an assistant here.

    python -m tests.clients.azure_agents ADDRESS KEY OPEN_ADDRESS

The package speaks to `/api/projects/{name}` and sends no OpenAI-Beta header.
Its usual credentials insist on https, so the key goes out by a policy of its
own core library. It has no method that deletes a message.
"""

import io
import sys
from typing import Any

# The packages of Azure are in an environment below `.clients/`, not where mypy runs.
from azure.ai.agents import AgentsClient, models  # type: ignore[import-not-found]
from azure.core.credentials import AzureKeyCredential  # type: ignore[import-not-found]
from azure.core.exceptions import (  # type: ignore[import-not-found]
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.core.pipeline.policies import (  # type: ignore[import-not-found]
    AzureKeyCredentialPolicy,
)

from tests.clients.azure_runs import runs
from tests.clients.tally import Tally, same

TOOLS = [
    models.FunctionToolDefinition(
        function=models.FunctionDefinition(name="lend", parameters={"type": "object"})
    ),
    models.CodeInterpreterToolDefinition(),
]
FILE_IDS: list[str] = []  # a file that is there
RESOURCES = models.ToolResources(
    code_interpreter=models.CodeInterpreterToolResource(file_ids=FILE_IDS)
)


def main() -> int:
    """Run everything and return the exit status."""
    address, key, open_address = sys.argv[1:]
    tally = Tally()
    with client_of(address, key) as client:
        files(tally, client)
        agents(tally, client)
        threads(tally, client)
        messages(tally, client)
        runs(tally, client)
        errors(tally, client)
    with client_of(open_address, "anything") as client, tally.check("a server without keys works"):
        same(client.threads.create().metadata, {})
    return tally.close()


def client_of(address: str, key: str) -> Any:
    """Return a client of the project `default`."""
    credential = AzureKeyCredential(key)
    policy = AzureKeyCredentialPolicy(credential, "Authorization", prefix="Bearer")
    endpoint = f"{address}/api/projects/default"
    return AgentsClient(endpoint, credential, authentication_policy=policy)


def files(tally: Tally, client: Any) -> None:
    """Each method for files; the last one stays for the others."""
    with tally.check("files.upload, get, list, get_content and delete"):
        made = upload(client, b"Good day.")
        same((made.filename, made.bytes, made.purpose), ("day.txt", 9, "assistants"))
        same(client.files.get(made.id).as_dict(), made.as_dict())
        same(client.files.list().data[0].id, made.id)
        same(b"".join(client.files.get_content(made.id)), b"Good day.")
        client.files.delete(made.id)
    FILE_IDS.append(upload(client, b"Good day.").id)
    RESOURCES.code_interpreter.file_ids = FILE_IDS


def upload(client: Any, data: bytes) -> Any:
    """Upload a file."""
    return client.files.upload(file=io.BytesIO(data), filename="day.txt", purpose="assistants")


def agents(tally: Tally, client: Any) -> None:
    """Each method for agents on one object, and paging."""
    with tally.check("create_agent takes tools, resources and settings"):
        made = client.create_agent(
            model="deployment-1",
            name="Librarian",
            description="Knows the books.",
            instructions="Answer in one sentence.",
            tools=TOOLS,
            tool_resources=RESOURCES,
            temperature=0.25,
            top_p=0.5,
            response_format="auto",
            metadata={"team": "books"},
        )
        same((made.name, made.model, made.temperature), ("Librarian", "deployment-1", 0.25))
        same(made.tools[0].function.name, "lend")
        same(list(made.tool_resources.code_interpreter.file_ids), FILE_IDS)
    with tally.check("get_agent reads the same"):
        same(client.get_agent(made.id).as_dict(), made.as_dict())
    with tally.check("update_agent changes it"):
        changed = client.update_agent(made.id, name="Archivist", metadata={"team": "archive"})
        same((changed.name, changed.metadata), ("Archivist", {"team": "archive"}))
    with tally.check("list_agents pages in both orders"):
        more = [client.create_agent(model="m").id for _ in range(5)]
        newest = [agent.id for agent in client.list_agents(limit=2, order="desc")]
        oldest = [agent.id for agent in client.list_agents(limit=2, order="asc")]
        same(newest[:6], [*reversed(more), made.id])
        same(oldest, newest[::-1])
    with tally.check("delete_agent removes it"):
        client.delete_agent(made.id)
        expect(ResourceNotFoundError, client.get_agent, made.id)


def threads(tally: Tally, client: Any) -> None:
    """Each method for threads on one object, and the list that only this client has."""
    with tally.check("threads.create takes messages, resources and metadata"):
        made = client.threads.create(
            messages=[models.ThreadMessageOptions(role="user", content="Hello.")],
            tool_resources=RESOURCES,
            metadata={"user": "u1"},
        )
        same((made.object, made.metadata), ("thread", {"user": "u1"}))
    with tally.check("threads.get reads the same"):
        same(client.threads.get(made.id).as_dict(), made.as_dict())
    with tally.check("threads.update changes it"):
        changed = client.threads.update(made.id, metadata={"state": "closed"})
        same(changed.metadata, {"user": "u1", "state": "closed"})
    with tally.check("threads.list pages in both orders"):
        more = [client.threads.create().id for _ in range(5)]
        newest = [thread.id for thread in client.threads.list(limit=2, order="desc")]
        oldest = [thread.id for thread in client.threads.list(limit=2, order="asc")]
        same(newest[:6], [*reversed(more), made.id])
        same(oldest, newest[::-1])
    with tally.check("threads.delete removes it"):
        client.threads.delete(made.id)
        expect(ResourceNotFoundError, client.threads.get, made.id)


def messages(tally: Tally, client: Any) -> None:
    """Each method for messages on one thread."""
    thread = client.threads.create()
    with tally.check("messages.create takes parts, attachments and metadata"):
        made = client.messages.create(
            thread_id=thread.id,
            role="user",
            content=[
                models.MessageInputTextBlock(text="What is this?"),
                models.MessageInputImageUrlBlock(
                    image_url=models.MessageImageUrlParam(url="https://example.com/a.png")
                ),
            ],
            attachments=[
                models.MessageAttachment(
                    file_id=FILE_IDS[0], tools=models.CodeInterpreterTool().definitions
                )
            ],
            metadata={"lang": "en"},
        )
        same(made.text_messages[0].text.value, "What is this?")
        same(made.attachments[0].file_id, FILE_IDS[0])
    with tally.check("messages.get reads the same"):
        same(client.messages.get(thread.id, made.id).as_dict(), made.as_dict())
    with tally.check("messages.update changes its metadata"):
        changed = client.messages.update(thread.id, made.id, metadata={"seen": "yes"})
        same(changed.metadata, {"lang": "en", "seen": "yes"})
    with tally.check("messages.list pages in both orders"):
        for number in range(4):
            client.messages.create(thread_id=thread.id, role="user", content=str(number))
        newest = [one.id for one in client.messages.list(thread.id, limit=2, order="desc")]
        oldest = [one.id for one in client.messages.list(thread.id, limit=2, order="asc")]
        same((len(newest), oldest[0]), (5, made.id))
        same(oldest, newest[::-1])


def errors(tally: Tally, client: Any) -> None:
    """What the client makes of refusals."""
    with tally.check("a refusal is an HttpResponseError with message, code and param"):
        body = {"messages": [{"role": "human", "content": "x"}]}
        caught = expect(HttpResponseError, client.threads.create, body)
        same((caught.status_code, caught.error.code), (400, "invalid_value"))
        told = "Invalid value: 'human'. Supported values are: 'user' and 'assistant'."
        same(caught.error.message, told)
    with tally.check("a wrong thread id is explained"):
        caught = expect(HttpResponseError, client.threads.get, "undefined")
        told = "Invalid 'thread_id': 'undefined'. Expected an ID that begins with 'thread'."
        same(caught.error.message, told)


def expect(error: type[Exception], call: Any, *arguments: Any) -> Any:
    """Make a call that must fail with `error`, and return it."""
    try:
        call(*arguments)
    except error as caught:
        return caught
    raise AssertionError(f"{error.__name__} was not raised")


if __name__ == "__main__":
    sys.exit(main())
