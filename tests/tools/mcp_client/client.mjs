// One run of the protocol's official JavaScript client, told what to do by one JSON argument:
//   {server: {command, args} or {url, key}, person: "accept" | "decline" | null, calls: [[tool, arguments], …]}
// It prints one JSON document with what it saw. person: what somebody asked by the server answers; null for a client
// that says it can't ask anybody.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const PATIENCE = { timeout: 170_000 };
const { server, person, calls } = JSON.parse(process.argv[2]);
const seen = { server: null, tools: [], shown: [], progress: [], answers: [], failed: null };

function transport() {
  if (server.command) return new StdioClientTransport({ ...server, env: process.env });
  const headers = server.key ? { Authorization: `Bearer ${server.key}` } : {};
  return new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers } });
}

function made() {
  const client = new Client(
    { name: "kubemend-tests", version: "1" },
    { capabilities: person ? { elicitation: { form: {} } } : {} },
  );
  if (person) {
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
      seen.shown.push(params.message);
      return person === "accept" ? { action: "accept", content: { approve: true } } : { action: person };
    });
  }
  return client;
}

async function everyTool(client) {
  for (let cursor, first = true; first || cursor; first = false) {
    const page = await client.listTools(cursor ? { cursor } : {}, PATIENCE);
    seen.tools.push(...page.tools);
    cursor = page.nextCursor;
  }
}

// callTool holds each structured answer against the output schema that was listed, and throws where it doesn't fit.
async function called(client, [name, args]) {
  const onprogress = ({ progress, message }) => seen.progress.push([progress, message]);
  seen.answers.push(await client.callTool({ name, arguments: args }, undefined, { ...PATIENCE, onprogress }));
}

const client = made();
try {
  await client.connect(transport(), PATIENCE);
  seen.server = client.getServerVersion();
  await everyTool(client);
  for (const call of calls) await called(client, call);
} catch (error) {
  seen.failed = { code: error.code ?? null, message: `${error.message} ${error.cause ?? ""}`.trim() };
} finally {
  await client.close();
}
process.stdout.write(JSON.stringify(seen));
