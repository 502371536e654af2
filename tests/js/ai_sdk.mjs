// Vercel's AI SDK through @ai-sdk/openai-compatible, as coding tools use it.

import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { embedMany, generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import {
  BASE_URL,
  BOTH,
  CITIES,
  HELLO,
  PARAMETERS,
  PNG,
  SCHEMA,
  STRUCTURED,
  UNICODE,
  WEATHER,
  assert,
  check,
  equal,
  run,
  thrown,
} from './checks.mjs';

const connect = (apiKey) =>
  createOpenAICompatible({
    name: 'sluice',
    baseURL: `${BASE_URL}/v1`,
    apiKey,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });

const asked = (client, prompt, more = {}) => ({ model: client('gpt-4o'), prompt, maxRetries: 0, ...more });

/** A tool that the SDK calls by itself, and what it was called with. */
function weather(results) {
  const cities = [];
  const get_weather = tool({
    description: 'weather',
    inputSchema: jsonSchema(PARAMETERS),
    execute: async ({ city }) => {
      cities.push(city);
      return results[city];
    },
  });
  return { cities, options: { tools: { get_weather }, stopWhen: stepCountIs(3) } };
}

check('text', async (client) => {
  const answer = await generateText(asked(client, 'conf:hello'));
  equal([answer.text, answer.usage.totalTokens], [HELLO, 15]);
});

check('stream', async (client) => {
  const answer = streamText(asked(client, 'conf:unicode'));
  let text = '';
  for await (const piece of answer.textStream) text += piece;
  equal([text, (await answer.usage).outputTokens, await answer.finishReason], [UNICODE, 14, 'stop']);
});

check('tools there and back', async (client) => {
  const { cities, options } = weather({ Paris: '21' });
  const answer = await generateText(asked(client, 'conf:tool', options));
  equal([answer.text, cities], [WEATHER, ['Paris']]);
});

check('parallel tools in streams and back', async (client) => {
  const { cities, options } = weather({ Paris: '21', Zürich: '17' });
  const answer = streamText(asked(client, 'conf:parallel', options));
  await answer.consumeStream();
  equal([await answer.text, cities], [BOTH, CITIES]);
});

check('reasoning in a stream', async (client) => {
  const answer = streamText(asked(client, 'conf:reason'));
  let [thoughts, text] = ['', ''];
  for await (const part of answer.fullStream) {
    if (part.type === 'reasoning-delta') thoughts += part.text;
    if (part.type === 'text-delta') text += part.text;
  }
  equal([thoughts, text], ['Let me weigh the options.', 'The answer is 42.']);
});

check('image', async (client) => {
  const content = [
    { type: 'text', text: 'conf:hello' },
    { type: 'image', image: Buffer.from(PNG, 'base64'), mediaType: 'image/png' },
  ];
  const { prompt: _, ...rest } = asked(client, '');
  const answer = await generateText({ ...rest, messages: [{ role: 'user', content }] });
  equal(answer.text, HELLO);
});

check('structured output', async (client) => {
  const answer = await generateObject(asked(client, 'conf:json', { schema: jsonSchema(SCHEMA) }));
  equal(answer.object, STRUCTURED);
});

check(
  'embeddings',
  async (client) => {
    const { embeddings } = await embedMany({ model: client.textEmbeddingModel('embed'), values: ['a', 'b'] });
    equal(embeddings.length, 2);
  },
  ['anthropic'],
);

check('errors keep status and message', async (client) => {
  for (const status of [429, 400, 500]) {
    const error = await thrown(() => generateText(asked(client, `conf:err${status}`)));
    equal([error.name, error.statusCode, error.message], ['AI_APICallError', status, `fake error ${status}`]);
  }
});

check('a wrong key is refused', async () => {
  const error = await thrown(() => generateText(asked(connect('wrong'), 'conf:hello')));
  assert(error.statusCode === 401, error.message);
});

await run(connect);
