// The official openai SDK through the gateway: chat, Responses, embeddings, models.

import OpenAI from 'openai';
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

const model = 'gpt-4o';

const connect = (apiKey) =>
  new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey, maxRetries: 0, timeout: 30_000 });

const ask = (client, content, more = {}) =>
  client.chat.completions.create({ model, messages: [{ role: 'user', content }], ...more });

/** A tool that the SDK calls by itself, and what it was called with. */
function weather(results) {
  const cities = [];
  const run = ({ city }) => {
    cities.push(city);
    return results[city];
  };
  const tool = {
    type: 'function',
    function: { name: 'get_weather', parameters: PARAMETERS, parse: JSON.parse, function: run },
  };
  return { cities, tool };
}

check('chat', async (client) => {
  const answer = await ask(client, 'conf:hello');
  equal(answer.choices[0].message.content, HELLO);
  equal(answer.usage.total_tokens, 15);
});

check('stream', async (client) => {
  let text = '';
  for await (const chunk of await ask(client, 'conf:unicode', { stream: true })) {
    assert(!chunk.usage, 'usage was not asked for');
    text += chunk.choices[0]?.delta?.content ?? '';
  }
  equal(text, UNICODE);
});

check('stream with usage that was asked for', async (client) => {
  let last;
  const options = { stream: true, stream_options: { include_usage: true } };
  for await (const chunk of await ask(client, 'conf:hello', options)) last = chunk;
  equal([last.choices, last.usage.total_tokens], [[], 15]);
});

check('tools there and back', async (client) => {
  const { cities, tool } = weather({ Paris: '21' });
  const messages = [{ role: 'user', content: 'conf:tool' }];
  const runner = client.chat.completions.runTools({ model, messages, tools: [tool] });
  equal(await runner.finalContent(), WEATHER);
  equal(cities, ['Paris']);
});

check('parallel tools in streams and back', async (client) => {
  const { cities, tool } = weather({ Paris: '21', Zürich: '17' });
  const messages = [{ role: 'user', content: 'conf:parallel' }];
  const runner = client.chat.completions.runTools({ model, messages, tools: [tool], stream: true });
  equal(await runner.finalContent(), BOTH);
  equal(cities, CITIES);
});

check('image', async (client) => {
  const picture = { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } };
  const answer = await ask(client, [{ type: 'text', text: 'conf:hello' }, picture]);
  equal(answer.choices[0].message.content, HELLO);
});

check('structured output', async (client) => {
  const json_schema = { name: 'counted', strict: true, schema: SCHEMA };
  const answer = await ask(client, 'conf:json', {
    response_format: { type: 'json_schema', json_schema },
  });
  equal(JSON.parse(answer.choices[0].message.content), STRUCTURED);
});

check('responses', async (client) => {
  const answer = await client.responses.create({ model, input: 'conf:hello' });
  equal(answer.output_text, HELLO);
  const types = [];
  const stream = await client.responses.create({ model, input: 'conf:hello', stream: true });
  for await (const event of stream) types.push(event.type);
  equal([types[0], types.at(-1)], ['response.created', 'response.completed']);
});

check(
  'embeddings',
  async (client) => {
    const answer = await client.embeddings.create({ model: 'embed', input: ['a', 'b'] });
    equal(answer.data.length, 2);
  },
  ['anthropic'],
);

check('models', async (client) => {
  const ids = [];
  for await (const listed of client.models.list()) ids.push(listed.id);
  equal((await client.models.retrieve(ids[0])).id, ids[0]);
});

check('errors keep class, status and message', async (client) => {
  for (const [status, kind] of [
    [429, OpenAI.RateLimitError],
    [400, OpenAI.BadRequestError],
    [500, OpenAI.InternalServerError],
  ]) {
    const error = await thrown(() => ask(client, `conf:err${status}`));
    assert(error instanceof kind, error.constructor.name);
    equal([error.status, error.error.message], [status, `fake error ${status}`]);
  }
});

check('a stream that breaks is an error', async (client) => {
  const read = async () => {
    for await (const _ of await ask(client, 'conf:cut', { stream: true }));
  };
  assert((await thrown(read)) instanceof OpenAI.APIError);
});

await run(connect);
