import {
  accessSync,
  appendFileSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { asTesseraError, type Fault, type Log, TesseraError } from '../base/index.ts';
import { isTemporary, makeFolder, syncFile, writeTextAtomically } from '../files/index.ts';
import { trainedAdapter, trainedModel } from '../models/index.ts';
import type { Plan } from '../recipe/index.ts';
import { formatRecipe, parsePlan } from '../recipe/index.ts';
import type { TrainResult } from './types.ts';

/** Where a run keeps what. */
export interface RunFolder {
  readonly path: string;
  readonly recipe: string;
  readonly metrics: string;
  readonly checkpoints: string;
  /** Answers given on the way, one JSON object a line. */
  readonly samples: string;
  readonly tensorboard: string;
  readonly dataReport: string;
  /** The trained model as a Hugging Face folder, adapters merged. */
  readonly model: string;
  /** Adapters of the last stage in PEFT layout, or what a method trains beside parts that stay in their own folders. */
  readonly adapter: string;
  /** The model that the adapters stand beside, where no other folder holds it. */
  readonly base: string;
  readonly report: string;
  /** Scores of the evaluation that the recipe asks for. */
  readonly evaluation: string;
  /** Steps, losses and times of the stages, once all are over. */
  readonly result: string;
  /** Which process trains in the folder, while one does. */
  readonly claim: string;
  /** What ended the run, where a fault did and not who runs it. */
  readonly fault: string;
}

export function runFolder(path: string): RunFolder {
  return {
    path,
    recipe: join(path, 'recipe.yaml'),
    metrics: join(path, 'metrics.jsonl'),
    checkpoints: join(path, 'checkpoints'),
    samples: join(path, 'samples.jsonl'),
    tensorboard: join(path, 'tensorboard'),
    dataReport: join(path, 'data-report.json'),
    model: join(path, trainedModel),
    adapter: join(path, trainedAdapter),
    base: join(path, 'base'),
    report: join(path, 'report.html'),
    evaluation: join(path, 'eval.json'),
    result: join(path, 'result.json'),
    claim: join(path, 'running.json'),
    fault: join(path, 'fault.json'),
  };
}

/**
 * Starts a run folder, or goes on in one.
 * @throws TesseraError `run/exists`, `run/other-recipe`, `run/folder`
 */
export function openRun(plan: Plan, resume: boolean): RunFolder {
  try {
    return openFolder(plan, resume);
  } catch (error) {
    throw noFolder(error, plan);
  }
}

function noFolder(error: unknown, plan: Plan): TesseraError {
  return asTesseraError(error, {
    code: 'run/folder',
    path: plan.output.folder,
    expected: 'a folder to write in',
    remedy: 'check permissions, or set output.folder',
  });
}

function openFolder(plan: Plan, resume: boolean): RunFolder {
  const { run, used } = lookAt(plan, resume);
  makeFolder(run.path);
  if (!used) writeTextAtomically(run.recipe, recipeText(plan));
  return run;
}

/**
 * Checks that a run could be started or gone on with, and writes nothing.
 * @throws TesseraError as `openRun`
 */
export function checkRunFolder(plan: Plan, resume: boolean): void {
  try {
    const { run } = lookAt(plan, resume);
    // The dot lets a file in the place of a folder fail.
    accessSync(`${nearest(resolve(run.path))}/.`, constants.W_OK);
  } catch (error) {
    throw noFolder(error, plan);
  }
}

/** The folder itself, or the one that it would be made in. */
function nearest(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearest(dirname(path));
}

function lookAt(plan: Plan, resume: boolean): { run: RunFolder; used: boolean } {
  const run = runFolder(plan.output.folder);
  // A run that failed while reading its data left nothing worth keeping, but what others put there is theirs.
  const early = [run.recipe, run.dataReport, run.claim, run.fault].map((file) => basename(file));
  const used =
    existsSync(run.path) && readdirSync(run.path).some((name) => !early.includes(name) && !isTemporary(name));
  if (used ? !existsSync(run.recipe) : holdsForeignRecipe(run)) {
    throw new TesseraError({
      code: 'run/not-empty',
      message: 'the folder holds other files and no run',
      path: run.path,
      expected: 'a new or empty folder',
      remedy: 'set output.folder to one, such as output.folder=runs/new',
    });
  }
  if (used && !(resume && isRunOf(run, plan))) {
    throw new TesseraError({
      code: resume ? 'run/other-recipe' : 'run/exists',
      message: resume ? 'the run folder holds a run of another recipe' : 'the run folder holds a run already',
      path: run.path,
      expected: resume ? 'the recipe and overrides that the run was started with' : 'a new or empty folder',
      remedy: `go on with \`tessera resume ${run.path}\`, or set output.folder`,
    });
  }
  return { run, used };
}

/** What a run keeps of its plan. */
function recipeText(plan: Plan): string {
  return `# ${plan.name}\n${formatRecipe(plan.resolved)}`;
}

/** A recipe that somebody wrote, and no run: it would be lost under the resolved one. */
function holdsForeignRecipe(run: RunFolder): boolean {
  if (!existsSync(run.recipe)) return false;
  try {
    return readFileSync(run.recipe, 'utf8') !== recipeText(planOfRun(run.path));
  } catch {
    return true;
  }
}

/** Whether a folder holds a run of this very plan. */
export function isRunOf(run: RunFolder, plan: Plan): boolean {
  return existsSync(run.recipe) && formatRecipe(planOfRun(run.path).resolved) === formatRecipe(plan.resolved);
}

/** The plan that a run folder was started with. */
export function planOfRun(folder: string): Plan {
  const { recipe } = runFolder(folder);
  if (!existsSync(recipe)) {
    throw new TesseraError({
      code: 'run/no-run',
      message: 'the folder holds no run',
      path: folder,
      expected: 'a folder with recipe.yaml, as `tessera train` makes it',
      ...(!existsSync(folder) && { got: 'no such folder' }),
    });
  }
  const text = readFileSync(recipe, 'utf8');
  const plan = parsePlan(text, recipe);
  const [, name = plan.name] = /^# (\S+)\n/.exec(text) ?? [];
  return { ...plan, name, output: { ...plan.output, folder } };
}

/** How a run ended; undefined while it has not. */
export function resultOf(run: RunFolder): TrainResult | undefined {
  const text = existsSync(run.result) ? readFileSync(run.result, 'utf8') : undefined;
  return text === undefined ? undefined : { ...(JSON.parse(text) as TrainResult), folder: run.path };
}

/** Optimizer steps of all stages. */
export function stepsOf(stages: TrainResult['stages']): number {
  return stages.reduce((n, { steps }) => n + steps, 0);
}

/** Marks a run as finished. */
export function saveResult(run: RunFolder, result: TrainResult): void {
  writeTextAtomically(run.result, `${JSON.stringify(result, null, 2)}\n`);
}

/** Keeps what ended a run; a disk that takes nothing more keeps nothing. */
export function saveFault(run: RunFolder, error: unknown): void {
  const fault = asTesseraError(error, { code: 'run/failed' }).toJSON();
  try {
    writeTextAtomically(run.fault, `${JSON.stringify(fault, null, 2)}\n`);
  } catch {
    // The fault itself is told by who gets it.
  }
}

/** What ended a run that failed; undefined for others. */
export function faultOf(run: RunFolder): Fault | undefined {
  return existsSync(run.fault) ? (JSON.parse(readFileSync(run.fault, 'utf8')) as Fault) : undefined;
}

/** A log of a run: one JSON object a line, with the system as it is written. */
export interface LineLog {
  add(row: object): void;
  /** Makes the lines durable; how many bytes they are. */
  sync(): number;
}

/** Opens a log, cut back to the bytes that belong to the past of the place a run goes on from. */
export function openLines(path: string, keepBytes: number | undefined, log: Log): LineLog {
  if (!existsSync(path)) writeFileSync(path, '');
  const { size } = statSync(path);
  const keep = keepBytes ?? size;
  if (size < keep) log.warn(`${path} has lost lines: ${size} bytes are left of ${keep}`);
  else truncateSync(path, keep);
  // Rows that the disk has not taken yet: what is saved later has them all, and none of them by half.
  let pending = '';
  const write = () => {
    if (pending !== '') appendWhole(path, pending);
    pending = '';
  };
  return {
    add: (row) => {
      pending += `${JSON.stringify(row)}\n`;
      write();
    },
    sync: () => {
      write();
      syncFile(path);
      return statSync(path).size;
    },
  };
}

/** Appends a text, or nothing of it. */
function appendWhole(path: string, text: string): void {
  try {
    const { size } = statSync(path);
    try {
      appendFileSync(path, text);
    } catch (error) {
      truncateSync(path, size);
      throw error;
    }
  } catch (error) {
    throw asTesseraError(error, {
      code: 'run/log',
      path,
      remedy: 'leave the run folder where it is, and open to be written, while it is trained in',
    });
  }
}
