// What programs do with npm `openai` 4 and 7: one scenario that both must live through.
//
//     node scenario.mjs PACKAGES ADDRESS KEY OPEN_ADDRESS
//
// PACKAGES is the folder whose node_modules has the package. ADDRESS is a server
// that takes KEY, OPEN_ADDRESS one that was never given a key. Version 4 names
// every id by its position and deletes with `del`; version 7 takes the last id by
// position, the others by name, and deletes with `delete`.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

import { files } from "./scenario_files.mjs";
import { runs } from "./scenario_runs.mjs";

const [packages, address, key, openAddress] = process.argv.slice(2);
const require = createRequire(join(packages, "package.json"));
const { AzureOpenAI, BadRequestError, NotFoundError, OpenAI, AuthenticationError, toFile } =
  require("openai");
const version = require("openai/version").VERSION;
const isOld = version.startsWith("4.");

// --- counting --------------------------------------------------------------------------------

const tally = { passed: 0, failed: 0 };

async function check(claim, act) {
  try {
    await act();
    tally.passed += 1;
    console.log(`  ok    ${claim}`);
  } catch (fault) {
    tally.failed += 1;
    console.log(`  FAIL  ${claim}\n        ${fault?.stack ?? fault}`);
  }
}

async function refused(promise, error) {
  try {
    await promise;
  } catch (caught) {
    assert.ok(caught instanceof error, `${caught} is no ${error.name}`);
    return caught;
  }
  assert.fail(`${error.name} was not raised`);
}

async function all(pages) {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
}

const ids = (objects) => objects.map((one) => one.id);
const texts = (messages) => messages.map((one) => one.content[0].text.value);
const reversed = (list) => [...list].reverse();

// --- what differs between the versions -------------------------------------------------------

// Every request as it went out, retries too. Version 4 brings its own HTTP library.
const sent = [];
const transport = isOld ? require("node-fetch") : fetch;
const noting = (url, options) => {
  sent.push({ url: String(url), headers: new Headers(options.headers) });
  return transport(url, options);
};

const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: key, fetch: noting });
const { assistants, threads } = client.beta;
const messages = threads.messages;

const deleteAssistant = (id) => (isOld ? assistants.del(id) : assistants.delete(id));
const deleteThread = (id) => (isOld ? threads.del(id) : threads.delete(id));
const getMessage = (thread_id, id) =>
  isOld ? messages.retrieve(thread_id, id) : messages.retrieve(id, { thread_id });
const updateMessage = (thread_id, id, body) =>
  isOld ? messages.update(thread_id, id, body) : messages.update(id, { thread_id, ...body });
const deleteMessage = (thread_id, id) =>
  isOld ? messages.del(thread_id, id) : messages.delete(id, { thread_id });

// --- what is sent, and what must come back ---------------------------------------------------

const SCHEMA = { type: "object", properties: { title: { type: "string" } } };
const ASSISTANT = {
  model: "any-model-1",
  name: "Librarian",
  description: "Knows the books.",
  instructions: "Answer in one sentence.",
  reasoning_effort: "low",
  metadata: { team: "books", größe: "日本語" },
  temperature: 0.25,
  top_p: 0.5,
  response_format: { type: "json_schema", json_schema: { name: "book", schema: SCHEMA } },
  tools: [
    { type: "code_interpreter" },
    { type: "file_search" },
    { type: "function", function: { name: "lend", parameters: SCHEMA, strict: true } },
  ],
  tool_resources: {
    code_interpreter: { file_ids: ["file-1"] },
    file_search: { vector_store_ids: ["vs_1"] },
  },
};
const RANKING = { ranker: "default_2024_08_21", score_threshold: 0, hybrid_search: null };
const ASSISTANT_READ = {
  ...ASSISTANT,
  object: "assistant",
  tools: [
    ASSISTANT.tools[0],
    { type: "file_search", file_search: { ranking_options: RANKING } },
    ASSISTANT.tools[2],
  ],
};
const CONTENT = [
  { type: "text", text: "What is on these two?" },
  { type: "image_url", image_url: { url: "https://example.com/a.png", detail: "high" } },
  { type: "image_file", image_file: { file_id: "file-1" } },
];
const CONTENT_READ = [
  { type: "text", text: { value: "What is on these two?", annotations: [] } },
  CONTENT[1],
  { type: "image_file", image_file: { file_id: "file-1", detail: "auto" } },
];
const ATTACHMENTS = [
  { file_id: "file-1", tools: [{ type: "code_interpreter" }, { type: "file_search" }] },
];
const MESSAGE = {
  role: "user",
  content: CONTENT,
  attachments: ATTACHMENTS,
  metadata: { lang: "en" },
};
const THREAD = {
  messages: [{ role: "user", content: "Good day." }, MESSAGE],
  metadata: { user: "u1", state: "open" },
  tool_resources: ASSISTANT.tool_resources,
};

// --- files -------------------------------------------------------------------------------------

const errors = { BadRequestError, NotFoundError };
await files({ check, refused, client, isOld, toFile, errors });

// What the objects above call file-1 and vs_1.
const { id: fileId } = await client.files.create({
  file: await toFile(Buffer.from("Good day."), "day.txt"),
  purpose: "assistants",
});
ASSISTANT.tool_resources.code_interpreter.file_ids[0] = fileId;
CONTENT[2].image_file.file_id = CONTENT_READ[2].image_file.file_id = fileId;
ATTACHMENTS[0].file_id = fileId;
ASSISTANT.tool_resources.file_search.vector_store_ids[0] = (
  await client.vectorStores.create({})
).id;

// --- assistants ------------------------------------------------------------------------------

await check("assistants.create, retrieve, update and delete", async () => {
  const made = await assistants.create(ASSISTANT);
  const { id, created_at } = made;
  assert.deepEqual({ ...made }, { ...ASSISTANT_READ, id, created_at });
  assert.deepEqual(await assistants.retrieve(id), made);
  const changed = await assistants.update(id, { name: "Archivist", tools: [], temperature: null });
  assert.deepEqual({ ...changed }, { ...made, name: "Archivist", tools: [], temperature: 1 });
  assert.deepEqual({ ...(await deleteAssistant(id)) }, {
    id,
    object: "assistant.deleted",
    deleted: true,
  });
  const error = await refused(assistants.retrieve(id), NotFoundError);
  assert.equal(error.error.message, `No assistant found with id '${id}'.`);
});

await check("assistants.list pages in both orders", async () => {
  const made = [];
  for (let number = 0; number < 6; number += 1) made.push(await assistants.create({ model: "m" }));
  const [first, ...rest] = ids(made);
  assert.deepEqual(ids(await all(assistants.list({ order: "asc", limit: 2, after: first }))), rest);
  const newest = ids(await all(assistants.list({ limit: 2 })));
  assert.deepEqual(newest.slice(0, 6), reversed(ids(made)));
  assert.equal(new Set(newest).size, newest.length);
  const page = await assistants.list({ order: "asc", limit: 2, before: rest[3] });
  assert.deepEqual(ids(page.data), rest.slice(1, 3));
});

// --- threads ---------------------------------------------------------------------------------

await check("threads.create takes nothing at all", async () => {
  const made = await threads.create();
  assert.deepEqual([made.object, made.metadata], ["thread", {}]);
});

await check("threads.create, retrieve, update and delete", async () => {
  const made = await threads.create(THREAD);
  const { id, created_at } = made;
  const { metadata, tool_resources } = THREAD;
  assert.deepEqual({ ...made }, { id, object: "thread", created_at, metadata, tool_resources });
  assert.deepEqual(await threads.retrieve(id), made);
  assert.deepEqual(ids(await all(messages.list(id))).length, 2);
  const changed = await threads.update(id, { metadata: { state: "closed" } });
  assert.deepEqual(changed.metadata, { user: "u1", state: "closed" });
  assert.deepEqual(await threads.retrieve(id), changed);
  assert.deepEqual({ ...(await deleteThread(id)) }, {
    id,
    object: "thread.deleted",
    deleted: true,
  });
  await refused(threads.retrieve(id), NotFoundError);
  await refused(messages.list(id), NotFoundError);
});

// --- messages --------------------------------------------------------------------------------

await check("messages.create takes a string", async () => {
  const thread = await threads.create();
  const made = await messages.create(thread.id, { role: "assistant", content: "Hello." });
  assert.deepEqual(texts([made]), ["Hello."]);
  assert.deepEqual([made.role, made.thread_id], ["assistant", thread.id]);
});

await check("messages.create, retrieve, update and delete", async () => {
  const thread = await threads.create();
  const made = await messages.create(thread.id, MESSAGE);
  const { id } = made;
  assert.equal(made.object, "thread.message");
  assert.deepEqual(made.content, CONTENT_READ);
  assert.deepEqual(made.attachments, ATTACHMENTS);
  assert.deepEqual([made.assistant_id, made.run_id, made.status], [null, null, "completed"]);
  assert.deepEqual(await getMessage(thread.id, id), made);
  const changed = await updateMessage(thread.id, id, { metadata: { seen: "yes" } });
  assert.deepEqual({ ...changed }, { ...made, metadata: { lang: "en", seen: "yes" } });
  assert.deepEqual({ ...(await deleteMessage(thread.id, id)) }, {
    id,
    object: "thread.message.deleted",
    deleted: true,
  });
  await refused(getMessage(thread.id, id), NotFoundError);
});

const five = await threads.create({
  messages: [..."01234"].map((content) => ({ role: "user", content })),
});

await check("messages.list pages in both orders, in no more requests than needed", async () => {
  sent.length = 0;
  const oldest = await all(messages.list(five.id, { order: "asc", limit: 2 }));
  const newest = await all(messages.list(five.id, { order: "desc", limit: 2 }));
  assert.deepEqual(texts(oldest), [..."01234"]);
  assert.deepEqual(texts(newest), [..."43210"]);
  assert.equal(sent.length, 6);
});

await check("messages.list takes after and before", async () => {
  const found = ids(await all(messages.list(five.id, { order: "asc" })));
  const query = { order: "asc", after: found[0], before: found[3] };
  assert.deepEqual(texts((await messages.list(five.id, query)).data), ["1", "2"]);
});

await check("messages.list finds the messages of one run", async () => {
  const restored = { id: "msg_of_run", run_id: "run_1", role: "assistant", content: "x" };
  const written = await messages.create(five.id, restored);
  assert.deepEqual((await messages.list(five.id, { run_id: "run_1" })).data, [{ ...written }]);
  assert.deepEqual((await messages.list(five.id, { run_id: "run_2" })).data, []);
});

await check("messages can be deleted while paging over them", async () => {
  for await (const one of messages.list(five.id, { limit: 2 })) {
    await deleteMessage(five.id, one.id);
  }
  assert.deepEqual((await messages.list(five.id)).data, []);
});

await runs({ check, refused, client, isOld, ...errors });

// --- errors and the rest ---------------------------------------------------------------------

const human = { role: "human", content: "x" };
const refusals = {
  "a thread id that is undefined": [
    () => getMessage("undefined", "msg_1"),
    BadRequestError,
    "Invalid 'thread_id': 'undefined'. Expected an ID that begins with 'thread'.",
    "thread_id",
    "invalid_value",
  ],
  // A program written for version 4 that runs on 5 or later passes its ids in the wrong places.
  // Version 7 notices `undefined` itself, earlier ones send just this.
  "the request of a version 4 call on a later version": [
    () => client.get(`/threads/undefined/messages/${five.id}`),
    BadRequestError,
    "Invalid 'thread_id': 'undefined'. Expected an ID that begins with 'thread'.",
    "thread_id",
    "invalid_value",
  ],
  "a message id in the place of a thread id": [
    () => getMessage("msg_1", five.id),
    BadRequestError,
    "Invalid 'thread_id': 'msg_1'. Expected an ID that begins with 'thread'.",
    "thread_id",
    "invalid_value",
  ],
  "an unknown role": [
    () => threads.create({ messages: [human] }),
    BadRequestError,
    "Invalid value: 'human'. Supported values are: 'user' and 'assistant'.",
    "messages[0].role",
    "invalid_value",
  ],
  "an unknown field": [
    () => messages.create(five.id, { role: "user", content: "x", file_ids: [] }),
    BadRequestError,
    "Unknown parameter: 'file_ids'.",
    "file_ids",
    "unknown_parameter",
  ],
  "a missing message": [
    () => getMessage(five.id, "msg_gone"),
    NotFoundError,
    "No message found with id 'msg_gone'.",
    null,
    null,
  ],
  "a key that was never made": [
    () => client.get("/threads", { headers: { Authorization: "Bearer sk-nobody-made-this" } }),
    AuthenticationError,
    "Incorrect API key provided: sk-no***this. You can find your API key at " +
      "https://platform.openai.com/account/api-keys.",
    null,
    "invalid_api_key",
  ],
};

for (const [name, [call, kind, message, param, code]] of Object.entries(refusals)) {
  await check(`${name} raises ${kind.name} and is not tried again`, async () => {
    sent.length = 0;
    const error = await refused(call(), kind);
    assert.equal(error.error.message, message);
    assert.deepEqual([error.param, error.code], [param, code]);
    assert.equal(error.type, "invalid_request_error");
    assert.match(error[isOld ? "request_id" : "requestID"], /^req_[0-9a-f]{32}$/);
    assert.deepEqual(
      sent.map(({ headers }) => headers.get("x-stainless-retry-count")),
      ["0"],
    );
  });
}

await check("withResponse has the request id and the object", async () => {
  const { data, response, request_id } = await threads
    .create({ metadata: { a: "b" } })
    .withResponse();
  assert.deepEqual(data.metadata, { a: "b" });
  assert.equal(request_id, response.headers.get("x-request-id"));
});

await check("the same Idempotency-Key gives the same thread", async () => {
  const options = { headers: { "Idempotency-Key": `npm-${version}` } };
  const first = await threads.create({}, options);
  assert.deepEqual(await threads.create({}, options), first);
});

await check("AzureOpenAI works under /openai with the api-key header", async () => {
  const azure = new AzureOpenAI({
    endpoint: address,
    apiKey: key,
    apiVersion: "2024-05-01-preview",
    fetch: noting,
  });
  sent.length = 0;
  const thread = await azure.beta.threads.create({ messages: [{ role: "user", content: "Hi." }] });
  assert.deepEqual(texts(await all(azure.beta.threads.messages.list(thread.id))), ["Hi."]);
  for (const { url, headers } of sent) {
    assert.match(url, /\/openai\/threads.*api-version=2024-05-01-preview/);
    assert.equal(headers.get("api-key"), key);
  }
});

await check("a server without keys takes any key from this machine", async () => {
  const open = new OpenAI({ baseURL: `${openAddress}/v1`, apiKey: "anything" });
  const thread = await open.beta.threads.create();
  assert.equal((await open.beta.threads.retrieve(thread.id)).id, thread.id);
});

console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = tally.failed || !tally.passed ? 1 : 0;
