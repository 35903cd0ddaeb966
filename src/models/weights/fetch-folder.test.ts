import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { namesIn, readWhole } from '../../files/disk.web.ts';
import { fetchFolder } from './fetch-folder.ts';

const index = { weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' } };
const files: Readonly<Record<string, string>> = {
  '/sharded/config.json': '{}',
  '/sharded/tokenizer.json': '{"tokenizer": true}',
  '/sharded/model.safetensors.index.json': JSON.stringify(index),
  '/sharded/model-00001-of-00002.safetensors': 'one',
  '/sharded/model-00002-of-00002.safetensors': 'two',
};
const server = createServer(({ url = '' }, response) => {
  if (url.startsWith('/broken/')) response.writeHead(500, 'out of order').end();
  else if (url in files) response.end(files[url]);
  else response.writeHead(404).end();
});
let host = '';
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

test('fetches what a folder has, shards too', async () => {
  await fetchFolder(`${host}/sharded`);
  const names = Object.keys(files).map((path) => path.slice('/sharded/'.length));
  expect(namesIn(`${host}/sharded`).sort()).toEqual(names.sort());
  expect(new TextDecoder().decode(readWhole(`${host}/sharded/model-00002-of-00002.safetensors`))).toBe('two');
});

test('takes no other answer for the absence of a file', async () => {
  await expect(fetchFolder(`${host}/broken`)).rejects.toMatchObject({ code: 'folder/fetch', got: '500 out of order' });
  await expect(fetchFolder('http://127.0.0.1:9/none')).rejects.toMatchObject({ code: 'folder/fetch' });
});
