import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { fromBfloat16Bits, int32, type Tensor, toBfloat16Bits } from '../../src/base/index.ts';
import { decodeImage, processImage, readImageProcessor } from '../../src/data/index.ts';
import { loadForGeneration, openConversation, scoreAnswer } from '../../src/generate/index.ts';
import {
  loadAdapter,
  loadModel,
  mergeAdapter,
  modelPlace,
  openModel,
  openSafetensors,
  readJsonObject,
} from '../../src/models/index.ts';
import { decodeModel } from '../../src/onnx/index.ts';
import { loadPlan } from '../../src/recipe/index.ts';
import { exportModel, resumeRun, trainPlan } from '../../src/run/index.ts';
import { openEngine } from '../../src/runtime/index.ts';
import { runCausal } from '../support/causal.ts';
import { maxAbsolute, maxRelative } from '../support/compare.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { numbersOf } from '../support/stages.ts';
import { answerTo, hooks, llavaRows, question, writeLlava, writeRows } from './material.ts';

const root = scratchFolder().fresh();
const base = join(root, 'llava');
const run = join(root, 'run');
const model = join(run, 'model');
const shot = (name: string) => join(root, 'shots', name);
const steps = 300;

const badRows = [
  { id: 'gone', image: 'shots/gone.jpg', conversations: talk('<image>\nWhat is it?', 'Nothing.') },
  { id: 'unmarked', image: 'shots/tall.jpg', conversations: talk('What is it?', 'An image.') },
];

function talk(value: string, answer: string) {
  return [
    { from: 'human', value },
    { from: 'gpt', value: answer },
  ];
}

/** The recipe as a user runs it, small and quick. */
function plan(rows: string, ...overrides: string[]) {
  const quick = ['lora.r=4', 'lora.alpha=32', `train.steps=${steps}`, 'train.batch=8', 'train.accumulate=1'];
  const rates = ['train.lr=5e-3', 'train.lr_for={ multi_modal_projector.**: 1e-2 }', 'train.log_every=1'];
  const input = [`model.from=${base}`, `stages.tune.data.0.path=${rows}`, `output.folder=${run}`];
  return loadPlan('llava-1.5-lora', [...input, ...quick, ...rates, ...overrides]);
}

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const isProjector = (path: string) => path.startsWith('multi_modal_projector.');
const isAdapted = (path: string) => /language_model\.model\.layers\..*(_proj)\.weight$/.test(path);

beforeAll(async () => {
  writeLlava(base);
  const rows = await writeRows(root, [...llavaRows(), ...badRows]);
  await trainPlan(plan(rows), { resume: false }, hooks());
}, 120_000);

describe('LoRA on images and rows of a user', () => {
  it('fills a run folder', () => {
    const names = ['README.md', 'adapter', 'checkpoints', 'data-report.json', 'metrics.jsonl', 'model', 'recipe.yaml'];
    const found = [...readdirSync(run), ...readdirSync(model)];
    for (const name of names) expect(found).toContain(name);
    const card = readFileSync(join(model, 'README.md'), 'utf8');
    // A folder of somebody's machine is nobody's base model.
    expect(card).not.toContain('base_model');
    expect(card).toContain('42 kept, 2 refused');
    expect(loadPlan(join(run, 'recipe.yaml')).stages[0]?.lora).toMatchObject({ r: 4, alpha: 32, dropout: 0.05 });
  });

  it('lowers the loss', () => {
    const losses = readFileSync(join(run, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).loss as number)
      .filter((loss) => loss !== undefined);
    expect(losses).toHaveLength(steps);
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(losses.slice(-5))).toBeLessThan(0.3 * mean(losses.slice(0, 5)));
  });

  it('moves the projector and what adapters adapt, and no bit of anything else', () => {
    const before = loadModel(base).store.tensors;
    const after = loadModel(model).store.tensors;
    expect([...after.keys()]).toEqual([...before.keys()]);
    const moved = [...after].filter(
      ([path, t]) => !Buffer.from(bytesOf(t)).equals(bytesOf(before.get(path) as Tensor)),
    );
    const expected = [...before.keys()].filter((path) => isProjector(path) || isAdapted(path));
    expect(moved.map(([path]) => path)).toEqual(expected);
    expect(expected).toHaveLength(4 + 2 * 7);
  });

  it('writes adapters that make the merged model of the base', () => {
    const loaded = loadModel(base);
    const adapter = loadAdapter(join(run, 'adapter'), loaded);
    expect(adapter.adapter.config).toMatchObject({
      r: 4,
      alpha: 32,
      base: '../../llava',
      modulesToSave: ['multi_modal_projector'],
    });
    expect(numbersOf(mergeAdapter(loaded, adapter).store)).toEqual(numbersOf(loadModel(model).store));
  });

  it('counts the rows it refused, and why', () => {
    const report = readJson(join(run, 'data-report.json'));
    expect(report).toMatchObject({ kept: 42, rejected: 2 });
    const reasons = report.reasons.map((reason: { code: string; count: number }) => [reason.code, reason.count]);
    expect(new Map(reasons)).toEqual(
      new Map([
        ['row/image-missing', 1],
        ['row/markers', 1],
      ]),
    );
  });

  it('finds a finished run finished, and leaves it alone', async () => {
    const before = readFileSync(join(model, 'model.safetensors'));
    const said: string[] = [];
    const log = { info: (text: string) => void said.push(text), warn: () => {} };
    expect(await resumeRun(run, { ...hooks(), log })).toMatchObject({
      status: 'done',
      stages: [{ name: 'tune', steps }],
    });
    expect(said).toEqual([`the run in ${run} is finished; nothing is left to do`]);
    expect(readFileSync(join(model, 'model.safetensors')).equals(before)).toBe(true);
  });
});

describe('the trained model', () => {
  const greedy = { maxTokens: 12 };

  it('says what is on images of every kind', async () => {
    const chat = openConversation(await loadForGeneration(run, await openEngine()));
    try {
      const names = readdirSync(join(root, 'shots'));
      const right: string[] = [];
      for (const name of names) {
        const said = await chat.say({ text: question, images: [shot(name)] }, greedy);
        if (said.text === answerTo(name) && said.finish === 'stop') right.push(name);
        chat.forget();
      }
      // All of them in the trial; one in six by chance.
      expect(right.length).toBeGreaterThanOrEqual(names.length - 2);
      await expect(chat.say({ text: question, images: [shot('gone.jpg')] }, greedy)).rejects.toMatchObject({
        code: 'image/missing',
        path: shot('gone.jpg'),
      });
    } finally {
      await chat.close();
    }
  });

  it('gives the right answer a better score than the model it came from', async () => {
    const row = { prompt: question, answer: answerTo('wide.png'), images: [shot('wide.png')] };
    const sum = async (folder: string) =>
      (await scoreAnswer(await loadForGeneration(folder, await openEngine()), row)).reduce(
        (total, { logProb }) => total + logProb,
        0,
      );
    expect(await sum(run)).toBeGreaterThan((await sum(base)) + 5);
  });
});

describe('export', () => {
  it('writes the merged model in bfloat16', async () => {
    const out = join(root, 'merged');
    const files = await exportModel(run, { to: 'hf', out, dtype: 'bfloat16', merge: true });
    const names = [
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'preprocessor_config.json',
      'processor_config.json',
    ];
    expect(files).toEqual(expect.arrayContaining(names.map((name) => join(out, name))));
    const rounded = numbersOf(loadModel(model).store).map((x) => fromBfloat16Bits(toBfloat16Bits(x)));
    expect(numbersOf(loadModel(out).store)).toEqual(rounded);
    expect(readJson(join(out, 'config.json')).dtype).toBe('bfloat16');
  });

  it('writes the adapters alone', async () => {
    const out = join(root, 'adapter');
    const files = await exportModel(run, { to: 'hf', out, dtype: 'float32', merge: false });
    const names = [
      'adapter_config.json',
      'adapter_model.safetensors',
      'README.md',
      'tokenizer.json',
      'chat_template.jinja',
    ];
    expect(files).toEqual(expect.arrayContaining(names.map((name) => join(out, name))));
    expect(files).not.toContain(join(out, 'model.safetensors'));
    expect(readJson(join(out, 'adapter_config.json')).base_model_name_or_path).toBe('../llava');
    for (const name of ['adapter_config.json', 'README.md']) {
      expect(readFileSync(join(out, name), 'utf8')).not.toContain(root);
    }
    // Alone it finds its base; with its base it becomes the model of the run.
    const again = join(root, 'merged-again');
    await exportModel(base, { to: 'hf', out: again, dtype: 'float32', merge: true, adapter: out });
    expect(numbersOf(loadModel(again).store)).toEqual(numbersOf(loadModel(model).store));
    expect(numbersOf(openModel(modelPlace(out)).store)).toEqual(numbersOf(loadModel(model).store));
  });

  it('writes an ONNX file beside its weights that computes the same', async () => {
    const out = join(root, 'onnx');
    await exportModel(run, { to: 'onnx', out, dtype: 'float32', merge: true });
    const stored = [...openSafetensors(join(out, 'model.safetensors')).tensors.values()];
    const external = decodeModel(readFileSync(join(out, 'model.onnx'))).graph.initializers.flatMap((initializer) =>
      'external' in initializer && initializer.external ? [initializer.external] : [],
    );
    expect(external.length).toBeGreaterThan(40);
    for (const { location, offset, length } of external) {
      expect(location).toBe('model.safetensors');
      expect(stored.some(({ begin, end }) => begin === offset && end === offset + length)).toBe(true);
    }
    const loaded = loadModel(model);
    const batch = await imageBatch(16);
    const logits = await onnxLogits(out, batch.feeds);
    expect(maxAbsolute(logits, (await runCausal(loaded, batch.all)).logits)).toBeLessThan(1e-4);
  });

  it.each([
    ['float16', 'F16', 5e-3],
    ['bfloat16', 'BF16', 5e-2],
  ] as const)(
    'stores the weights of an ONNX file in %s, which runs with nearly the same logits',
    async (dtype, storedType, near) => {
      const out = join(root, `onnx-${dtype}`);
      await exportModel(run, { to: 'onnx', out, dtype, merge: true });
      const stored = [...openSafetensors(join(out, 'model.safetensors')).tensors.values()];
      expect(new Set(stored.map((entry) => entry.dtype))).toEqual(new Set([storedType]));
      expect(readJson(join(out, 'config.json')).dtype).toBe(dtype);
      expect(readFileSync(join(out, 'README.md'), 'utf8')).toContain('| input | `imageRows` | int32 |');
      const batch = await imageBatch(16);
      const logits = await onnxLogits(out, batch.feeds);
      const off = maxRelative(logits, (await runCausal(loadModel(model), batch.all)).logits);
      expect(off).toBeGreaterThan(0);
      expect(off).toBeLessThan(near);
    },
  );

  it('never writes into the run or over files', async () => {
    const settings = { to: 'hf', dtype: 'float32', merge: true } as const;
    await expect(exportModel(run, { ...settings, out: join(run, 'model') })).rejects.toMatchObject({
      code: 'folder/is-source',
    });
    await expect(exportModel(run, { ...settings, out: join(root, 'shots') })).rejects.toMatchObject({
      code: 'folder/exists',
    });
  });
});

/** Logits as the npm binding alone computes them from an exported folder. */
async function onnxLogits(folder: string, feeds: Awaited<ReturnType<typeof imageBatch>>['feeds']) {
  const session = await InferenceSession.create(join(folder, 'model.onnx'));
  const given = Object.entries(feeds).map(([name, t]) => [
    name,
    new OrtTensor(t.dtype as 'int32', t.data as Int32Array, t.shape),
  ]);
  const { logits } = await session.run(Object.fromEntries(given));
  await session.release();
  return logits?.data as Float32Array;
}

/** One row about one image, as model inputs. */
async function imageBatch(rows: number) {
  const token = readJson(join(model, 'config.json')).image_token_index as number;
  const ids = [1, 300, ...Array<number>(rows).fill(token), 310, 320, 330];
  const processor = readImageProcessor(
    readJsonObject(join(model, 'preprocessor_config.json')),
    'preprocessor_config.json',
  );
  expect(processor.padToSquare).toBe(true);
  const image = processImage(await decodeImage(shot('turned.jpg')), processor);
  const feeds = {
    ids: int32([1, ids.length], ids),
    pixels: { ...image, shape: [1, ...image.shape] },
    imageRows: int32(
      [rows],
      Array.from({ length: rows }, (_, i) => i + 2),
    ),
  };
  const all = {
    ...feeds,
    rows: int32([ids.length], [...ids.keys()]),
    targetRows: int32([1], [0]),
    targetIds: int32([1], [3]),
  };
  return { feeds, all };
}

function bytesOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

describe('rows that do not fit', () => {
  it('stop the run before step one when they are too many, and leave nothing half written', async () => {
    const rows = join(root, 'bad.json');
    writeFileSync(rows, JSON.stringify([...llavaRows().slice(0, 20), ...badRows]));
    const folder = join(root, 'refused');
    const refused = trainPlan(plan(rows, `output.folder=${folder}`), { resume: false }, hooks());
    const fault = await refused.catch((error) => error);
    expect({ ...fault.toJSON(), path: 'bad.json' }).toMatchObject({
      code: 'data/too-many-rejected',
      got: '2 of 22 rows refused (9.09%)',
      others: [{ code: 'row/image-missing' }, { code: 'row/markers' }],
    });
    expect(readdirSync(folder).sort()).toEqual(['fault.json', 'recipe.yaml']);
    const good = await writeRows(root, llavaRows().slice(0, 8));
    const again = plan(good, `output.folder=${folder}`, 'train.steps=1');
    expect((await trainPlan(again, { resume: false }, hooks())).status).toBe('done');
  });
});
