// A provider that speaks OpenAI's chat and embeddings: the model's name says how it behaves.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Seen {
  path: string;
  headers: Record<string, string | string[] | undefined>;
  body: Record<string, unknown>;
  /** Whether the caller went away before the end. */
  left: boolean;
}

export interface FakeProvider {
  url: string;
  seen: Seen[];
  stop: () => Promise<void>;
}

/**
 * Models: `tools` calls the first tool of the request until it has a result, `endless` streams until nobody listens,
 * `broken` answers 500, every other says what it was asked; with a JSON schema it answers in that form.
 */
export async function startProvider(): Promise<FakeProvider> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => void answer(request, response, seen));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    seen,
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

const MODELS = ["talker", "tools", "endless", "broken", "embedder"];

async function answer(request: IncomingMessage, response: ServerResponse, seen: Seen[]): Promise<void> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  const body = (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>;
  const entry: Seen = { path: request.url ?? "", headers: request.headers, body, left: false };
  seen.push(entry);
  const json = (status: number, value: unknown) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  if (entry.path.endsWith("/models")) return json(200, { object: "list", data: MODELS.map((id) => ({ id, object: "model", created: 0, owned_by: "a test" })) });
  if (body.model === "broken") return json(500, { error: { message: "the model fell over", type: "server_error" } });
  if (entry.path.endsWith("/embeddings")) {
    const inputs = body.input as string[];
    return json(200, { object: "list", model: body.model, data: inputs.map((input, index) => ({ object: "embedding", index, embedding: vector(input) })), usage: { prompt_tokens: inputs.length, total_tokens: inputs.length } });
  }
  if (body.model === "endless") return endless(response, entry);
  if (body.stream === true) return streamed(response, body);
  const message = messageOf(body);
  json(200, { id: "c1", object: "chat.completion", created: 0, model: body.model, choices: [{ index: 0, message, finish_reason: message.tool_calls ? "tool_calls" : "stop" }], usage: USAGE });
}

const USAGE = { prompt_tokens: 11, completion_tokens: 5, total_tokens: 16 };

interface Message {
  role: "assistant";
  content: string | null;
  tool_calls?: { id: string; type: "function"; function: { name: string; arguments: string } }[];
}

function messageOf(body: Record<string, unknown>): Message {
  const messages = body.messages as { role: string; content: unknown }[];
  const last = messages.at(-1);
  const tools = body.tools as { function: { name: string } }[] | undefined;
  if (body.model === "tools" && tools && last?.role !== "tool") {
    return { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "function", function: { name: tools[0]?.function.name ?? "", arguments: '{"place":"Oslo"}' } }] };
  }
  if (body.response_format) return { role: "assistant", content: '{"answer":"forty-two","confidence":0.9}' };
  const parts = Array.isArray(last?.content) ? (last.content as { type: string; text?: string }[]) : [{ type: "text", text: String(last?.content) }];
  const images = parts.filter((part) => part.type === "image_url").length;
  const said = parts.map((part) => part.text ?? "").join("");
  return { role: "assistant", content: `${String(body.model)} heard ${said}${images > 0 ? ` with ${images} image` : ""}` };
}

function streamed(response: ServerResponse, body: Record<string, unknown>): void {
  const message = messageOf(body);
  const chunk = (delta: unknown, finish: string | null = null) =>
    `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 0, model: body.model, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(chunk({ role: "assistant", content: "" }));
  for (const word of (message.content ?? "").match(/\S+\s*/g) ?? []) response.write(chunk({ content: word }));
  message.tool_calls?.forEach((call, index) => {
    response.write(chunk({ tool_calls: [{ index, ...call, function: { name: call.function.name, arguments: "" } }] }));
    for (const piece of call.function.arguments.match(/.{1,6}/g) ?? []) response.write(chunk({ tool_calls: [{ index, function: { arguments: piece } }] }));
  });
  response.write(chunk({}, message.tool_calls ? "tool_calls" : "stop"));
  response.write(`data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 0, model: body.model, choices: [], usage: USAGE })}\n\n`);
  response.end("data: [DONE]\n\n");
}

function endless(response: ServerResponse, entry: Seen): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  let count = 0;
  const timer = setInterval(() => {
    response.write(`data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 0, model: "endless", choices: [{ index: 0, delta: { content: `word${++count} ` }, finish_reason: null }] })}\n\n`);
  }, 40);
  response.on("close", () => {
    clearInterval(timer);
    entry.left = true;
  });
}

/** Equal texts have equal vectors; texts with different first letters stand at right angles. */
function vector(text: string): number[] {
  return Array.from({ length: 26 }, (_, index) => (text.toLowerCase().charCodeAt(0) - 97 === index ? 1 : 0));
}
