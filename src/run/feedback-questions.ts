import { basename, resolve } from 'node:path';
import { type Fault, Random } from '../base/index.ts';
import { DataReport, type Row } from '../data/index.ts';
import type { SceneOf } from '../feedback/index.ts';
import type { FeedbackPlan } from '../recipe/index.ts';
import { imageName, readScenes, type Scene } from '../world/index.ts';
import { sourceRows } from './rows.ts';
import type { Hooks } from './types.ts';

/** A question about one image, as the model is asked it. */
export interface PairQuestion {
  readonly id: string;
  /** The path of the image, or a `data:` URI. */
  readonly image: string;
  /** The name of the image in the pair set. */
  readonly name: string;
  readonly question: string;
}

export interface PairQuestions {
  readonly questions: readonly PairQuestion[];
  readonly report: DataReport;
  readonly scenes: SceneOf;
  /** Folders of worlds whose images are drawn once they are used. */
  readonly worlds: ReadonlySet<string>;
}

/**
 * The questions that pairs are made of, in the order of the rows: the first that each row asks, about its one image.
 * Rows that ask nothing of the kind, or what another has asked, are counted in the report.
 */
export async function readQuestions(plan: FeedbackPlan, hooks: Hooks): Promise<PairQuestions> {
  const report = new DataReport();
  const scenes = new Map<string, Scene>();
  const worlds = new Set<string>();
  const questions: PairQuestion[] = [];
  const asked = new Set<string>();
  const names = new Map<string, string>();
  for (const data of plan.data) {
    const { rows, file, format, world } = await sourceRows(data, { views: ['row'] }, report, hooks);
    if (world !== undefined) {
      worlds.add(world);
      for (const scene of await readScenes(world)) scenes.set(resolve(world, 'images', imageName(scene)), scene);
    }
    for (const { views } of rows) {
      if (questions.length === plan.count) break;
      const found = firstQuestion(views.row as Row, plan);
      const key = 'code' in found ? '' : JSON.stringify([found.image, found.question]);
      if ('code' in found) report.withdraw(file, format, found);
      else if (asked.has(key)) report.withdraw(file, format, askedTwice(views.row as Row));
      else {
        asked.add(key);
        questions.push({ ...found, id: `${questions.length + 1}`, name: nameIn(names, found.image) });
      }
    }
  }
  return { questions, report, scenes: (image) => scenes.get(image), worlds };
}

function firstQuestion({ id, where, media, turns }: Row, { prompts, seed }: FeedbackPlan) {
  const [image, ...others] = media;
  if (image?.kind !== 'image' || others.length > 0 || image.change) {
    return fault(
      'one-image',
      'pairs are made of questions about one image',
      where,
      `${media.length} images or the like`,
    );
  }
  const parts = turns.find(({ role }) => role === 'user')?.parts ?? [];
  const own = parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
  const question = prompts ? new Random(seed, 'prompt', id).pick(prompts) : own.trim();
  if (question === '') return fault('no-question', 'the row asks nothing', where);
  return { image: image.path, question };
}

function askedTwice({ where }: Row): Fault {
  return fault('asked-before', 'another row asks the same about the same image', where);
}

function fault(code: string, message: string, path: string, got?: string): Fault {
  return { code: `feedback/${code}`, message, path, ...(got !== undefined && { got }) };
}

/** A name for an image in the pair set: its own, or one with a number where another image has that. */
function nameIn(names: Map<string, string>, image: string): string {
  if (/^data:/i.test(image)) return image;
  const own = basename(image);
  const name = [own, ...Array.from({ length: names.size }, (_, n) => `${n + 2}-${own}`)].find(
    (candidate) => (names.get(candidate) ?? image) === image,
  ) as string;
  names.set(name, image);
  return name;
}
