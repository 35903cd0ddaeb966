import { cpSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parsePlan } from '../../src/recipe/index.ts';
import { resumeRun, type TrainResult, trainPlan } from '../../src/run/index.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { hooks, writeLlava, writeRows } from './material.ts';

const root = scratchFolder().fresh();
const steps = 6;

/** Two stages, the second with adapters and dropout; a checkpoint every other step. */
const recipe = `
system: llava-1.5
model: { architecture: llava, from: ${join(root, 'llava')} }
train: { steps: ${steps}, batch: 3, accumulate: 2, lr: 5e-3, weight_decay: 0.1, save_every: 2, log_every: 1, threads: 1 }
stages:
  - name: align
    objective: lm
    trainable: [multi_modal_projector.**]
    template: plain
    data: [{ source: files, path: ${join(root, 'rows.json')}, count: 2 }]
  - name: tune
    objective: lm
    trainable: [multi_modal_projector.**, language_model.**]
    template: llava-1.5
    pictures: pad
    lora: { r: 2, dropout: 0.2 }
    data: [{ source: files, path: ${join(root, 'rows.json')} }]
`;

const planFor = (name: string) => parsePlan(recipe, 'two-stages.yaml', [`output.folder=${join(root, name)}`]);

/** Starts a run or goes on with it, and stops at a step of a stage: by the signal, or by dying, which leaves the folder so. */
async function runUntil(
  name: string,
  stage: string,
  step: number,
  how: 'signal' | 'crash',
): Promise<TrainResult | 'crashed'> {
  const abort = new AbortController();
  const [folder, left] = [join(root, name), join(root, `left-by-${name}`)];
  const watching = hooks(abort.signal, ({ label, done }) => {
    if (label !== `stage ${stage}` || done !== step) return;
    if (how === 'signal') return abort.abort();
    cpSync(folder, left, { recursive: true });
    throw new Error('the machine went off');
  });
  const started = readdirSync(root).includes(name);
  const going = started ? resumeRun(folder, watching) : trainPlan(planFor(name), { resume: false }, watching);
  return going.catch((error) => {
    if (error.message !== 'the machine went off') throw error;
    rmSync(folder, { recursive: true });
    renameSync(left, folder);
    return 'crashed';
  });
}

/** Every file that a run leaves for its user, with the name of its folder taken out. */
function leftBy(name: string): Map<string, string> {
  const folder = join(root, name);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/position|manifest|result|tensorboard/.test(path));
  return new Map(
    paths.sort().map((path) => [path.slice(folder.length), readFileSync(path, 'latin1').replaceAll(folder, 'FOLDER')]),
  );
}

beforeAll(async () => {
  writeLlava(join(root, 'llava'));
  await writeRows(root);
  await trainPlan(planFor('straight'), { resume: false }, hooks());
}, 120_000);

describe('a run that was interrupted', () => {
  it('ends with the bytes of one that was not, whichever stage it stopped in and however', async () => {
    expect(await runUntil('pieces', 'align', 3, 'signal')).toMatchObject({ status: 'interrupted', stages: [] });
    expect(await runUntil('pieces', 'tune', 1, 'crash')).toBe('crashed');
    expect(await runUntil('pieces', 'tune', 3, 'signal')).toMatchObject({
      status: 'interrupted',
      stages: [{ name: 'align', steps }],
    });
    expect(await runUntil('pieces', 'tune', 5, 'crash')).toBe('crashed');
    const ended = await resumeRun(join(root, 'pieces'), hooks());
    expect(ended).toMatchObject({ status: 'done', stages: [{ name: 'align' }, { name: 'tune', steps }] });
    const [straight, pieces] = [leftBy('straight'), leftBy('pieces')];
    expect([...pieces.keys()]).toEqual([...straight.keys()]);
    expect([...straight.keys()]).toEqual(
      expect.arrayContaining([
        '/metrics.jsonl',
        '/samples.jsonl',
        '/model/model.safetensors',
        '/adapter/adapter_model.safetensors',
      ]),
    );
    expect(straight.get('/model/README.md')).toContain('Rows: 44 kept, 0 refused.');
    const different = [...straight].filter(([path, text]) => pieces.get(path) !== text).map(([path]) => path);
    expect(different).toEqual([]);
  });

  it('is not gone on with by another recipe, nor started over', async () => {
    const other = parsePlan(recipe, 'two-stages.yaml', [`output.folder=${join(root, 'straight')}`, 'train.lr=1e-4']);
    await expect(trainPlan(other, { resume: true }, hooks())).rejects.toMatchObject({ code: 'run/other-recipe' });
    await expect(trainPlan(planFor('straight'), { resume: false }, hooks())).rejects.toMatchObject({
      code: 'run/exists',
    });
  });
});
