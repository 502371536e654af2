// What to paste where, for tools and libraries. The key stays a variable unless it is typed in.
import { quote } from "../../components/ShowAsApiCall";

export interface Snippet {
  id: string;
  title: string;
  /** Where it goes. */
  place: string;
  text: (values: { base: string; key: string; model: string }) => string;
}

const json = (value: unknown) => JSON.stringify(value, null, 2);

export const SNIPPETS: Snippet[] = [
  {
    id: "curl",
    title: "curl",
    place: "a shell",
    text: ({ base, key, model }) =>
      `curl ${base}/v1/chat/completions \\\n  -H "Authorization: Bearer ${key}" \\\n  -H 'Content-Type: application/json' \\\n  -d ${quote(JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] }))}`,
  },
  {
    id: "openai-python",
    title: "OpenAI SDK, Python",
    place: "your program",
    text: ({ base, key, model }) =>
      `from openai import OpenAI\n\nclient = OpenAI(base_url=${json(`${base}/v1`)}, api_key=${json(key)})\nanswer = client.chat.completions.create(\n    model=${json(model)},\n    messages=[{"role": "user", "content": "Hello"}],\n)\nprint(answer.choices[0].message.content)`,
  },
  {
    id: "openai-js",
    title: "OpenAI SDK, JavaScript",
    place: "your program",
    text: ({ base, key, model }) =>
      `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: ${json(`${base}/v1`)}, apiKey: ${json(key)} });\nconst answer = await client.chat.completions.create({\n  model: ${json(model)},\n  messages: [{ role: "user", content: "Hello" }],\n});\nconsole.log(answer.choices[0].message.content);`,
  },
  {
    id: "anthropic-python",
    title: "Anthropic SDK, Python",
    place: "your program",
    text: ({ base, key, model }) =>
      `from anthropic import Anthropic\n\nclient = Anthropic(base_url=${json(base)}, api_key=${json(key)})\nanswer = client.messages.create(\n    model=${json(model)},\n    max_tokens=1024,\n    messages=[{"role": "user", "content": "Hello"}],\n)\nprint(answer.content[0].text)`,
  },
  {
    id: "claude-code",
    title: "Claude Code",
    place: "a shell, before it starts",
    text: ({ base, key, model }) => `export ANTHROPIC_BASE_URL=${quote(base)}\nexport ANTHROPIC_AUTH_TOKEN=${key.startsWith("$") ? `"${key}"` : quote(key)}\nexport ANTHROPIC_MODEL=${quote(model)}\nclaude`,
  },
  {
    id: "codex",
    title: "Codex CLI",
    place: "~/.codex/config.toml, with the key in SLUICE_KEY",
    text: ({ base, model }) => `model = ${json(model)}\nmodel_provider = "sluice"\n\n[model_providers.sluice]\nname = "Sluice"\nbase_url = ${json(`${base}/v1`)}\nenv_key = "SLUICE_KEY"\nwire_api = "responses"`,
  },
  {
    id: "opencode",
    title: "opencode",
    place: "opencode.json, with the key in SLUICE_KEY",
    text: ({ base, model }) =>
      json({
        $schema: "https://opencode.ai/config.json",
        provider: { sluice: { npm: "@ai-sdk/openai-compatible", name: "Sluice", options: { baseURL: `${base}/v1`, apiKey: "{env:SLUICE_KEY}" }, models: { [model]: {} } } },
        model: `sluice/${model}`,
      }),
  },
];
