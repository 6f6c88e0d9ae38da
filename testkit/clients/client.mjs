// The official TypeScript SDK against a server that offers `testkit/guests/mcp-fixture.wat`.
//
//     client.mjs v1|initialize|discover http URL
//     client.mjs v1|initialize|discover stdio COMMAND [ARGUMENT ...]
//
// Lists the tools, calls some, gives one up in the middle of its call, and prints what it saw as one JSON object. `v1` is the package
// `@modelcontextprotocol/sdk`, the others are `@modelcontextprotocol/client`: `initialize` opens a session as clients always did, `discover`
// asks first which revision the server prefers. The packages are those in CAPLET_CLIENTS; a token for the server is in CAPLET_TOKEN.

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [mode, kind, ...target] = process.argv.slice(2);
const { resolve } = createRequire(join(process.env.CAPLET_CLIENTS, "package.json"));
const load = (name) => import(pathToFileURL(resolve(name)));

async function sdk() {
  if (mode === "v1") {
    const root = "@modelcontextprotocol/sdk";
    const [client, stdio, http, types] = await Promise.all([
      load(`${root}/client/index.js`),
      load(`${root}/client/stdio.js`),
      load(`${root}/client/streamableHttp.js`),
      load(`${root}/types.js`),
    ]);
    return { ...client, ...stdio, ...http, logging: types.LoggingMessageNotificationSchema };
  }
  const [client, stdio] = await Promise.all([
    load("@modelcontextprotocol/client"),
    load("@modelcontextprotocol/client/stdio"),
  ]);
  return { ...client, ...stdio, logging: "notifications/message" };
}

const { Client, StdioClientTransport, StreamableHTTPClientTransport, logging } = await sdk();

function transport() {
  if (kind === "stdio") {
    return new StdioClientTransport({ command: target[0], args: target.slice(1), env: process.env, stderr: "inherit" });
  }
  const token = process.env.CAPLET_TOKEN;
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  return new StreamableHTTPClientTransport(new URL(target[0]), { requestInit: { headers } });
}

const text = (result) => result.content.find((block) => block.type === "text").text;

const options = mode === "v1" ? {} : { versionNegotiation: { mode: mode === "discover" ? "auto" : "legacy" } };
const client = new Client({ name: "caplet-test", version: "1.0.0" }, options);
const logs = new Set();
client.setNotificationHandler(logging, (notification) => void logs.add(notification.params.level));
await client.connect(transport());

// What the first argument after the parameters is differs between the two lines of the package.
const call = (name, args = {}, how = undefined) => {
  const request = { name: names.get(name), arguments: args };
  return mode === "v1" ? client.callTool(request, undefined, how) : client.callTool(request, how);
};

async function progress() {
  const seen = [];
  await call("test_tool_with_progress", {}, { onprogress: ({ progress }) => seen.push(progress) });
  return seen;
}

// Calls what never ends, gives it up when it runs, and says after how many milliseconds that was done.
async function giveUp() {
  const controller = new AbortController();
  let started;
  const onprogress = () => {
    started ??= performance.now();
    controller.abort("enough");
  };
  try {
    await call("test_spin", {}, { signal: controller.signal, onprogress });
  } catch {
    return started === undefined ? null : Math.round(performance.now() - started);
  }
  return null;
}

// The tools by the names that the suite knows, whether the toolbox gives them or not.
const { tools } = await client.listTools();
const names = new Map(tools.map(({ name }) => [name.replaceAll("-", "_"), name]));
if (mode !== "discover") {
  await client.setLoggingLevel("info");
}
const image = await call("test_image_content");
const failed = await call("test_error_handling");
const refused = await call("test_echo", { text: 1 }).catch(() => ({ isError: true }));
const seen = {
  revision: mode === "v1" ? null : client.getNegotiatedProtocolVersion(),
  tools: [...names.keys()].sort(),
  echo: text(await call("test_echo", { text: "hé\u2028llo" })),
  image: image.content.find((block) => block.type === "image")?.mimeType ?? null,
  failed: [failed.isError, text(failed)],
  refused: refused.isError,
  progress: await progress(),
  given_up_ms: await giveUp(),
  after: text(await call("test_echo", { text: "still here" })),
  logs: [...logs].sort(),
};
await client.close();
console.log(JSON.stringify(seen));
