// Times the built command from its start to the first byte of an answer, each time in a new process.
//   npm run build && node --import tsx bench/start.ts [--rounds 7] [--against <another checkout, built>]
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { loadTokenizer } from '../src/data/index.ts';
import {
  copyPart,
  copySideFiles,
  createModel,
  llavaJson,
  loadModel,
  readJsonObject,
  saveModel,
  visionPart,
} from '../src/models/index.ts';
import { initializeStore } from '../src/nn/index.ts';
import { writeResults } from './harness/results.ts';
import { formatTable, median } from './harness/table.ts';

const here = fileURLToPath(new URL('..', import.meta.url));
const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '7' }, against: { type: 'string' } },
});
const rounds = Number(options.rounds);
/** The checkouts that take turns, this one first. */
const checkouts = [here, ...(options.against === undefined ? [] : [resolve(options.against)])];
const language = join(here, 'assets/backbones/tabletop-lm');
const eyes = join(here, 'assets/backbones/tabletop-clip');

/** Says on descriptor 3 what processor time the process has taken. */
const tellCpu = `data:text/javascript,${encodeURIComponent(`
  import { writeSync } from 'node:fs';
  process.on('exit', () => void writeSync(3, JSON.stringify(process.cpuUsage())));
`)}`;

interface Start {
  /** From the start of the process to the first byte on its standard output. */
  readonly firstMs: number;
  /** Processor time of all its threads until it ended. */
  readonly cpuMs: number;
}

const temporary = mkdtempSync(join(tmpdir(), 'tessera-start-'));
try {
  const { llava, image } = await tinyLlava(temporary);
  const ask = ['--prompt', 'What is in the image?', '--max-tokens', '8', '--quiet'];
  const cases = [
    { name: 'node alone', args: ['-e', 'console.log(1)'] },
    ...checkouts.flatMap((root) => {
      const command = join(root, 'bin/tessera.js');
      const where = root === here ? '' : ` in ${options.against}`;
      return [
        { name: `language model${where}`, args: [command, 'generate', language, ...ask] },
        { name: `LLaVA with an image${where}`, args: [command, 'generate', llava, '--image', image, ...ask] },
      ];
    }),
  ].map((one) => ({ ...one, samples: [] as Start[] }));
  for (const { args } of cases) await start(args);
  for (let round = 0; round < rounds; round++) {
    for (const { args, samples } of cases) samples.push(await start(args));
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  report(cases);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

/** The tiny LLaVA-1.5 of `recipes/projection/llava-1.5.yaml` before its training, and an image to show it. */
async function tinyLlava(folder: string): Promise<{ llava: string; image: string }> {
  const [decoder, tower] = [loadModel(language), loadModel(eyes)];
  const { specials } = await loadTokenizer(language);
  const vision = visionPart(readJsonObject(join(eyes, 'config.json')), eyes);
  const made = createModel(
    llavaJson({
      vision,
      language: decoder.model.json,
      projector: 'mlp',
      imageTokenId: specials.get('<image>') as number,
    }),
  );
  initializeStore(made.store, 0);
  copyPart(decoder, '', made.store, 'language_model.');
  copyPart(tower, 'vision_model.', made.store, 'vision_tower.');
  const llava = join(folder, 'llava');
  mkdirSync(llava);
  saveModel(llava, made, 'float16');
  copySideFiles(eyes, llava);
  copySideFiles(language, llava);
  const image = join(folder, 'picture.png');
  await sharp({ create: { width: 96, height: 64, channels: 3, background: '#c04030' } })
    .png()
    .toFile(image);
  return { llava, image };
}

function start(args: readonly string[]): Promise<Start> {
  const from = performance.now();
  const child = spawn(process.execPath, ['--import', tellCpu, ...args], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
  let firstMs: number | undefined;
  let [cpu, complaints] = ['', ''];
  child.stdout?.on('data', () => {
    firstMs ??= performance.now() - from;
  });
  child.stderr?.on('data', (text) => {
    complaints += text;
  });
  child.stdio[3]?.on('data', (text) => {
    cpu += text;
  });
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) => {
      if (code === 0 && firstMs !== undefined) {
        const { user, system } = JSON.parse(cpu) as NodeJS.CpuUsage;
        done({ firstMs, cpuMs: (user + system) / 1000 });
      } else fail(new Error(`${args.join(' ')} ended with code ${code} and no answer\n${complaints}`));
    });
  });
}

function report(cases: readonly { readonly name: string; readonly samples: readonly Start[] }[]): void {
  const rows = cases.map(({ name, samples }) => {
    const first = samples.map(({ firstMs }) => firstMs);
    const cpu = samples.map(({ cpuMs }) => cpuMs);
    return { name, medianMs: median(first), minMs: Math.min(...first), cpuMs: median(cpu), samples };
  });
  const titles = ['from start to first token', 'median ms', 'min ms', 'cpu ms'];
  const cells = rows.map(({ name, medianMs, minMs, cpuMs }) => [
    name,
    ...[medianMs, minMs, cpuMs].map((ms) => ms.toFixed(0)),
  ]);
  console.log(formatTable(titles, cells));
  console.log(`written to ${writeResults('start', { rounds, cases: rows })}`);
}
