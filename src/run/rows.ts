import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { TesseraError } from '../base/index.ts';
import {
  builtinTemplate,
  type ChatTemplate,
  DataReport,
  encodeRow,
  type Outcome,
  type Row,
  readRows,
} from '../data/index.ts';
import { maxPositions } from '../models/index.ts';
import type { DataRecipe, StagePlan } from '../recipe/index.ts';
import { locate } from '../recipe/index.ts';
import { type Objective, objectiveNamed, type SampleRows } from '../train/index.ts';
import { type WorldRequest, type WorldTask, worldOptions, writeWorld } from '../world/index.ts';
import { type Parts, stageReader } from './parts.ts';
import type { Hooks } from './types.ts';

/** Where worlds that were written once are kept. */
function worldCache(): string {
  return process.env.TESSERA_CACHE ?? join('.cache', 'tessera');
}

/**
 * Writes a world unless the cache has it; its folder.
 * @throws TesseraError `data/stopped`; nothing of an unfinished world is left.
 */
export async function cachedWorld(request: WorldRequest, hooks: Hooks): Promise<string> {
  const key = createHash('sha256')
    .update(JSON.stringify(worldOptions(request)))
    .digest('hex')
    .slice(0, 12);
  const folder = join(worldCache(), `world-${request.split}-${request.count}-${key}`);
  await writeWorld(folder, request, (done, total) => {
    refuseStopped(hooks);
    hooks.progress({ label: `tabletop ${request.split}`, done, total, unit: 'scenes', numbers: {} });
  });
  return folder;
}

type Tabletop = Extract<DataRecipe, { source: 'tabletop' }>;

const worldFiles: Readonly<Record<Tabletop['task'], { readonly task: WorldTask; readonly file: string }>> = {
  captions: { task: 'captions', file: 'captions.json' },
  'alt-text': { task: 'alt-text', file: 'alt_text.json' },
  instructions: { task: 'instructions', file: 'llava.json' },
  'text-instructions': { task: 'text-instructions', file: 'llava_text.json' },
  vqa: { task: 'vqa', file: 'vqa_questions.json' },
  corpus: { task: 'corpus', file: 'corpus.jsonl' },
};

/** The rows of one data source, those that cannot be used counted in the report. */
export async function sourceRows(
  data: DataRecipe,
  report: DataReport,
  hooks: Hooks,
): Promise<{ rows: readonly Row[]; file: string; format: string }> {
  if (data.source === 'files') {
    const path = locate(data.path);
    const read = readRows(path, {
      ...(data.format && data.format !== 'auto' && { format: data.format }),
      ...(data.images !== undefined && { images: locate(data.images) }),
      ...(data.annotations !== undefined && { annotations: locate(data.annotations) }),
      ...(data.image_name !== undefined && { imageName: data.image_name }),
      ...(data.suffix !== undefined && { promptSuffix: data.suffix }),
      ...(data.count !== undefined && { count: data.count }),
    });
    report.merge(read.report);
    return { rows: read.rows, file: path, format: read.format };
  }
  const { task, file } = worldFiles[data.task];
  const folder = await cachedWorld(
    {
      seed: data.seed ?? 0,
      split: data.split ?? 'train',
      count: data.scenes,
      tasks: [task],
      ...(data.kinds && { instructions: definedKinds(data.kinds) }),
      ...(data.objects && { scene: { objects: data.objects } }),
      ...((data.turns || data.topics) && {
        conversation: { ...(data.turns && { turns: data.turns }), ...(data.topics && { topics: data.topics }) },
      }),
    },
    hooks,
  );
  const read = readRows(join(folder, file), {
    images: join(folder, 'images'),
    ...(data.task === 'vqa' && { annotations: join(folder, 'vqa_annotations.json'), imageName: '{id:12}.png' }),
    ...(data.suffix !== undefined && { promptSuffix: data.suffix }),
  });
  report.merge(read.report);
  return { rows: read.rows, file: join(folder, file), format: read.format };
}

function definedKinds(kinds: NonNullable<Tabletop['kinds']>): NonNullable<WorldRequest['instructions']> {
  return Object.fromEntries(Object.entries(kinds).filter(([, share]) => share !== undefined));
}

/** What a stage trains on. */
export interface StageData {
  readonly samples: readonly SampleRows[];
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
  if (data.samples.length > 0) return data;
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
  const samples: SampleRows[] = [];
  for (const data of stage.data) {
    const { rows, file, format } = await sourceRows(data, report, hooks);
    for (const [i, row] of rows.entries()) {
      const outcome = encodeStageRow(row, stage, template, parts);
      if ('kept' in outcome) samples.push(outcome.kept);
      else report.withdraw(file, format, outcome.refused);
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
  return { samples, report, template };
}

/** @throws TesseraError `data/stopped` once the caller wants no more */
function refuseStopped({ signal }: Hooks): void {
  if (signal.aborted) throw new TesseraError({ code: 'data/stopped', message: 'stopped while making data ready' });
}

/** The training objective of a stage. */
export function stageObjective({ objective }: Pick<StagePlan, 'objective'>): Objective {
  return objectiveNamed(objective);
}

export function stageTemplate(stage: StagePlan, parts: Parts): ChatTemplate {
  if (stage.template !== 'checkpoint') return builtinTemplate(stage.template);
  if (parts.template) return parts.template;
  throw new TesseraError({
    code: 'chat/no-template',
    message: 'the model folder has no chat template',
    path: `stages.${stage.name}.template`,
    remedy: 'name a built-in one',
  });
}

/** A row of a stage as a sample of its objective. The words alone are read where neither prompt nor model has images. */
export function encodeStageRow(row: Row, stage: StagePlan, template: ChatTemplate, parts: Parts): Outcome<SampleRows> {
  const processor = stageReader(parts, stage.pictures);
  const { model } = parts.loaded;
  const settings = {
    tokenizer: parts.tokenizer,
    template,
    processor,
    imageToken: parts.imageToken,
    maxLength: Math.min(stage.train.maxLength, maxPositions(model)),
  };
  const words = stage.template === 'text' && !processor.plan;
  const outcome = encodeRow(words ? withoutPictures(row) : row, settings);
  if ('refused' in outcome) return outcome;
  const fault = stageObjective(stage).fault?.([outcome.kept]);
  return fault ? { refused: fault } : { kept: [outcome.kept] };
}

function withoutPictures(row: Row): Row {
  const turns = row.turns.map((turn) => ({ ...turn, parts: turn.parts.filter((part) => part.type === 'text') }));
  return { ...row, media: [], turns };
}

/** Every text of every stage's rows, for training a tokenizer. */
export async function stageTexts(stages: readonly StagePlan[], hooks: Hooks): Promise<string[]> {
  const report = new DataReport();
  const texts: string[] = [];
  for (const data of stages.flatMap((stage) => stage.data)) {
    const { rows } = await sourceRows(data, report, hooks);
    for (const row of rows)
      for (const turn of row.turns) for (const part of turn.parts) if (part.type === 'text') texts.push(part.text);
  }
  return texts;
}
