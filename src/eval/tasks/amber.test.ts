import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { rejectionOf } from '../../../test/support/faults.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { claimTruth, parseClaims, readScenes, writeWorld } from '../../world/index.ts';
import { evaluate, openTasks, type Task } from '../index.ts';

const root = scratchFolder();
const world = root.path('world');
beforeAll(() => writeWorld(world, { seed: 1, split: 'val', count: 60, tasks: ['amber'] }).then(() => undefined));

const task = (folder = world) => openTasks(folder, ['amber'])[0] as Task;

/** A model that answers every question by a rule. */
async function scores(answer: (prompt: string, truth: string) => string) {
  const truths = new Map((await task().load()).map(({ image, prompt, truth }) => [`${image} ${prompt}`, truth]));
  const responder = {
    name: 'rule',
    answer: async (asked: readonly { image?: string; prompt: string }[]) =>
      asked.map(({ image, prompt }) => ({ text: answer(prompt, truths.get(`${image} ${prompt}`) as string) })),
  };
  const { tasks } = await evaluate(responder, [task()], { version: '0', blind: false, resamples: 10 });
  return (group: string, metric: string) => tasks[0]?.groups[group]?.[metric]?.sighted.value;
}

describe('AMBER on the tabletop', () => {
  it('asks what the scenes answer as its labels do', async () => {
    const scenes = await readScenes(world);
    const items = await task().load();
    const kinds = new Map<string, number>();
    for (const { image, prompt, truth } of items) {
      const scene = scenes[Number(/(\d+)\.png$/.exec(image)?.[1])];
      const said = /^(Is|Are) (there )?(.*) in this image\?$/.exec(prompt);
      kinds.set(said ? 'asked' : 'described', (kinds.get(said ? 'asked' : 'described') ?? 0) + 1);
      if (!said || !scene) continue;
      const [, verb = '', there, rest = ''] = said;
      const looks = / (red|green|blue|yellow|purple|orange|black|pink|small|large)$/.exec(rest);
      const sentence = there
        ? `There ${verb.toLowerCase()} ${rest}.`
        : looks
          ? `${rest.slice(0, looks.index)} is${looks[0]}.`
          : `${rest.replace(/^(the \w+) /, '$1 is ')}.`;
      const claims = parseClaims(sentence).sentences.flatMap(({ claims }) => claims);
      const claim = claims.find(({ kind }) => kind !== 'exists') ?? claims[0];
      expect(claim && claimTruth(scene, claim), `${prompt} ${sentence}`).toBe(truth === 'yes');
    }
    expect(kinds.get('described')).toBe(60);
    expect(kinds.get('asked')).toBeGreaterThan(300);
  });

  it('gives who knows everything the best scores, and tells who invents from who is silent', async () => {
    const right = await scores((prompt, truth) => (prompt.startsWith('Describe') ? `There are ${truth}.` : truth));
    expect([right('all', 'amber'), right('generative', 'chair'), right('generative', 'cover')]).toEqual([1, 0, 1]);
    for (const group of ['discriminative', 'existence', 'state', 'number', 'relation']) {
      expect(right(group, 'accuracy'), group).toBe(1);
    }
    expect(right('action', 'accuracy')).toBeUndefined();
    const silent = await scores(() => 'Hello.');
    expect([silent('generative', 'cover'), silent('generative', 'hal'), silent('generative', 'length')]).toEqual([
      0, 0, 1,
    ]);
    expect([silent('discriminative', 'accuracy'), silent('discriminative', 'unclear')]).toEqual([0, 1]);
    const agreeing = await scores(() => 'Yes, a ball, cubes, cones, a ring, a star, a heart, a cross and a moon');
    expect(agreeing('generative', 'cog')).toBeGreaterThan(0.3);
    expect([agreeing('existence', 'accuracy'), agreeing('state', 'accuracy')]).toEqual([0, 0.5]);
  });

  it('reads the published files, whose relations go by two names', async () => {
    const folder = root.path('published');
    mkdirSync(`${folder}/images`, { recursive: true });
    for (const i of [1, 2]) writeFileSync(`${folder}/images/AMBER_${i}.jpg`, '');
    const write = (name: string, value: unknown) =>
      writeFileSync(`${folder}/amber_${name}`, typeof value === 'string' ? value : JSON.stringify(value));
    write('query_all.json', [
      { id: 1, image: 'AMBER_1.jpg', query: 'Describe this image.' },
      { id: 2, image: 'AMBER_2.jpg', query: 'Is there direct contact between the person and tree?' },
    ]);
    write('annotations.json', [
      { id: 1, type: 'generative', truth: ['sky', 'forest'], hallu: ['cloud'] },
      { id: 2, type: 'relation', truth: 'no' },
    ]);
    write('relation.json', { sky: [], forest: ['tree'], cloud: [] });
    write('safe_words.txt', 'orange\nline');
    const [described, asked] = await task(folder).load();
    const verdict = described?.judge({ text: 'Trees under a sky with clouds.' });
    expect(verdict).toMatchObject({
      read: 'tree, sky, cloud',
      covers: { named: 2, of: 2 },
      invented: [{ start: 23, end: 29 }],
    });
    expect(asked?.judge({ text: 'No.' }).tallies).toHaveProperty('relation.right', 1);
    write('annotations.json', [{ id: 1, type: 'generative', truth: ['sky'], hallu: [] }]);
    expect((await rejectionOf(task(folder).load())).code).toBe('eval/unannotated');
    write('annotations.json', [{ id: 1, type: 'generative', truth: 'yes' }]);
    expect((await rejectionOf(task(folder).load())).code).toBe('eval/row');
    expect(existsSync(`${world}/amber_relation.json`)).toBe(true);
    expect(JSON.parse(readFileSync(`${world}/amber_relation.json`, 'utf8')).ball).toContain('sphere');
  });
});
