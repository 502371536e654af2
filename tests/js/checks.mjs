// What the SDK scripts share: named checks, run in order for each provider, reported one per line.
//
// `BASE_URL` is the gateway. `KEYS` has pairs `<provider>=<key>`: behind each key is a provider of that name, which
// answers by the prompt contract.

import assert from 'node:assert/strict';

export const BASE_URL = process.env.BASE_URL;
const KEYS = process.env.KEYS.split(' ').map((pair) => pair.split('='));

export const HELLO = 'Hello from the upstream.';
export const UNICODE = 'ünïcødé ✓ 日本語 🎉👩\u200d💻 end';
export const CITIES = ['Paris', 'Zürich'];
export const WEATHER = 'It is 21 degrees in Paris.';
export const BOTH = 'Paris 21, Zürich 17.';
export const PARAMETERS = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
};
// The test looks for the picture and for this description in what the providers get.
export const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
export const SCHEMA = {
  type: 'object',
  properties: {
    ok: { type: 'boolean' },
    n: { type: 'integer', description: 'how many things there are' },
  },
  required: ['ok', 'n'],
  additionalProperties: false,
};
export const STRUCTURED = { ok: true, n: 3 };

export const equal = assert.deepEqual;
export { assert };

const checks = [];

/** A check for all providers, or for all `but` some. */
export function check(name, act, but = []) {
  checks.push({ name, act, but });
}

/** The error that `act` throws. */
export async function thrown(act) {
  try {
    await act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

/** Runs the checks with the client that `connect` makes of each key. */
export async function run(connect) {
  let [passed, failed] = [0, 0];
  for (const [provider, key] of KEYS) {
    const client = connect(key);
    for (const { name, act } of checks.filter(({ but }) => !but.includes(provider))) {
      try {
        await act(client);
        passed += 1;
        console.log(`ok ${name} on ${provider}`);
      } catch (error) {
        failed += 1;
        console.log(`FAILED ${name} on ${provider}: ${error?.name}: ${error?.message}`);
      }
    }
  }
  console.log(`${passed} of ${passed + failed} checks hold`);
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
}
