import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { rejectionOf } from '../../test/support/faults.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { writeWorld } from '../world/index.ts';
import type { PoolRankings, Responder } from './asking.ts';
import { evaluate } from './harness.ts';
import type { ItemRecord } from './results.ts';
import { openTasks } from './tasks/catalog.ts';
import type { Pool } from './tasks/task.ts';

const version = '0.0.0';
const folder = scratchFolder().path('world');
/** Captions by the names of images. */
const captions = new Map<string, Set<string>>();

beforeAll(async () => {
  await writeWorld(folder, { seed: 11, split: 'val', count: 60, tasks: ['captions'] });
  const { images, annotations } = JSON.parse(readFileSync(join(folder, 'captions.json'), 'utf8'));
  const names = new Map(images.map(({ id, file_name }: { id: number; file_name: string }) => [id, file_name]));
  for (const { image_id, caption } of annotations) {
    const name = names.get(image_id) as string;
    captions.set(name, (captions.get(name) ?? new Set()).add(caption));
  }
});

const belongs = (image: string, text: string) => captions.get(basename(image))?.has(text) === true;

/** Lists what belongs to a query behind `before` others. */
function ranked(count: number, before: number, isOwn: (place: number) => boolean): number[] {
  const places = [...Array(count).keys()];
  const others = places.filter((place) => !isOwn(place));
  return [...others.slice(0, before), ...places.filter(isOwn), ...others.slice(before)].slice(0, 10);
}

function librarian(before: number, again?: number): Responder {
  const rankings = ({ images, texts }: Pool, n: number): { ofTexts: number[][]; ofImages: number[][] } => ({
    ofTexts: texts.map((text) => ranked(images.length, n, (i) => belongs(images[i] as string, text))),
    ofImages: images.map((image) => ranked(texts.length, n, (t) => belongs(image, texts[t] as string))),
  });
  return {
    name: 'librarian',
    answer: async () => [],
    search: async (pool): Promise<PoolRankings> => {
      const first = rankings(pool, before);
      const second = again === undefined ? undefined : rankings(pool, again);
      const both = (side: 'ofTexts' | 'ofImages') =>
        first[side].map((contrast, i) => ({ contrast, ...(second && { rematched: second[side][i] as number[] }) }));
      return { ofTexts: both('ofTexts'), ofImages: both('ofImages') };
    },
  };
}

const tasks = () => openTasks(folder, ['retrieval']);

describe('retrieval', () => {
  it('gives one who knows the captions full marks, and chance where images stand in the places of others', async () => {
    const { tasks: results } = await evaluate(librarian(0), tasks(), { version, resamples: 50 });
    const groups = results[0]?.groups ?? {};
    expect(Object.keys(groups)).toEqual(['text to image', 'image to text']);
    for (const group of Object.values(groups)) {
      expect(Object.keys(group)).toEqual(['contrast1', 'contrast5', 'contrast10']);
      expect(group.contrast1?.sighted.value).toBe(1);
      expect(group.contrast1?.blind?.value ?? 1).toBeLessThan(0.2);
      expect(group.contrast10?.blind?.value ?? 1).toBeLessThan(0.5);
    }
  });

  it('counts how deep what belongs lies, by contrast and as it is ranked again, side by side', async () => {
    const { tasks: results } = await evaluate(librarian(4, 0), tasks(), { version, resamples: 50, blind: false });
    for (const group of Object.values(results[0]?.groups ?? {})) {
      const values = Object.fromEntries(Object.entries(group).map(([name, { sighted }]) => [name, sighted.value]));
      expect(values).toEqual({
        rematched1: 1,
        rematched5: 1,
        rematched10: 1,
        contrast1: 0,
        contrast5: 1,
        contrast10: 1,
        gain: 1,
      });
    }
    const worse = await evaluate(librarian(0, 9), tasks(), { version, resamples: 50, blind: false });
    expect(worse.tasks[0]?.groups['text to image']?.gain?.sighted.value).toBe(-1);
    expect(worse.tasks[0]?.groups['text to image']?.rematched10?.sighted.value).toBe(1);
  });

  it('writes down what was found, takes a caption for each image that has it, and keeps to the limit', async () => {
    const records: ItemRecord[] = [];
    const onRecord = (record: ItemRecord) => void records.push(record);
    const evaluation = await evaluate(librarian(0), tasks(), { version, limit: 20, onRecord });
    const asked = [...captions.entries()].slice(0, 20);
    const unique = new Set(asked.flatMap(([, texts]) => [...texts]));
    expect(evaluation.tasks[0]).toMatchObject({ pictures: 20, questions: unique.size + 20 });
    expect(records).toHaveLength(2 * (unique.size + 20));
    for (const { run, picture, shown, correct, read, truth, prompt } of records) {
      expect(picture === shown).toBe(run === 'sighted');
      if (run === 'blind') continue;
      expect(correct).toBe(true);
      if (prompt === 'Which caption?') expect(belongs(picture, read)).toBe(true);
      else expect(truth.split(', ')).toContain(read);
    }
    const shared = folder.replace('world', 'shared');
    await writeWorld(shared, { seed: 11, split: 'val', count: 2, tasks: [] });
    const images = ['000000000000.png', '000000000001.png'].map((file_name, id) => ({ id, file_name }));
    const annotations = [0, 1].map((image_id) => ({ image_id, caption: 'A table.' }));
    writeFileSync(join(shared, 'captions.json'), JSON.stringify({ images, annotations }));
    const both = await evaluate(
      {
        ...librarian(0),
        search: async () => ({ ofTexts: [{ contrast: [1, 0] }], ofImages: [{ contrast: [0] }, { contrast: [0] }] }),
      },
      openTasks(shared, ['retrieval']),
      { version, blind: false },
    );
    expect(both.tasks[0]?.questions).toBe(3);
    expect(both.tasks[0]?.groups['text to image']?.contrast1?.sighted.value).toBe(1);
  });

  it('refuses captions of images that are not there, and responders that cannot search', async () => {
    const { search: _, ...mute } = librarian(0);
    const unable = await rejectionOf(evaluate(mute, tasks(), { version }));
    expect(unable).toMatchObject({ code: 'eval/responder' });
    const broken = folder.replace('world', 'broken');
    await writeWorld(broken, { seed: 11, split: 'val', count: 2, tasks: [] });
    const json = { images: [{ id: 1, file_name: 'gone.png' }], annotations: [{ image_id: 1, caption: 'A table.' }] };
    writeFileSync(join(broken, 'captions.json'), JSON.stringify(json));
    const fault = await rejectionOf(evaluate(librarian(0), openTasks(broken, ['retrieval']), { version }));
    expect(fault).toMatchObject({ code: 'row/image-missing' });
  });
});
