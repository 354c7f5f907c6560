// Anthropic's TypeScript SDK at work: node sdk.mjs FOLDER BASE_URL MODEL. FOLDER has the SDK in its node_modules.
// Prints one JSON document with everything that it was answered.
import { createRequire } from "node:module";

const [folder, baseURL, model] = process.argv.slice(2);
const { Anthropic } = createRequire(`${folder}/`)("@anthropic-ai/sdk");
const client = new Anthropic({ baseURL, apiKey: "anything", maxRetries: 0 });

const write = {
  name: "Write",
  description: "Writes a file.",
  input_schema: {
    type: "object",
    properties: { file_path: { type: "string" }, content: { type: "string" } },
    required: ["file_path", "content"],
  },
};
const read = {
  name: "Read",
  input_schema: { type: "object", properties: { file_path: { type: "string" } }, required: ["file_path"] },
};
const runs = (tool, say) => ({ ...tool, type: "custom", parse: (input) => input, run: say });
const written = { text: "" };
const tools = [runs(write, ({ content }) => ((written.text = content), "written")), runs(read, () => written.text)];
const asked = (text, more) => ({ model, max_tokens: 64000, messages: [{ role: "user", content: text }], ...more });

const stream = client.messages.stream(asked("#deltas"));
let deltas = "";
stream.on("text", (piece) => (deltas += piece));

console.log(
  JSON.stringify({
    streamed: await stream.finalMessage(),
    deltas,
    called: await client.messages.stream(asked("#tool-loop use /a/b", { tools: [write] })).finalMessage(),
    whole: await client.messages.create(asked("hello", { max_tokens: 1000 })),
    ran: await client.beta.messages.toolRunner(asked("#tool-loop use /a/b", { tools, max_tokens: 1000 })),
    counted: await client.messages.countTokens({ model, messages: [{ role: "user", content: "hello" }] }),
  }),
);
