// The part of the scenario for npm `openai` 4 and 7 that is about runs and models.

import assert from "node:assert/strict";

const DEMO = "weft-demo";
const INCLUDE = ["step_details.tool_calls[*].file_search.results[*].content"];
const HELLO = { role: "user", content: "Hello" };
const ASKS_FOR_BOTH = {
  role: "user",
  content: "Please lend “Weaving” and tell me the weather in “Köln”.",
};
const OUTPUTS = { lend: "It is yours.", weather: "Rain." };

function tool(name, parameter) {
  const properties = { [parameter]: { type: "string" } };
  const parameters = { type: "object", properties, required: [parameter] };
  return { type: "function", function: { name, parameters } };
}

const SETTINGS = {
  model: DEMO,
  instructions: "Answer in one word.",
  tools: [tool("sell", "book")],
  metadata: { question: "q_1" },
  temperature: 0.5,
  top_p: 0.25,
  max_prompt_tokens: 5000,
  max_completion_tokens: 256,
  truncation_strategy: { type: "last_messages", last_messages: 3 },
  tool_choice: "none",
  parallel_tool_calls: false,
  response_format: { type: "json_object" },
};
const SELL = { type: "function", function: { ...SETTINGS.tools[0].function, strict: false } };
const SETTINGS_READ = { ...SETTINGS, tools: [SELL] };

const picked = (object, names) => Object.fromEntries(names.map((name) => [name, object[name]]));
const settingsOf = (run) => picked(run, Object.keys(SETTINGS));
const outputsOf = (run) =>
  run.required_action.submit_tool_outputs.tool_calls.map((call) => ({
    tool_call_id: call.id,
    output: OUTPUTS[call.function.name],
  }));

// What a stream tells, without `event`, and what comes several times over only once.
const HEARD = [
  ...["runStepCreated", "runStepDelta", "runStepDone"],
  ...["toolCallCreated", "toolCallDelta", "toolCallDone"],
  ...["messageCreated", "messageDelta", "messageDone"],
  ...["textCreated", "textDelta", "textDone", "end", "error", "abort"],
];

// Return what a stream tells, from now on.
function hearing(stream) {
  const heard = [];
  for (const name of HEARD) {
    // The SDK goes on writing into what it hands out.
    stream.on(name, (...values) => heard.push([name, ...structuredClone(values)]));
  }
  return heard;
}

// The SDK puts its messages together from their pieces: status and dates are those of the first.
const inShort = (messages) => messages.map((one) => [one.id, one.content[0].text.value]);

const values = (heard, wanted) =>
  heard.filter(([name]) => name === wanted).map(([, first]) => first);

// Check the runs of a client. `isOld`: version 4, which names every id by its position.
export async function runs({ check, refused, client, isOld, BadRequestError, NotFoundError }) {
  const { assistants, threads } = client.beta;
  const { steps } = threads.runs;
  const of = (thread_id, id, method, body = {}) =>
    isOld
      ? threads.runs[method](thread_id, id, body)
      : threads.runs[method](id, { thread_id, ...body });
  const changing = (thread_id, id, method) =>
    isOld ? threads.runs[method](thread_id, id) : threads.runs[method](id, { thread_id });
  const stepsOf = (thread_id, id, query) =>
    isOld ? steps.list(thread_id, id, query) : steps.list(id, { thread_id, ...query });
  const stepOf = (thread_id, run_id, id, query) =>
    isOld
      ? steps.retrieve(thread_id, run_id, id, query)
      : steps.retrieve(id, { thread_id, run_id, ...query });
  const pollIntervalMs = 20; // otherwise this SDK waits for 5 s, or as long as the server says
  const all = async (pages) => {
    const found = [];
    for await (const one of pages) found.push(one);
    return found;
  };
  const aThread = async (message) => (await threads.create({ messages: [message] })).id;
  const answers = async (run) =>
    all(threads.messages.list(run.thread_id, { run_id: run.id, order: "asc" }));
  const answerOf = async (run) => {
    const found = await answers(run);
    assert.equal(found.length, 1);
    return found[0].content[0].text.value;
  };

  const assistant = await assistants.create({
    model: DEMO,
    instructions: "Answer in one sentence.",
    tools: [tool("lend", "book"), tool("weather", "city")],
  });
  const asked = { assistant_id: assistant.id };

  await check("runs.create takes every setting and gives it back", async () => {
    const thread = await aThread(HELLO);
    const body = { ...asked, ...SETTINGS, include: INCLUDE, additional_messages: [HELLO] };
    const run = await threads.runs.create(thread, body);
    assert.deepEqual(settingsOf(run), SETTINGS_READ);
    assert.equal(run.status, "queued");
    const done = isOld
      ? await threads.runs.poll(thread, run.id, { pollIntervalMs })
      : await threads.runs.poll(run.id, { thread_id: thread }, { pollIntervalMs });
    assert.equal(done.status, "completed");
    assert.deepEqual(await changing(thread, run.id, "retrieve"), done);
  });

  await check("runs.createAndPoll comes back with the answer written", async () => {
    const thread = await aThread(HELLO);
    const run = await threads.runs.createAndPoll(thread, asked);
    assert.equal(run.status, "completed");
    assert.match(await answerOf(run), /demo model/);
  });

  await check("runs.stream tells all of a text and ends with what REST has", async () => {
    const stream = threads.runs.stream(await aThread(HELLO), asked);
    const heard = hearing(stream);
    const run = await stream.finalRun();
    await stream.done();
    const told = values(heard, "textDelta")
      .map((delta) => delta.value ?? "")
      .join("");
    assert.equal(told, await answerOf(run));
    const once = ["runStepCreated", "messageCreated", "textCreated", "textDone", "messageDone"];
    for (const name of [...once, "runStepDone", "end"]) {
      assert.equal(heard.filter(([told]) => told === name).length, 1, name);
    }
    assert.deepEqual(values(heard, "error"), []);
    assert.deepEqual(inShort(await stream.finalMessages()), inShort(await answers(run)));
    const found = await all(stepsOf(run.thread_id, run.id, {}));
    assert.deepEqual(
      (await stream.finalRunSteps()).map((step) => step.id),
      found.map((step) => step.id),
    );
  });

  await check("raw events come in their order", async () => {
    const names = [];
    const body = { ...asked, stream: true };
    for await (const event of await threads.runs.create(await aThread(HELLO), body)) {
      names.push(event.event);
    }
    assert.deepEqual([names[0], names.at(-1)], ["thread.run.created", "thread.run.completed"]);
  });

  await check("submitToolOutputsStream goes on from parallel calls to the answer", async () => {
    const thread = await aThread(ASKS_FOR_BOTH);
    const stream = threads.runs.stream(thread, asked);
    const heard = hearing(stream);
    const run = await stream.finalRun();
    assert.equal(run.status, "requires_action");
    const wanted = run.required_action.submit_tool_outputs.tool_calls;
    assert.deepEqual(
      values(heard, "toolCallDone").map((call) => [call.id, call.function.arguments]),
      wanted.map((call) => [call.id, call.function.arguments]),
    );
    assert.equal(values(heard, "toolCallCreated").length, 2);
    const body = { tool_outputs: outputsOf(run) };
    const second = of(thread, run.id, "submitToolOutputsStream", body);
    const rest = hearing(second);
    const done = await second.finalRun();
    assert.equal(done.status, "completed");
    assert.equal(values(rest, "textDone")[0].value, await answerOf(done));
    assert.deepEqual(inShort(await second.finalMessages()), inShort(await answers(done)));
  });

  await check("submitToolOutputsAndPoll goes on to the answer", async () => {
    const thread = await aThread(ASKS_FOR_BOTH);
    const run = await threads.runs.createAndPoll(thread, asked, { pollIntervalMs });
    const body = { tool_outputs: outputsOf(run) };
    const done = await of(thread, run.id, "submitToolOutputsAndPoll", body);
    assert.equal(done.status, "completed");
    for (const output of Object.values(OUTPUTS)) assert.ok((await answerOf(done)).includes(output));
    const found = await all(stepsOf(thread, run.id, { order: "asc", limit: 1, include: INCLUDE }));
    assert.deepEqual(
      found.map((step) => step.type),
      ["tool_calls", "message_creation"],
    );
    for (const step of found) {
      const read = await stepOf(thread, run.id, step.id, { include: INCLUDE });
      assert.deepEqual({ ...read }, { ...step });
    }
  });

  await check("threads.createAndRun, createAndRunPoll and createAndRunStream work", async () => {
    const body = { ...asked, thread: { messages: [HELLO] } };
    const made = await threads.createAndRun({ ...body, ...SETTINGS });
    assert.deepEqual(settingsOf(made), SETTINGS_READ);
    const polled = await threads.createAndRunPoll(body, { pollIntervalMs });
    assert.equal(polled.status, "completed");
    const stream = threads.createAndRunStream(body);
    const events = [];
    stream.on("event", (event) => events.push(event.event));
    const run = await stream.finalRun();
    assert.equal(events[0], "thread.created");
    assert.deepEqual(inShort(await stream.finalMessages()), inShort(await answers(run)));
  });

  await check("a busy thread raises BadRequestError", async () => {
    const thread = await aThread(ASKS_FOR_BOTH);
    const run = await threads.runs.createAndPoll(thread, asked, { pollIntervalMs });
    const busy = await refused(threads.runs.create(thread, asked), BadRequestError);
    assert.equal(
      busy.error.message,
      `Thread ${thread} already has an active run ${run.id}.`,
    );
    const locked = await refused(threads.messages.create(thread, HELLO), BadRequestError);
    assert.equal(
      locked.error.message,
      `Can't add messages to ${thread} while a run ${run.id} is active.`,
    );
    const changed = await of(thread, run.id, "update", { metadata: { a: "b" } });
    assert.deepEqual(changed.metadata, { a: "b" });
    assert.equal((await changing(thread, run.id, "cancel")).status, "cancelling");
    const again = await threads.runs.create(thread, { ...asked, queue_when_busy: true });
    assert.deepEqual(
      (await all(threads.runs.list(thread, { limit: 1 }))).map((one) => one.id),
      [again.id, run.id],
    );
  });

  await check("models.list and models.retrieve have the configured names", async () => {
    assert.deepEqual(
      (await all(client.models.list())).map((model) => model.id),
      [DEMO],
    );
    assert.equal((await client.models.retrieve(DEMO)).id, DEMO);
    const missing = await refused(client.models.retrieve("gpt-4o"), NotFoundError);
    assert.equal(missing.code, "model_not_found");
  });
}
