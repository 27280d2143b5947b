"""The part of the scenario for `azure-ai-agents` that is about runs."""

from typing import Any

# The packages of Azure are in an environment below `.clients/`, not where mypy runs.
from azure.ai.agents import models  # type: ignore[import-not-found]

from tests.clients.tally import Tally, same

DEMO = "weft-demo"
OUTPUTS = {"lend": "It is yours.", "weather": "Rain."}


def lend(book: str) -> str:
    """Lend a book.

    :param book: Its title.
    """
    return OUTPUTS["lend"] if book else ""


def weather(city: str) -> str:
    """Tell the weather.

    :param city: Where.
    """
    return OUTPUTS["weather"] if city else ""


ASKS_FOR_BOTH = "Please lend “Weaving” and tell me the weather in “Köln”."


class Handler(models.AgentEventHandler):  # type: ignore[misc]  # the package is not where mypy runs
    """Notes what is told, by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.text = ""
        self.runs: list[Any] = []

    def on_message_delta(self, delta: Any) -> None:
        """A message grew."""
        self.heard.append("message delta")
        self.text += delta.text

    def on_thread_message(self, message: Any) -> None:
        """A message began or ended."""
        self.heard.append(f"message {message.status.value}")

    def on_thread_run(self, run: Any) -> None:
        """A run took another status."""
        self.heard.append(f"run {run.status.value}")
        self.runs.append(run)

    def on_run_step(self, step: Any) -> None:
        """A step began or ended."""
        self.heard.append(f"step {step.status.value}")

    def on_run_step_delta(self, delta: Any) -> None:  # noqa: ARG002  what it is given
        """A step's calls grew."""
        self.heard.append("step delta")

    def on_done(self) -> None:
        """The stream is over."""
        self.heard.append("done")

    def on_error(self, data: str) -> None:
        """Something failed."""
        self.heard.append(f"error {data}")

    def on_unhandled_event(self, event_type: str, event_data: Any) -> None:  # noqa: ARG002
        """There is no other word for it."""
        self.heard.append(f"unhandled {event_type}")

    def in_short(self) -> list[str]:
        """Return what was heard, what comes several times over only once."""
        pairs = zip(self.heard, ["", *self.heard], strict=False)
        return [one for one, before in pairs if one != before]


ANSWER = [
    *("step in_progress", "message in_progress", "message delta", "message completed"),
    *("step completed", "run completed", "done"),
]


def runs(tally: Tally, client: Any) -> None:
    """Each method for runs and their steps."""
    tools = models.FunctionTool({lend, weather})
    agent = client.create_agent(
        model=DEMO, instructions="Answer in one sentence.", tools=tools.definitions
    )
    polled(tally, client, agent.id)
    streamed(tally, client, agent.id)
    handed_in(tally, client, agent.id)
    threads_and_runs(tally, client, agent.id, tools)


def a_thread(client: Any, text: str) -> str:
    """Make a thread with one message."""
    options = models.ThreadMessageOptions(role="user", content=text)
    return str(client.threads.create(messages=[options]).id)


def answer_of(client: Any, thread: str) -> str:
    """Return the text of the last message of the agent."""
    found = client.messages.get_last_message_text_by_role(thread, role="assistant")
    return str(found.text.value)


def polled(tally: Tally, client: Any, agent: str) -> None:
    """Runs without a stream."""
    thread = a_thread(client, "Hello")
    with tally.check("runs.create takes settings and runs.list and runs.get find the run"):
        run = client.runs.create(
            thread_id=thread,
            agent_id=agent,
            additional_instructions="Now.",
            temperature=0.5,
            top_p=0.25,
            max_prompt_tokens=5000,
            max_completion_tokens=256,
            tool_choice="none",
            parallel_tool_calls=False,
            metadata={"a": "b"},
        )
        same(run.instructions, "Answer in one sentence.\nNow.")
        same((run.agent_id, run.temperature, run.metadata), (agent, 0.5, {"a": "b"}))
        same([one.id for one in client.runs.list(thread)], [run.id])
        same(client.runs.get(thread, run.id).id, run.id)
    with tally.check("runs.create_and_process comes back with the answer written"):
        thread = a_thread(client, "Hello")
        run = client.runs.create_and_process(thread_id=thread, agent_id=agent, polling_interval=0)
        same((run.status, run.last_error), ("completed", None))
        same("demo model" in answer_of(client, thread), True)
    with tally.check("run_steps.list and run_steps.get read the step"):
        (step,) = client.run_steps.list(thread, run.id)
        same((step.type, step.status), ("message_creation", "completed"))
        same(client.run_steps.get(thread, run.id, step.id).id, step.id)
    with tally.check("runs.update changes metadata"):
        same(client.runs.update(thread, run.id, metadata={"c": "d"}).metadata, {"c": "d"})


def streamed(tally: Tally, client: Any, agent: str) -> None:
    """Streams, whose parser fails on a block without an event."""
    with tally.check("runs.stream tells a handler all of a text"):
        thread, handler = a_thread(client, "Hello"), Handler()
        with client.runs.stream(thread, agent_id=agent, event_handler=handler) as stream:
            stream.until_done()
        same(handler.in_short(), ["run queued", "run in_progress", *ANSWER])
        same(handler.text, answer_of(client, thread))
    with tally.check("runs.stream can be read event by event"):
        with client.runs.stream(a_thread(client, "Hello"), agent_id=agent) as stream:
            names = [name for name, _, _ in stream]
        same((names[0], names[-2:]), ("thread.run.created", ["thread.run.completed", "done"]))
    with tally.check("functions are called, their outputs streamed, in one go"):
        client.enable_auto_function_calls({lend, weather})
        thread, handler = a_thread(client, ASKS_FOR_BOTH), Handler()
        with client.runs.stream(thread, agent_id=agent, event_handler=handler) as stream:
            stream.until_done()
        same("run requires_action" in handler.heard, True)
        same(handler.in_short()[-len(ANSWER) :], ANSWER)
        told = answer_of(client, thread)
        same([output in told for output in OUTPUTS.values()], [True, True])


def handed_in(tally: Tally, client: Any, agent: str) -> None:
    """Outputs without helpers, and a cancellation."""
    with tally.check("runs.submit_tool_outputs goes on to the answer"):
        thread = a_thread(client, ASKS_FOR_BOTH)
        run = waiting(client, thread, agent)
        outputs = [
            models.ToolOutput(tool_call_id=call.id, output=OUTPUTS[call.function.name])
            for call in run.required_action.submit_tool_outputs.tool_calls
        ]
        same(len(outputs), 2)
        handler = Handler()
        client.runs.submit_tool_outputs_stream(
            thread, run.id, tool_outputs=outputs, event_handler=handler
        )
        handler.until_done()
        begin = ["step completed", "run queued", "run in_progress"]
        same(handler.in_short(), [*begin, *ANSWER])
    with tally.check("runs.cancel ends a run that waits"):
        thread = a_thread(client, ASKS_FOR_BOTH)
        run = waiting(client, thread, agent)
        same(client.runs.cancel(thread, run.id).status, "cancelling")


def waiting(client: Any, thread: str, agent: str) -> Any:
    """Return a run that waits for the outputs of both functions."""
    run = client.runs.create(thread_id=thread, agent_id=agent)
    while run.status in ("queued", "in_progress"):
        run = client.runs.get(thread, run.id)
    same(run.status, "requires_action")
    return run


def threads_and_runs(tally: Tally, client: Any, agent: str, tools: Any) -> None:
    """A thread and its run in one call."""
    options = models.AgentThreadCreationOptions(
        messages=[models.ThreadMessageOptions(role="user", content=ASKS_FOR_BOTH)]
    )
    with tally.check("create_thread_and_run makes both"):
        run = client.create_thread_and_run(agent_id=agent, thread=options)
        same(client.threads.get(run.thread_id).id, run.thread_id)
    with tally.check("create_thread_and_process_run calls the functions itself"):
        toolset = models.ToolSet()
        toolset.add(tools)
        run = client.create_thread_and_process_run(
            agent_id=agent, thread=options, toolset=toolset, polling_interval=0
        )
        same(run.status, "completed")
        told = answer_of(client, run.thread_id)
        same([output in told for output in OUTPUTS.values()], [True, True])
