// What to paste where, for tools and libraries. The key stays a variable unless it is typed in.
import { quote } from "../../components/ShowAsApiCall";

interface Values {
  base: string;
  key: string;
  model: string;
}

export interface Snippet {
  id: string;
  title: string;
  group: "Shell" | "Libraries" | "Coding tools";
  /** Where it goes. */
  place: string;
  text: (values: Values) => string;
}

/** Base URLs by what a tool speaks. */
export const ADDRESSES = [
  { speaks: "OpenAI", path: "/v1", key: "Authorization: Bearer" },
  { speaks: "Anthropic", path: "", key: "x-api-key, or Authorization: Bearer" },
  { speaks: "Gemini", path: "", key: "x-goog-api-key" },
  { speaks: "Ollama", path: "", key: "Authorization: Bearer" },
];

const json = (value: unknown) => JSON.stringify(value, null, 2);
const lines = (...text: string[]) => text.join("\n");
/** A value for a shell; a variable stays one. */
const shell = (text: string) => (text.startsWith("$") ? `"${text}"` : quote(text));
const hello = (model: string) => ({ model, messages: [{ role: "user", content: "Hello" }] });

const SHELL: Snippet[] = [
  {
    id: "curl",
    title: "curl",
    group: "Shell",
    place: "a shell",
    text: ({ base, key, model }) =>
      lines(
        `curl ${base}/v1/chat/completions \\`,
        `  -H "Authorization: Bearer ${key}" \\`,
        `  -H 'Content-Type: application/json' \\`,
        `  -d ${quote(JSON.stringify(hello(model)))}`,
      ),
  },
  {
    id: "curl-anthropic",
    title: "curl, as Anthropic",
    group: "Shell",
    place: "a shell",
    text: ({ base, key, model }) =>
      lines(
        `curl ${base}/v1/messages \\`,
        `  -H "x-api-key: ${key}" \\`,
        `  -H 'anthropic-version: 2023-06-01' \\`,
        `  -H 'Content-Type: application/json' \\`,
        `  -d ${quote(JSON.stringify({ ...hello(model), max_tokens: 1024 }))}`,
      ),
  },
];

const LIBRARIES: Snippet[] = [
  {
    id: "openai-python",
    title: "OpenAI SDK, Python",
    group: "Libraries",
    place: "your program",
    text: ({ base, key, model }) =>
      lines(
        "from openai import OpenAI",
        "",
        `client = OpenAI(base_url=${json(`${base}/v1`)}, api_key=${json(key)})`,
        "answer = client.chat.completions.create(",
        `    model=${json(model)},`,
        `    messages=[{"role": "user", "content": "Hello"}],`,
        ")",
        "print(answer.choices[0].message.content)",
      ),
  },
  {
    id: "openai-js",
    title: "OpenAI SDK, JavaScript",
    group: "Libraries",
    place: "your program",
    text: ({ base, key, model }) =>
      lines(
        `import OpenAI from "openai";`,
        "",
        `const client = new OpenAI({ baseURL: ${json(`${base}/v1`)}, apiKey: ${json(key)} });`,
        "const answer = await client.chat.completions.create({",
        `  model: ${json(model)},`,
        `  messages: [{ role: "user", content: "Hello" }],`,
        "});",
        "console.log(answer.choices[0].message.content);",
      ),
  },
  {
    id: "anthropic-python",
    title: "Anthropic SDK, Python",
    group: "Libraries",
    place: "your program",
    text: ({ base, key, model }) =>
      lines(
        "from anthropic import Anthropic",
        "",
        `client = Anthropic(base_url=${json(base)}, api_key=${json(key)})`,
        "answer = client.messages.create(",
        `    model=${json(model)},`,
        "    max_tokens=1024,",
        `    messages=[{"role": "user", "content": "Hello"}],`,
        ")",
        "print(answer.content[0].text)",
      ),
  },
  {
    id: "anthropic-js",
    title: "Anthropic SDK, JavaScript",
    group: "Libraries",
    place: "your program",
    text: ({ base, key, model }) =>
      lines(
        `import Anthropic from "@anthropic-ai/sdk";`,
        "",
        `const client = new Anthropic({ baseURL: ${json(base)}, apiKey: ${json(key)} });`,
        "const answer = await client.messages.create({",
        `  model: ${json(model)},`,
        "  max_tokens: 1024,",
        `  messages: [{ role: "user", content: "Hello" }],`,
        "});",
        "console.log(answer.content);",
      ),
  },
  {
    id: "gemini-python",
    title: "Google Gen AI SDK, Python",
    group: "Libraries",
    place: "your program",
    text: ({ base, key, model }) =>
      lines(
        "from google import genai",
        "from google.genai import types",
        "",
        `client = genai.Client(api_key=${json(key)}, http_options=types.HttpOptions(base_url=${json(base)}))`,
        `answer = client.models.generate_content(model=${json(model)}, contents="Hello")`,
        "print(answer.text)",
      ),
  },
  {
    id: "gemini-js",
    title: "Google Gen AI SDK, JavaScript",
    group: "Libraries",
    place: "your program",
    text: ({ base, key, model }) =>
      lines(
        `import { GoogleGenAI } from "@google/genai";`,
        "",
        `const client = new GoogleGenAI({ apiKey: ${json(key)}, httpOptions: { baseUrl: ${json(base)} } });`,
        `const answer = await client.models.generateContent({ model: ${json(model)}, contents: "Hello" });`,
        "console.log(answer.text);",
      ),
  },
];

const CODING: Snippet[] = [
  {
    id: "claude-code",
    title: "Claude Code",
    group: "Coding tools",
    place: "a shell, before it starts",
    text: ({ base, key, model }) =>
      lines(
        `export ANTHROPIC_BASE_URL=${quote(base)}`,
        `export ANTHROPIC_AUTH_TOKEN=${shell(key)}`,
        `export ANTHROPIC_MODEL=${quote(model)}`,
        "claude",
      ),
  },
  {
    id: "codex",
    title: "Codex CLI",
    group: "Coding tools",
    place: "~/.codex/config.toml, with the key in SLUICE_KEY",
    text: ({ base, model }) =>
      lines(
        `model = ${json(model)}`,
        `model_provider = "sluice"`,
        "",
        "[model_providers.sluice]",
        `name = "Sluice"`,
        `base_url = ${json(`${base}/v1`)}`,
        `env_key = "SLUICE_KEY"`,
        `wire_api = "responses"`,
      ),
  },
  {
    id: "opencode",
    title: "opencode",
    group: "Coding tools",
    place: "opencode.json, with the key in SLUICE_KEY",
    text: ({ base, model }) =>
      json({
        $schema: "https://opencode.ai/config.json",
        provider: {
          sluice: {
            npm: "@ai-sdk/openai-compatible",
            name: "Sluice",
            options: { baseURL: `${base}/v1`, apiKey: "{env:SLUICE_KEY}" },
            models: { [model]: {} },
          },
        },
        model: `sluice/${model}`,
      }),
  },
  {
    id: "aider",
    title: "Aider",
    group: "Coding tools",
    place: "a shell, before it starts",
    text: ({ base, key, model }) =>
      lines(
        `export OPENAI_API_BASE=${quote(`${base}/v1`)}`,
        `export OPENAI_API_KEY=${shell(key)}`,
        `aider --model ${quote(`openai/${model}`)}`,
      ),
  },
  {
    id: "continue",
    title: "Continue",
    group: "Coding tools",
    place: "~/.continue/config.yaml",
    text: ({ base, key, model }) =>
      lines(
        "name: Sluice",
        "version: 1.0.0",
        "schema: v1",
        "models:",
        `  - name: ${json(`${model} (Sluice)`)}`,
        "    provider: openai",
        `    model: ${json(model)}`,
        `    apiBase: ${json(`${base}/v1`)}`,
        `    apiKey: ${json(key)}`,
      ),
  },
];

export const SNIPPETS: Snippet[] = [...SHELL, ...LIBRARIES, ...CODING];
