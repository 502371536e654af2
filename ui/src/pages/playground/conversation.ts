// A conversation as a column of the playground holds it, and the request that it makes.
import type { Answer, ContentPart, Message, ToolCall } from "./chat";

export type Entry =
  | { kind: "user"; content: string | ContentPart[] }
  | { kind: "assistant"; answer: Answer }
  | { kind: "tool"; call: ToolCall; result: string };

export interface Column {
  id: number;
  model: string;
  entries: Entry[];
}

export interface Options {
  system: string;
  temperature: number | null;
  maxTokens: number | null;
  stream: boolean;
  /** JSON text of the `tools` array; empty for none. */
  tools: string;
  /** JSON text of a schema that the answer must follow; empty for none. */
  schema: string;
}

export const STANDARD: Options = { system: "", temperature: null, maxTokens: null, stream: true, tools: "", schema: "" };

/** The body of the call, or what is wrong with the options. */
export function requestOf(column: Column, options: Options): { body: Record<string, unknown> } | { fault: string } {
  const tools = parseTools(options.tools);
  if ("fault" in tools) return tools;
  const schema = parseSchema(options.schema);
  if ("fault" in schema) return schema;
  const body: Record<string, unknown> = { model: column.model, messages: messagesOf(column.entries, options.system) };
  if (options.stream) {
    body.stream = true;
    body.stream_options = { include_usage: true };
  }
  if (options.temperature !== null) body.temperature = options.temperature;
  if (options.maxTokens !== null) body.max_tokens = options.maxTokens;
  if (tools.value) body.tools = tools.value;
  if (schema.value) body.response_format = { type: "json_schema", json_schema: { name: "answer", strict: true, schema: schema.value } };
  return { body };
}

export function messagesOf(entries: Entry[], system: string): Message[] {
  const messages: Message[] = system.trim() === "" ? [] : [{ role: "system", content: system }];
  for (const entry of entries) {
    if (entry.kind === "user") messages.push({ role: "user", content: entry.content });
    else if (entry.kind === "tool") messages.push({ role: "tool", tool_call_id: entry.call.id, content: entry.result });
    else if (entry.answer.text !== "" || entry.answer.toolCalls.length > 0) {
      messages.push({
        role: "assistant",
        content: entry.answer.text === "" ? null : entry.answer.text,
        ...(entry.answer.toolCalls.length > 0 ? { tool_calls: entry.answer.toolCalls } : {}),
      });
    }
  }
  return messages;
}

export function parseTools(text: string): { value: unknown[] | null } | { fault: string } {
  if (text.trim() === "") return { value: null };
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.length > 0 ? { value } : { fault: "Tools must be a list with at least one tool" };
  } catch {
    return { fault: "Tools are no valid JSON" };
  }
}

export function parseSchema(text: string): { value: object | null } | { fault: string } {
  if (text.trim() === "") return { value: null };
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { value } : { fault: "The schema must be a JSON object" };
  } catch {
    return { fault: "The schema is no valid JSON" };
  }
}

/** The calls of the last answer that still wait for a result. */
export function openCalls(entries: Entry[]): ToolCall[] {
  const last = entries.at(-1);
  return last?.kind === "assistant" && last.answer.state === "done" ? last.answer.toolCalls : [];
}

export function textOf(content: string | ContentPart[]): string {
  return typeof content === "string" ? content : content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

export function imagesOf(content: string | ContentPart[]): string[] {
  if (typeof content === "string") return [];
  // Only what the browser made of a file is shown; an address of somebody's is never fetched.
  return content.flatMap((part) => (part.type === "image_url" && part.image_url.url.startsWith("data:image/") ? [part.image_url.url] : []));
}

export const EXAMPLE_TOOL = JSON.stringify(
  [
    {
      type: "function",
      function: {
        name: "get_weather",
        description: "The weather of a place at this moment",
        parameters: { type: "object", properties: { place: { type: "string" } }, required: ["place"] },
      },
    },
  ],
  null,
  2,
);

export const EXAMPLE_SCHEMA = JSON.stringify(
  { type: "object", properties: { answer: { type: "string" }, confidence: { type: "number" } }, required: ["answer", "confidence"], additionalProperties: false },
  null,
  2,
);
