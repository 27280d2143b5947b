// The part of the scenario for npm `openai` 4 and 7 that is about files, uploads and vector stores:
// every method that the package has for them.

import assert from "node:assert/strict";

const DATA = Buffer.from([...Array(256).keys()]);
const LOOM = "A loom holds the warp threads tight.";
const DYE = "Madder dyes wool red.";
const STATIC = {
  type: "static",
  static: { max_chunk_size_tokens: 300, chunk_overlap_tokens: 100 },
};
const often = { pollIntervalMs: 20 };

const RESOURCES = ["files", "uploads", "uploads.parts"].concat(
  ["vectorStores", "vectorStores.files", "vectorStores.fileBatches"],
);

// Return a client or one of its resources; the names of the methods that are taken are noted.
function noted(of, taken, path = "") {
  return new Proxy(of, {
    get(_, name) {
      const here = path + String(name);
      const found = of[name];
      if (RESOURCES.includes(here)) return noted(found, taken, `${here}.`);
      if (typeof found !== "function") return found;
      taken.add(here);
      return found.bind(of);
    },
  });
}

// Return every method that a client has for files, uploads and vector stores.
function methodsOf(client) {
  return RESOURCES.flatMap((path) => {
    const resource = path.split(".").reduce((of, name) => of[name], client);
    return Object.getOwnPropertyNames(Object.getPrototypeOf(resource))
      .filter((name) => name !== "constructor" && !name.startsWith("_"))
      .map((name) => `${path}.${name}`);
  });
}

async function all(pages) {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
}

const ids = (objects) => objects.map((one) => one.id);

export async function files({ check, refused, client: real, isOld, toFile, errors }) {
  const { BadRequestError, NotFoundError } = errors;
  const taken = new Set();
  const client = noted(real, taken);
  const { files, uploads, vectorStores } = client;
  const batches = vectorStores.fileBatches;
  const within = vectorStores.files;
  const remove = (resource, ...of) => (isOld ? resource.del(...of) : resource.delete(...of));

  // What stands in a store: version 4 names every id by its position.
  const of = (resource, method, store, id, more = {}) =>
    isOld
      ? resource[method](store, id, ...(Object.keys(more).length ? [more] : []))
      : resource[method](id, { vector_store_id: store, ...more });
  const removeFrom = (store, id) => of(within, isOld ? "del" : "delete", store, id);
  const aFile = async (text, name) => toFile(Buffer.from(text), name);
  const stored = async (text, name) =>
    (await files.create({ file: await aFile(text, name), purpose: "assistants" })).id;

  await check("files.create, retrieve, list, content, waitForProcessing and delete", async () => {
    const file = await toFile(DATA, "größe.bin");
    const made = await files.create({ file, purpose: "user_data" });
    assert.deepEqual([made.filename, made.bytes, made.purpose], ["größe.bin", 256, "user_data"]);
    assert.deepEqual(await files.retrieve(made.id), made);
    assert.deepEqual(await files.waitForProcessing(made.id, { pollInterval: 10 }), made);
    const [newest] = await all(files.list({ purpose: "user_data", limit: 1 }));
    assert.equal(newest.id, made.id);
    const content = await (await files.content(made.id)).arrayBuffer();
    assert.deepEqual(Buffer.from(content), DATA);
    assert.equal((await remove(files, made.id)).deleted, true);
    await refused(files.retrieve(made.id), NotFoundError);
  });

  if (isOld) {
    await check("files.retrieveContent gives a text", async () => {
      // The package takes for text what is not JSON by its type.
      assert.equal(await files.retrieveContent(await stored("Größe.", "a.txt")), "Größe.");
    });
  }

  await check("uploads make a file of their parts, and can be cancelled", async () => {
    const about = { filename: "a.txt", purpose: "batch", bytes: 6, mime_type: "text/plain" };
    const upload = await uploads.create(about);
    const part_ids = [];
    for (const text of ["abc", "def"]) {
      const data = await aFile(text, "part");
      part_ids.push((await uploads.parts.create(upload.id, { data })).id);
    }
    const wrong = { part_ids, md5: "0".repeat(32) };
    assert.equal((await refused(uploads.complete(upload.id, wrong), BadRequestError)).param, "md5");
    const md5 = "e80b5017098950fc58aad83c8c14978e";
    const done = await uploads.complete(upload.id, { part_ids, md5 });
    assert.equal(done.status, "completed");
    assert.equal(await (await files.content(done.file.id)).text(), "abcdef");
    const other = await uploads.create(about);
    assert.equal((await uploads.cancel(other.id)).status, "cancelled");
  });

  await check("vectorStores.create, retrieve, update, list and delete", async () => {
    const expires_after = { anchor: "last_active_at", days: 7 };
    const made = await vectorStores.create({ name: "Craft", expires_after, metadata: { a: "1" } });
    assert.deepEqual([made.object, made.status, made.name], ["vector_store", "completed", "Craft"]);
    assert.equal(made.expires_at, made.last_active_at + 7 * 86400);
    const changed = await vectorStores.update(made.id, { name: "Weaving", metadata: { b: "2" } });
    assert.deepEqual([changed.name, changed.metadata], ["Weaving", { a: "1", b: "2" }]);
    assert.deepEqual(await vectorStores.retrieve(made.id), changed);
    const other = await vectorStores.create({});
    const found = ids(await all(vectorStores.list({ order: "asc", limit: 1 })));
    assert.deepEqual(found.slice(-2), [made.id, other.id]);
    const gone = await remove(vectorStores, made.id);
    assert.deepEqual([gone.object, gone.deleted], ["vector_store.deleted", true]);
    await refused(vectorStores.retrieve(made.id), NotFoundError);
  });

  const { id: store } = await vectorStores.create({});

  await check("vectorStores.files takes files in every way and waits for them", async () => {
    const loom = await within.uploadAndPoll(store, await aFile(LOOM, "loom.txt"), often);
    assert.deepEqual([loom.object, loom.status], ["vector_store.file", "completed"]);
    const attributes = { topic: "dye", year: 2024 };
    const body = { file_id: await stored(DYE, "dye.txt"), attributes, chunking_strategy: STATIC };
    const dye = await within.createAndPoll(store, body, often);
    assert.deepEqual([dye.status, dye.attributes], ["completed", attributes]);
    const begun = await within.upload(store, await aFile("Silk is smooth.", "silk.txt"));
    const silk = await within.poll(store, begun.id, often);
    assert.equal(silk.status, "completed");
    const again = await within.create(store, { file_id: silk.id });
    assert.equal(again.id, silk.id);
    const waited = await within.poll(store, silk.id, often);
    assert.deepEqual({ ...(await of(within, "retrieve", store, silk.id)) }, { ...waited });
    const found = ids(await all(within.list(store, { limit: 1, filter: "completed" })));
    assert.deepEqual(new Set(found), new Set([loom.id, dye.id, silk.id]));
    const red = await of(within, "update", store, dye.id, { attributes: { topic: "red" } });
    assert.deepEqual(red.attributes, { topic: "red" });
    const content = await all(of(within, "content", store, loom.id));
    assert.deepEqual(content, [{ type: "text", text: LOOM }]);
    const gone = await removeFrom(store, silk.id);
    assert.deepEqual([gone.object, gone.deleted], ["vector_store.file.deleted", true]);
    const { file_counts } = await vectorStores.retrieve(store);
    assert.deepEqual([file_counts.completed, file_counts.total], [2, 2]);
  });

  await check("vectorStores.search takes everything that a search has", async () => {
    const query = "which threads does a loom hold";
    const [best] = await all(vectorStores.search(store, { query, max_num_results: 1 }));
    assert.deepEqual([best.filename, best.content[0].text], ["loom.txt", LOOM]);
    const narrow = await all(
      vectorStores.search(store, {
        query: ["madder", "loom"],
        filters: { type: "eq", key: "topic", value: "red" },
        ranking_options: { ranker: "auto", score_threshold: 0 },
        rewrite_query: true,
      }),
    );
    assert.deepEqual(
      narrow.map((one) => one.filename),
      ["dye.txt"],
    );
  });

  await check("vectorStores.fileBatches are made, waited for, listed and cancelled", async () => {
    const { id: other } = await vectorStores.create({});
    const given = { files: [await aFile(LOOM, "a.txt")], fileIds: [await stored(DYE, "b.txt")] };
    const first = await batches.uploadAndPoll(other, given, often);
    assert.deepEqual([first.object, first.status], ["vector_store.file_batch", "completed"]);
    assert.deepEqual([first.file_counts.completed, first.file_counts.total], [2, 2]);
    const query = { order: "asc", limit: 1, filter: "completed" };
    const file_ids = ids(await all(of(batches, "listFiles", other, first.id, query)));
    assert.equal(file_ids.length, 2);
    const second = await batches.createAndPoll(other, { file_ids }, often);
    assert.equal(second.file_counts.completed, 2);
    const begun = await batches.create(other, { file_ids });
    const done = await batches.poll(other, begun.id, often);
    assert.deepEqual([done.id, done.status], [begun.id, "completed"]);
    assert.deepEqual({ ...(await of(batches, "retrieve", other, begun.id)) }, { ...done });
    assert.equal((await of(batches, "cancel", other, begun.id)).status, "completed");
  });

  await check("a file that cannot be searched ends as failed or is refused", async () => {
    const broken = await aFile("%PDF-1.7 and nothing else", "broken.pdf");
    const done = await within.uploadAndPoll(store, broken, often);
    assert.deepEqual([done.status, done.last_error.code], ["failed", "invalid_file"]);
    const table = within.upload(store, await aFile("a,b\n", "table.csv"));
    assert.equal((await refused(table, BadRequestError)).code, "unsupported_file");
  });

  await check("no method of files, uploads and vector stores is left out", async () => {
    assert.deepEqual(
      methodsOf(real).filter((name) => !taken.has(name)),
      [],
    );
  });
}
