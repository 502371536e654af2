// A small company's gateway: providers, models and clients with a few hundred calls behind them.
import { expect, type APIRequestContext } from "@playwright/test";

import type { Gateway } from "../tests/gateway";

const MODELS: [string, string, number, number][] = [
  ["gpt-5-mini", "openai", 250_000, 2_000_000],
  ["claude-sonnet-4-5", "anthropic", 3_000_000, 15_000_000],
  ["gemini-2.5-flash", "google", 300_000, 2_500_000],
  ["llama-3.3-70b", "local", 100_000, 400_000],
];

const CLIENTS: { id: string; name: string; tags: string[]; model: string; calls: number; limits: Record<string, number>; log?: boolean }[] = [
  { id: "support-bot", name: "Support bot", tags: ["production"], model: "claude-sonnet-4-5", calls: 90, limits: { requests_per_day: 120, budget_micro_usd_per_month: 200_000_000 }, log: true },
  { id: "web-search", name: "Web search", tags: ["production"], model: "gemini-2.5-flash", calls: 60, limits: { requests_per_minute: 600, tokens_per_day: 5_000 } },
  { id: "ci-reviews", name: "CI reviews", tags: ["internal"], model: "gpt-5-mini", calls: 45, limits: { requests_per_hour: 40, budget_micro_usd_per_day: 5_000_000 } },
  { id: "ada", name: "Ada (laptop)", tags: ["people"], model: "gpt-5-mini", calls: 25, limits: { requests_per_day: 1_000, concurrency: 4 } },
  { id: "batch-translation", name: "Batch translation", tags: ["internal", "batch"], model: "llama-3.3-70b", calls: 30, limits: { tokens_per_minute: 200_000 } },
];

const QUESTIONS = [
  "Where is my order? It should have come on Monday.",
  "Review this change: the retry loop has no upper bound and may hold the lock while it waits.",
  "Summarise the meeting in three sentences, then list who does what by when.",
  "Translate into German: the pump starts when the water in the basin reaches the upper mark.",
  "What changed between HTTP/1.1 and HTTP/2?",
];

async function made(answer: { ok(): boolean; text(): Promise<string> }): Promise<void> {
  expect(answer.ok(), await answer.text()).toBe(true);
}

/** Fills the gateway; gives the first client's key. */
export async function populate(gateway: Gateway, api: APIRequestContext): Promise<string> {
  // Nothing outside is called: every provider echoes.
  for (const [id, name] of [
    ["openai", "OpenAI"],
    ["anthropic", "Anthropic"],
    ["google", "Google"],
    ["local", "Rack 4"],
  ]) {
    await made(await api.post("/api/v1/providers", { data: { id, name, type: "echo" } }));
  }
  for (const [id, provider, input, output] of MODELS) {
    await made(await api.put(`/api/v1/models/${id}`, { data: { targets: [{ provider, model: id }], prices: { rates: { input, output } } } }));
  }
  await made(await api.put("/api/v1/models/assistant", { data: { targets: [{ provider: "anthropic", model: "claude-sonnet-4-5", weight: 3 }, { provider: "openai", model: "gpt-5-mini", weight: 1 }], strategy: "adaptive", prices: { rates: { input: 1_000_000, output: 4_000_000 } } } }));
  await made(await api.post("/api/v1/members", { data: { name: "grace", password: "a password of twelve", role: "admin" } }));
  await made(await api.post("/api/v1/members", { data: { name: "linus", password: "a password of twelve", role: "viewer" } }));
  let first = "";
  for (const { id, name, tags, model, calls, limits, log } of CLIENTS) {
    const answer = await api.post("/api/v1/clients", { data: { id, name, tags, default_model: model, limits, log_payloads: log === true, owner: `${id}@example.com` } });
    await made(answer);
    const { key } = (await answer.json()) as { key: { key: string } };
    first ||= key.key;
    for (let at = 0; at < calls; at++) {
      const content = QUESTIONS[at % QUESTIONS.length] ?? "Hello";
      const response = await fetch(`${gateway.proxy}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${key.key}`, "content-type": "application/json" },
        body: JSON.stringify({ model: at % 23 === 22 ? "gpt-unknown" : model, stream: at % 3 === 0, messages: [{ role: "system", content: "You are a helpful assistant of a small company." }, { role: "user", content }] }),
      });
      await response.text();
    }
  }
  await made(await api.put("/api/v1/resources/routes/legacy-chat", { data: { value: { uri: "/legacy/*", name: "Legacy chat", methods: ["POST"], plugins: { "key-auth": {}, "limit-count": { count: 200, time_window: 60, rejected_code: 429 }, "ai-proxy": { provider: "openai", auth: { header: { Authorization: "Bearer sk-placeholder" } } } } } } }));
  return first;
}
