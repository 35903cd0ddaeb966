import { copyFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { findChromium } from '../../src/apps/cli/doctor/chromium.ts';
import type * as web from '../../src/apps/web/main.ts';
import { loadForGeneration, openConversation, type SpeakerParts, scoreAnswer } from '../../src/generate/index.ts';
import { type Bundle, bundle, runPage } from '../support/browser.ts';

import { maxAbsolute } from '../support/compare.ts';
import { sharedEngine } from '../support/evaluate.ts';
import { fixture } from '../support/fixtures.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { writeLlava } from './material.ts';

const folder = scratchFolder().fresh();
const chromium = findChromium();
const runtime = dirname(fileURLToPath(import.meta.resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm')));
/** Of a log-probability: the kernels of WebAssembly add in another order. */
const LOG_PROBABILITY = 1e-4;

type Api = Pick<typeof web, 'openConversation' | 'scoreAnswer'>;
type Speak = (api: Api, parts: SpeakerParts, image: string) => Promise<unknown>;

/** Answers to two questions, and the probabilities of an answer; it runs here and, by its text, in the page. */
async function speak(api: Api, parts: SpeakerParts, image: string) {
  const chat = api.openConversation(parts);
  const first = await chat.say({ text: 'What colour is the image?', images: [image] }, { maxTokens: 16 });
  const second = await chat.say({ text: 'Is it red?', images: [] }, { maxTokens: 16 });
  await chat.close();
  const scores = await api.scoreAnswer(parts, { prompt: 'What?', images: [image], answer: first.text });
  return { first, second, scores };
}

/** A short answer: a software GPU takes its time. */
async function speakBriefly(api: Api, parts: SpeakerParts, image: string) {
  const chat = api.openConversation(parts);
  return chat.say({ text: 'What colour is the image?', images: [image] }, { maxTokens: 6 });
}

async function here<T extends Speak>(talk: T) {
  const parts = await loadForGeneration(folder, await sharedEngine());
  return (await talk({ openConversation, scoreAnswer }, parts, join(folder, 'picture.png'))) as Awaited<ReturnType<T>>;
}

describe('the bundle for browsers', () => {
  let bundled: Bundle;
  beforeAll(async () => {
    writeLlava(folder);
    copyFileSync(fixture('image/files/rgb.png'), join(folder, 'picture.png'));
    bundled = await bundle('src/apps/web/main.ts');
  }, 60_000);

  it('asks for nothing that a browser does not have', () => {
    expect(bundled.missing).toEqual([]);
  });

  describe.skipIf(chromium.missing)(`in Chromium ${chromium.path ?? chromium.missing}`, { timeout: 300_000 }, () => {
    const inPage = async <T extends Speak>(talk: T, backend: 'wasm' | 'webgpu') =>
      (await runPage(chromium.path as string, {
        script: `
          const api = await import('/tessera.js');
          const parts = await api.fetchModel('/model', { assets: '/onnxruntime/', backend: '${backend}' });
          return (${talk})(api, parts, '/model/picture.png');`,
        files: { '/tessera.js': bundled.code, '/model': folder, '/onnxruntime': runtime },
      })) as Awaited<ReturnType<T>>;

    it('speaks and scores as on the processor, by WebAssembly', async () => {
      const [expected, got] = [await here(speak), await inPage(speak, 'wasm')];
      expect(got.first).toEqual(expected.first);
      expect(got.second).toEqual(expected.second);
      expect(got.scores.map(({ id }) => id)).toEqual(expected.scores.map(({ id }) => id));
      const logProbs = (scores: typeof got.scores) => scores.map(({ logProb }) => logProb);
      expect(maxAbsolute(logProbs(got.scores), logProbs(expected.scores))).toBeLessThan(LOG_PROBABILITY);
      // An answer of one word would prove little.
      expect(expected.first.tokens + expected.second.tokens).toBeGreaterThan(8);
    });

    it('speaks as on the processor, by WebGPU', async () => {
      expect(await inPage(speakBriefly, 'webgpu')).toEqual(await here(speakBriefly));
    });
  });
});
