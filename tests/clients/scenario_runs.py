"""The part of the scenario for `openai` 1.x and 2.x that is about runs and models."""

from typing import Any

import openai
from openai import OpenAI

from tests.clients.tally import Tally, same
from tests.sdk import run_facts as facts
from tests.sdk.run_facts import Recorder, in_short, outputs_of, values


def runs(tally: Tally, client: OpenAI) -> None:
    """Each method of `client.beta.threads.runs`, of its steps, and of `client.models`."""
    assistant = client.beta.assistants.create(**facts.LIBRARIAN).id
    polled(tally, client, assistant)
    streamed(tally, client, assistant)
    functions(tally, client, assistant)
    threads_and_runs(tally, client, assistant)
    changed(tally, client, assistant)
    models(tally, client)


def a_thread(client: OpenAI, message: Any) -> str:
    """Make a thread with one message."""
    return client.beta.threads.create(messages=[message]).id


def answers(client: OpenAI, run: Any) -> list[Any]:
    """Return the messages that a run wrote, as REST has them, oldest first."""
    found = client.beta.threads.messages.list(run.thread_id, run_id=run.id, order="asc")
    return [message.to_dict() for message in found]


def polled(tally: Tally, client: OpenAI, assistant: str) -> None:
    """Runs without a stream."""
    thread = a_thread(client, facts.HELLO)
    with tally.check("runs.create takes every setting and gives it back"):
        run = client.beta.threads.runs.create(
            thread,
            assistant_id=assistant,
            include=facts.INCLUDE,
            additional_messages=[facts.HELLO],
            **facts.SETTINGS,
        )
        same({name: run.to_dict()[name] for name in facts.SETTINGS}, facts.SETTINGS_READ)
    with tally.check("runs.poll and runs.retrieve agree about its end"):
        done = client.beta.threads.runs.poll(run.id, thread_id=thread)
        same((done.status, done.last_error), ("completed", None))
        same(client.beta.threads.runs.retrieve(run.id, thread_id=thread), done)
    with tally.check("runs.create_and_poll comes back with the answer written"):
        thread = a_thread(client, facts.HELLO)
        run = client.beta.threads.runs.create_and_poll(thread_id=thread, assistant_id=assistant)
        same((run.status, len(answers(client, run))), ("completed", 1))


def streamed(tally: Tally, client: OpenAI, assistant: str) -> None:
    """Streams of a text."""
    with tally.check("runs.stream calls every callback and ends with what REST has"):
        handler = Recorder()
        with client.beta.threads.runs.stream(
            thread_id=a_thread(client, facts.HELLO), assistant_id=assistant, event_handler=handler
        ) as stream:
            stream.until_done()
        same(in_short(handler.heard), facts.OF_A_TEXT)
        run = handler.get_final_run()
        same(client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id), run)
        same([one.to_dict() for one in handler.get_final_messages()], answers(client, run))
    with tally.check("runs.create(stream=True) gives the raw events"):
        thread = a_thread(client, facts.HELLO)
        events = client.beta.threads.runs.create(thread, assistant_id=assistant, stream=True)
        names = [event.event for event in events]
        same((names[0], names[-1]), ("thread.run.created", "thread.run.completed"))


def functions(tally: Tally, client: OpenAI, assistant: str) -> None:
    """Parallel calls, handed in in each way."""
    runs = client.beta.threads.runs
    with tally.check("runs.stream shows parallel calls up to where they wait"):
        thread, handler = a_thread(client, facts.ASKS_FOR_BOTH), Recorder()
        with runs.stream(thread_id=thread, assistant_id=assistant, event_handler=handler) as stream:
            stream.until_done()
        same(in_short(handler.heard), facts.OF_TWO_CALLS)
        run = handler.get_final_run()
        same(run.status, "requires_action")
    with tally.check("submit_tool_outputs_stream goes on to the answer"):
        second = Recorder()
        with runs.submit_tool_outputs_stream(
            run_id=run.id, thread_id=thread, tool_outputs=outputs_of(run), event_handler=second
        ) as stream:
            stream.until_done()
        same(in_short(second.heard), facts.OF_A_SUBMISSION)
        messages = [one.to_dict() for one in second.get_final_messages()]
        same(messages, answers(client, second.get_final_run()))
    with tally.check("steps.list and steps.retrieve read what was done"):
        steps = list(runs.steps.list(run.id, thread_id=thread, order="asc", limit=1))
        same([one.type for one in steps], ["tool_calls", "message_creation"])
        for one in steps:
            read = runs.steps.retrieve(
                one.id, thread_id=thread, run_id=run.id, include=facts.INCLUDE
            )
            same(read, one)
    with tally.check("submit_tool_outputs_and_poll goes on to the answer"):
        thread = a_thread(client, facts.ASKS_FOR_BOTH)
        run = runs.create_and_poll(thread_id=thread, assistant_id=assistant)
        done = runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread, tool_outputs=outputs_of(run)
        )
        same((run.status, done.status), ("requires_action", "completed"))


def threads_and_runs(tally: Tally, client: OpenAI, assistant: str) -> None:
    """A thread and its run in one call."""
    threads = client.beta.threads
    with tally.check("threads.create_and_run takes every setting"):
        made = threads.create_and_run(
            assistant_id=assistant, thread={"messages": [facts.HELLO]}, **facts.SETTINGS
        )
        same({name: made.to_dict()[name] for name in facts.SETTINGS}, facts.SETTINGS_READ)
    with tally.check("threads.create_and_run_poll comes back with the answer written"):
        run = threads.create_and_run_poll(
            assistant_id=assistant, thread={"messages": [facts.HELLO]}
        )
        same((run.status, len(answers(client, run))), ("completed", 1))
    with tally.check("threads.create_and_run_stream begins with the thread"):
        handler = Recorder()
        with threads.create_and_run_stream(
            assistant_id=assistant, thread={"messages": [facts.HELLO]}, event_handler=handler
        ) as stream:
            stream.until_done()
        same(values(handler.heard, "on_event")[0].event, "thread.created")
        same(in_short(handler.heard), facts.OF_A_TEXT)


def changed(tally: Tally, client: OpenAI, assistant: str) -> None:
    """What is done to a run, and what is not."""
    runs = client.beta.threads.runs
    thread = a_thread(client, facts.ASKS_FOR_BOTH)
    run = runs.create_and_poll(thread_id=thread, assistant_id=assistant)
    with tally.check("a second run raises BadRequestError, and so does a message"):
        for call in (
            lambda: runs.create(thread, assistant_id=assistant),
            lambda: client.beta.threads.messages.create(thread, **facts.HELLO),
        ):
            try:
                call()
            except openai.BadRequestError as caught:
                same(run.id in str(caught.message), True)
            else:
                raise AssertionError("BadRequestError was not raised")
    with tally.check("runs.update and runs.cancel change a run that waits"):
        same(runs.update(run.id, thread_id=thread, metadata={"a": "b"}).metadata, {"a": "b"})
        same(runs.cancel(run.id, thread_id=thread).status, "cancelling")
        same(runs.poll(run.id, thread_id=thread).status, "cancelled")
    with tally.check("runs.list pages"):
        second = runs.create_and_poll(thread_id=thread, assistant_id=assistant)
        found = [one.id for one in runs.list(thread, limit=1)]
        same(found, [second.id, run.id])


def models(tally: Tally, client: OpenAI) -> None:
    """The models of the settings."""
    with tally.check("models.list and models.retrieve have the configured names"):
        same([model.id for model in client.models.list()], [facts.DEMO])
        same(client.models.retrieve(facts.DEMO).id, facts.DEMO)
