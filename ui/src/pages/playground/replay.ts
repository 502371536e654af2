// A logged request brought into the playground.
import type { RequestDetail } from "../../api/types";
import { emptyAnswer, type ContentPart, type ToolCall } from "./chat";
import { STANDARD, type Entry, type Options } from "./conversation";

export interface Replay {
  client: string | null;
  model: string;
  options: Options;
  /** All but the last user message, which goes into the composer. */
  entries: Entry[];
  prompt: string;
}

/** What can be replayed of a chat completion; null when its body was not kept or is something else. */
export function replayOf(request: RequestDetail): Replay | null {
  const sent = request.payload?.client_request;
  if (!sent || sent.encoding !== "utf8" || sent.truncated) return null;
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(sent.body) as Record<string, unknown>;
  } catch {
    return null;
  }
  if (!Array.isArray(body.messages)) return null;
  const entries: Entry[] = [];
  const system: string[] = [];
  const calls = new Map<string, ToolCall>();
  for (const message of body.messages as Record<string, unknown>[]) {
    const content = message.content as string | ContentPart[] | null;
    switch (message.role) {
      case "system":
      case "developer":
        system.push(plain(content));
        break;
      case "assistant": {
        const made = Array.isArray(message.tool_calls) ? (message.tool_calls as ToolCall[]) : [];
        for (const call of made) calls.set(call.id, call);
        entries.push({ kind: "assistant", answer: { ...emptyAnswer(null), state: "done", text: plain(content), toolCalls: made } });
        break;
      }
      case "tool": {
        const id = String(message.tool_call_id ?? "");
        entries.push({ kind: "tool", call: calls.get(id) ?? { id, type: "function", function: { name: "", arguments: "" } }, result: plain(content) });
        break;
      }
      default:
        entries.push({ kind: "user", content: content ?? "" });
    }
  }
  const last = entries.at(-1);
  const prompt = last?.kind === "user" && typeof last.content === "string" ? last.content : "";
  const format = body.response_format as { json_schema?: { schema?: unknown } } | undefined;
  return {
    client: request.client,
    model: typeof body.model === "string" ? body.model : (request.model ?? ""),
    options: {
      ...STANDARD,
      system: system.join("\n\n"),
      temperature: typeof body.temperature === "number" ? body.temperature : null,
      maxTokens: typeof body.max_tokens === "number" ? body.max_tokens : typeof body.max_completion_tokens === "number" ? body.max_completion_tokens : null,
      stream: body.stream === true,
      tools: Array.isArray(body.tools) && body.tools.length > 0 ? JSON.stringify(body.tools, null, 2) : "",
      schema: format?.json_schema?.schema ? JSON.stringify(format.json_schema.schema, null, 2) : "",
    },
    entries: prompt === "" ? entries : entries.slice(0, -1),
    prompt,
  };
}

function plain(content: string | ContentPart[] | null): string {
  if (typeof content === "string") return content;
  return Array.isArray(content) ? content.map((part) => (part.type === "text" ? part.text : "")).join("") : "";
}
