import { basename, dirname, join } from 'node:path';
import { TesseraError } from '../base/index.ts';
import {
  builtinTemplateNames,
  type ChatTemplate,
  DataReport,
  dataFile,
  type Example,
  encodeRow,
  findTemplate,
  formatOptions,
  type Outcome,
  type ReadOptions,
  type Row,
  readSamples,
  readUsableSamples,
  type Sample,
} from '../data/index.ts';
import { maxPositions } from '../models/index.ts';
import type { DataRecipe, StagePlan } from '../recipe/index.ts';
import { locate } from '../recipe/index.ts';
import { type Objective, objectiveNamed, readViews, type SampleRows } from '../train/index.ts';
import { trainingFile, type WorldRequest } from '../world/index.ts';
import { checkEnds } from './ending.ts';
import { type Parts, stageReader } from './parts.ts';
import type { Hooks } from './types.ts';
import { type Origin, readsSizes } from './used.ts';
import { cachedWorld, dataCache, refuseStopped } from './world-cache.ts';

type Tabletop = Extract<DataRecipe, { source: 'tabletop' }>;
type Files = Extract<DataRecipe, { source: 'files' }>;

/** Rows with the file they stand in and its format. */
interface SourceRows extends Origin {
  readonly rows: readonly Sample[];
}

/**
 * The rows of one data source, those that cannot be used counted in the report.
 * @param images of a world: `later` leaves them to `writeUsedImages`
 */
export async function sourceRows(
  data: DataRecipe,
  objective: Pick<Objective, 'views' | 'makes'>,
  report: DataReport,
  hooks: Hooks,
  images: 'all' | 'later' = 'later',
): Promise<SourceRows> {
  const { file, ...options } = data.source === 'files' ? filesOf(data) : await worldOf(data, hooks, images);
  const settings = { ...options, views: readViews(objective) };
  // The images of a world are its own.
  const read =
    data.source === 'files'
      ? await readUsableSamples(file, settings, (done, refused) => readingRow(file, done, refused, hooks))
      : readSamples(file, settings);
  report.merge(read.report);
  return {
    rows: read.samples,
    file,
    format: read.format,
    ...(data.source === 'tabletop' && { world: dirname(file) }),
  };
}

/** Tells how far the reading of a file is, now and then, and lets others have their turn. */
async function readingRow(file: string, done: number, refused: number, hooks: Hooks): Promise<void> {
  if (done % 256 !== 0) return;
  hooks.progress({ label: `reading ${basename(file)}`, done, total: done, unit: 'rows', numbers: { refused } });
  await new Promise((resume) => setImmediate(resume));
  refuseStopped(hooks);
}

type Asked = ReadOptions & { readonly file: string };

function filesOf(data: Files): Asked {
  const { path, format = 'auto', images, count } = data;
  return {
    file: dataFile(locate(path)),
    format: format === 'auto' ? undefined : format,
    images: images === undefined ? undefined : locate(images),
    unpacked: join(dataCache(), 'images'),
    settings: settingsOf(data),
    count,
  };
}

/** What the source says of the options that formats have. */
function settingsOf(data: DataRecipe): NonNullable<ReadOptions['settings']> {
  const said = Object.entries(formatOptions).flatMap(([key, { value }]) => {
    const text = (data as Readonly<Record<string, unknown>>)[key];
    return typeof text === 'string' ? [[key, value === 'file' ? locate(text) : text]] : [];
  });
  return Object.fromEntries(said);
}

async function worldOf(data: Tabletop, hooks: Hooks, images: 'all' | 'later'): Promise<Asked> {
  const { file, format, ...settings } = trainingFile(data.task);
  const folder = await cachedWorld(worldRequest(data), hooks, images);
  const { annotations } = settings;
  return {
    file: join(folder, file),
    format,
    images: join(folder, 'images'),
    imagesLater: images === 'later',
    settings: {
      ...settings,
      ...(annotations !== undefined && { annotations: join(folder, annotations) }),
      ...settingsOf(data),
    },
  };
}

function worldRequest({ seed, split, scenes, task, kinds, objects, ...told }: Tabletop): WorldRequest {
  const conversation = definedOnly({ turns: told.turns, topics: told.topics, cooccurrence: told.cooccurrence });
  return {
    seed: seed ?? 0,
    split: split ?? 'train',
    count: scenes,
    tasks: [task],
    ...(kinds && { instructions: definedOnly(kinds) }),
    ...(objects && { scene: { objects } }),
    ...(Object.keys(conversation).length > 0 && { conversation }),
  };
}

type Defined<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

function definedOnly<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}

/** What a stage trains on. */
export interface StageData {
  readonly samples: readonly SampleRows[];
  /** Where each sample stands. */
  readonly origins: readonly Origin[];
  readonly report: DataReport;
  readonly template: ChatTemplate;
}

/**
 * Reads and encodes every row of a stage.
 * @throws TesseraError `data/…` when too many rows are refused or none is left.
 */
export async function stageData(stage: StagePlan, parts: Parts, hooks: Hooks): Promise<StageData> {
  const data = await readStage(stage, parts, hooks);
  data.report.check();
  if (data.samples.length > 0) {
    checkEnds(stage, data, parts, hooks);
    return data;
  }
  throw new TesseraError({
    code: 'data/no-rows',
    message: 'no row is left to train on',
    path: `stages.${stage.name}.data`,
  });
}

/** As `stageData`, whatever the rows are like. */
export async function readStage(stage: StagePlan, parts: Parts, hooks: Hooks): Promise<StageData> {
  const report = new DataReport();
  const template = stageTemplate(stage, parts);
  const encode = stageEncoder(stage, template, parts);
  const samples: SampleRows[] = [];
  const origins: Origin[] = [];
  // Where the image of a file breaks, any other row may have to take its place.
  const sure = stage.data.every(({ source }) => source === 'tabletop');
  const images = sure && !readsSizes(stageReader(parts, stage.pictures)) ? 'later' : 'all';
  for (const data of stage.data) {
    const { rows, ...origin } = await sourceRows(data, stageObjective(stage), report, hooks, images);
    const { file, format } = origin;
    for (const [i, row] of rows.entries()) {
      const outcome = encode(row);
      if ('kept' in outcome) {
        samples.push(outcome.kept);
        origins.push(origin);
      } else report.withdraw(file, format, outcome.refused);
      if (i % 256 === 0 || i + 1 === rows.length) {
        hooks.progress({
          label: `reading ${stage.name}`,
          done: i + 1,
          total: rows.length,
          unit: 'rows',
          numbers: { refused: report.rejected },
        });
        await new Promise((resume) => setImmediate(resume));
        refuseStopped(hooks);
      }
    }
  }
  return { samples, origins, report, template };
}

/** The training objective of a stage. */
export function stageObjective({ objective, loss }: Pick<StagePlan, 'objective' | 'loss'>): Objective {
  return objectiveNamed(objective, loss);
}

export function stageTemplate(stage: StagePlan, parts: Parts): ChatTemplate {
  if (stage.template !== 'checkpoint') return findTemplate(locate(stage.template));
  if (parts.template) return parts.template;
  throw new TesseraError({
    code: 'chat/no-template',
    message: 'the model folder has no chat template',
    path: `stages.${stage.name}.template`,
    expected: 'chat_template.jinja, or chat_template in tokenizer_config.json',
    remedy: `name a built-in one (${builtinTemplateNames.join(', ')}), or the file of a template`,
  });
}

/** Reads the samples of a stage as its objective does; all of them share one processor, and so its plans of media. */
export function stageEncoder(
  stage: StagePlan,
  template: ChatTemplate,
  parts: Parts,
): (sample: Sample) => Outcome<SampleRows> {
  const settings = {
    tokenizer: parts.tokenizer,
    template,
    processor: stageReader(parts, stage.pictures),
    imageToken: parts.imageToken,
    addEnd: stage.addEnd,
    maxLength: Math.min(stage.train.maxLength, maxPositions(parts.loaded.model)),
  };
  const objective = stageObjective(stage);
  return (sample) => {
    const rows: Example[] = [];
    for (const view of objective.views) {
      const made = objective.makes?.[view]?.(sample.views, stage.train.seed);
      const outcome = encodeRow(made ?? (sample.views[view] as Row), settings);
      if ('refused' in outcome) return outcome;
      rows.push(outcome.kept);
    }
    const fault = objective.fault?.(rows);
    return fault ? { refused: fault } : { kept: rows };
  };
}

/** Every text of every stage's rows, for training a tokenizer. */
export async function stageTexts(stages: readonly StagePlan[], hooks: Hooks): Promise<string[]> {
  const report = new DataReport();
  const texts: string[] = [];
  for (const stage of stages) {
    for (const data of stage.data) {
      const { rows } = await sourceRows(data, stageObjective(stage), report, hooks);
      for (const row of rows.flatMap(({ views }) => Object.values(views)))
        for (const turn of row.turns) for (const part of turn.parts) if (part.type === 'text') texts.push(part.text);
    }
  }
  return texts;
}
