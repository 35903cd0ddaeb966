import { expect, it } from 'vitest';
import { providers, tryProvider } from './index.ts';

it.each(['c-api', 'binding', 'wasm'] as const)('computes by %s', async (name) => {
  expect(providers.map((provider) => provider.name)).toContain(name);
  expect((await tryProvider(name)).version).toMatch(/^\d+\.\d+\.\d+$/);
});
