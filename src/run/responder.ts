import { basename } from 'node:path';
import { raise, TesseraError } from '../base/index.ts';
import type { Asks, PoolRankings, Responder } from '../eval/index.ts';
import { createResponder, loadForGeneration } from '../generate/index.ts';
import { type LoadedModel, type Model, readsInterleaved } from '../models/index.ts';
import { imageVectors, loadForRetrieval, openRetriever, type Ranking, search } from '../retrieve/index.ts';
import type { Engine } from '../runtime/index.ts';
import type { Asked } from './asked.ts';
import type { Hooks } from './types.ts';

/** What evaluations can ask of a model. */
export function abilitiesOf(model: Model): Set<Asks> {
  const { writer, image, matcher, embedder, painter, quantizer } = model;
  const can: Record<Asks, boolean> = {
    answers: writer !== undefined && image !== undefined,
    searches: (matcher ?? embedder) !== undefined,
    shots: readsInterleaved(model),
    drawings: painter !== undefined && quantizer !== undefined,
  };
  return new Set((Object.keys(can) as Asks[]).filter((asks) => can[asks]));
}

type OpenResponder = Responder & { close(): Promise<void> };

/** The model of a folder as it is put to tasks; it is made ready for what they ask alone. */
export async function openResponder(
  folder: string,
  loaded: LoadedModel,
  { asked, asks, engine, hooks }: { asked: Asked; asks: ReadonlySet<Asks>; engine: Engine; hooks: Hooks },
): Promise<OpenResponder> {
  const { quantize, adapter, template, system } = asked;
  const name = [basename(folder), adapter && `+ ${basename(adapter)}`, quantize].filter(Boolean).join(' ');
  const answering =
    asks.has('answers') || asks.has('shots') || asks.has('drawings')
      ? await loadForGeneration(folder, engine, { quantize, adapter, template, system, loaded })
      : undefined;
  if (answering?.template.discards.includes('user')) {
    hooks.log.warn(
      `the template ${answering.template.name} leaves questions out: the model sees images alone; --template takes another`,
    );
  }
  const speaker = answering && createResponder({ ...answering, name, batch: 64 });
  const searching = asks.has('searches')
    ? openRetriever(await loadForRetrieval(folder, engine, { adapter, loaded }))
    : undefined;
  return {
    name,
    answer: async (requests, signal) => (speaker ?? cannot(folder)).answer(requests, signal),
    ...(answering?.model.look && { vectors: (images, signal) => vectorsOf(answering, images, signal) }),
    ...(searching && {
      search: async (pool, options) => rankings(await search(searching, pool.images, pool.texts, options)),
    }),
    close: async () => void (await Promise.all([speaker?.close(), searching?.close()])),
  };
}

async function vectorsOf(parts: Parameters<typeof imageVectors>[0], images: readonly string[], signal?: AbortSignal) {
  const vectors = await imageVectors(parts, images, signal);
  return new Map(images.map((image, i) => [image, vectors[i] as Float32Array]));
}

function cannot(folder: string): never {
  throw new TesseraError({ code: 'eval/cannot', message: 'the model was not made ready for questions', path: folder });
}

/** @throws TesseraError for images that cannot be read, all of them at once */
function rankings({ ofTexts, ofImages, unread }: Awaited<ReturnType<typeof search>>): PoolRankings {
  raise([...unread.values()]);
  const places = ({ contrast, rematched }: Ranking) => ({
    contrast: contrast.map(({ at }) => at),
    ...(rematched && { rematched: rematched.map(({ at }) => at) }),
  });
  return { ofTexts: ofTexts.map(places), ofImages: ofImages.map(places) };
}
