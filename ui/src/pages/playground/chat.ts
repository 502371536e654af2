// One chat completion in OpenAI's dialect, streamed or whole, measured as the browser sees it.
import { sseEvents } from "./sse";

export interface ToolCall {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
}

export type ContentPart =
  | { type: "text"; text: string }
  | { type: "image_url"; image_url: { url: string } };

export interface Message {
  role: "system" | "user" | "assistant" | "tool";
  content: string | ContentPart[] | null;
  tool_calls?: ToolCall[];
  tool_call_id?: string;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

/** What is known of an answer, while it comes and after it. */
export interface Answer {
  state: "waiting" | "streaming" | "done" | "failed" | "aborted";
  text: string;
  reasoning: string;
  toolCalls: ToolCall[];
  finish: string | null;
  model: string | null;
  usage: Usage | null;
  status: number | null;
  error: string | null;
  /** Milliseconds from the call to the first text, reasoning or tool call. */
  ttftMs: number | null;
  totalMs: number | null;
  requestId: string | null;
  headers: [string, string][];
  request: unknown;
  /** The body as it came, up to `RAW_LIMIT` characters. */
  raw: string;
}

const RAW_LIMIT = 256 * 1024;

export interface Call {
  url: string;
  headers: Record<string, string>;
  body: Record<string, unknown>;
  signal: AbortSignal;
  onUpdate: (answer: Answer) => void;
}

export function emptyAnswer(request: unknown): Answer {
  return {
    state: "waiting", text: "", reasoning: "", toolCalls: [], finish: null, model: null, usage: null, status: null,
    error: null, ttftMs: null, totalMs: null, requestId: null, headers: [], request, raw: "",
  };
}

/** Makes the call. Never throws: what went wrong is in the answer. `onUpdate` is called at most once per read. */
export async function complete(call: Call): Promise<Answer> {
  const started = performance.now();
  let answer = emptyAnswer(call.body);
  const update = (change: Partial<Answer>) => {
    answer = { ...answer, ...change };
    call.onUpdate(answer);
  };
  try {
    const response = await fetch(call.url, {
      method: "POST",
      headers: { "content-type": "application/json", ...call.headers },
      body: JSON.stringify(call.body),
      signal: call.signal,
      credentials: "same-origin",
    });
    update({
      status: response.status,
      headers: [...response.headers.entries()],
      requestId: response.headers.get("x-sluice-request-id"),
    });
    const type = response.headers.get("content-type") ?? "";
    if (response.ok && type.startsWith("text/event-stream") && response.body) {
      await readStream(response.body, () => answer, update, started);
    } else {
      readWhole(await response.text(), response, update, started);
    }
  } catch (error) {
    const aborted = call.signal.aborted;
    update({
      state: aborted ? "aborted" : "failed",
      error: aborted ? null : `The connection broke: ${error instanceof Error ? error.message : String(error)}`,
      totalMs: performance.now() - started,
    });
  }
  return answer;
}

async function readStream(
  body: ReadableStream<Uint8Array>,
  current: () => Answer,
  update: (change: Partial<Answer>) => void,
  started: number,
): Promise<void> {
  for await (const { data } of sseEvents(body)) {
    const before = current();
    const raw = before.raw.length < RAW_LIMIT ? `${before.raw}data: ${data}\n\n` : before.raw;
    if (data === "[DONE]") {
      update({ raw });
      continue;
    }
    const parsed = parse(data);
    const change = parsed === undefined ? {} : absorb(before, parsed);
    const first = before.ttftMs === null && (change.text || change.reasoning || change.toolCalls);
    update({ ...change, raw, state: "streaming", ...(first ? { ttftMs: performance.now() - started } : {}) });
  }
  const failed = current().error !== null;
  update({ state: failed ? "failed" : "done", totalMs: performance.now() - started });
}

function readWhole(text: string, response: Response, update: (change: Partial<Answer>) => void, started: number): void {
  const totalMs = performance.now() - started;
  const raw = text.slice(0, RAW_LIMIT);
  const parsed = parse(text);
  if (!response.ok) {
    update({ state: "failed", raw, totalMs, error: errorText(parsed) ?? (text.slice(0, 2000) || `Status ${response.status}`) });
    return;
  }
  const choice = at(at(parsed, "choices"), 0);
  const message = at(choice, "message");
  const content = at(message, "content");
  update({
    state: "done",
    raw,
    totalMs,
    ttftMs: totalMs,
    text: typeof content === "string" ? content : "",
    reasoning: string(at(message, "reasoning_content")) ?? string(at(message, "reasoning")) ?? "",
    toolCalls: list(at(message, "tool_calls")).map((one) => addCall(undefined, one)),
    finish: string(at(choice, "finish_reason")),
    model: string(at(parsed, "model")),
    usage: usageOf(parsed),
  });
}

/** What one chunk of a stream adds. */
export function absorb(answer: Answer, chunk: unknown): Partial<Answer> {
  const change: Partial<Answer> = {};
  const error = errorText(chunk);
  if (error !== null) change.error = error;
  const model = string(at(chunk, "model"));
  if (model) change.model = model;
  const usage = usageOf(chunk);
  if (usage) change.usage = usage;
  const choice = at(at(chunk, "choices"), 0);
  const finish = string(at(choice, "finish_reason"));
  if (finish) change.finish = finish;
  const delta = at(choice, "delta");
  const text = string(at(delta, "content")) ?? string(at(delta, "refusal"));
  if (text) change.text = answer.text + text;
  const reasoning = string(at(delta, "reasoning_content")) ?? string(at(delta, "reasoning"));
  if (reasoning) change.reasoning = answer.reasoning + reasoning;
  const calls = list(at(delta, "tool_calls"));
  if (calls.length > 0) {
    const all = [...answer.toolCalls];
    for (const call of calls) {
      const index = at(call, "index");
      const place = typeof index === "number" && index >= 0 && index < 128 ? index : all.length;
      all[place] = addCall(all[place], call);
    }
    change.toolCalls = all.filter(Boolean);
  }
  return change;
}

function addCall(before: ToolCall | undefined, delta: unknown): ToolCall {
  const fn = at(delta, "function");
  return {
    id: string(at(delta, "id")) ?? before?.id ?? "",
    type: "function",
    function: {
      name: (before?.function.name ?? "") + (string(at(fn, "name")) ?? ""),
      arguments: (before?.function.arguments ?? "") + (string(at(fn, "arguments")) ?? ""),
    },
  };
}

function usageOf(value: unknown): Usage | null {
  const usage = at(value, "usage");
  const prompt = at(usage, "prompt_tokens");
  if (typeof prompt !== "number") return null;
  const completion = at(usage, "completion_tokens");
  const out = typeof completion === "number" ? completion : 0;
  return { prompt_tokens: prompt, completion_tokens: out, total_tokens: prompt + out };
}

/** The message of an error body, in whichever dialect. */
export function errorText(value: unknown): string | null {
  const error = at(value, "error");
  if (typeof error === "string") return error;
  return string(at(error, "message")) ?? string(at(value, "error_msg")) ?? (at(value, "choices") ? null : string(at(value, "message")));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function at(value: unknown, key: string | number): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string | number, unknown>)[key] : undefined;
}

function string(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Cosine of the angle between two vectors; null when they have different lengths or one is zero. */
export function cosine(a: number[], b: number[]): number | null {
  if (a.length !== b.length || a.length === 0) return null;
  let dot = 0;
  let left = 0;
  let right = 0;
  a.forEach((x, index) => {
    const y = b[index] ?? 0;
    dot += x * y;
    left += x * x;
    right += y * y;
  });
  return left === 0 || right === 0 ? null : dot / Math.sqrt(left * right);
}
