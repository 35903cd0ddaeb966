import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Request, Responder } from '../../src/eval/asking.ts';
import type { Scene } from '../../src/world/index.ts';
import { imageName, readScenes, shortAnswerPrompt, writeWorld } from '../../src/world/index.ts';

/** Held-out scenes of the tabletop world with their questions, for tests. */
export async function writeTestSet(folder: string, count: number): Promise<void> {
  await writeWorld(folder, { seed: 11, split: 'val', count, tasks: ['vqa', 'pope'] });
}

/**
 * Knows the scene of every image and answers about the one it is shown. A question of the VQA file that was never
 * asked of that image gets a guess.
 */
export async function oracle(folder: string): Promise<Responder> {
  const scenes = new Map((await readScenes(folder)).map((scene) => [imageName(scene), scene]));
  const answers = await vqaAnswers(folder);
  const answer = ({ image = '', prompt }: Request): string => {
    const scene = scenes.get(basename(image));
    if (!scene) return 'I see no image.';
    if (prompt.startsWith('Describe')) return describeScene(scene);
    const asked = /^Is there an? (\w+) in the image\?$/.exec(prompt)?.[1];
    if (asked) return scene.objects.some(({ shape }) => shape === asked) ? 'Yes.' : 'No.';
    const question = prompt.replace(shortAnswerPrompt, '');
    return answers.get(`${scene.image_id} ${question}`) ?? guess(question);
  };
  return { name: 'oracle', answer: async (requests) => requests.map((request) => ({ text: answer(request) })) };
}

function describeScene({ objects }: Scene): string {
  return objects.map(({ color, shape }) => `There is a ${color} ${shape}.`).join(' ');
}

function guess(question: string): string {
  if (question.startsWith('How many')) return '2';
  return /^(Is|Are|Does|Do|Can) /.test(question) ? 'yes' : 'red';
}

/** By image and question. */
async function vqaAnswers(folder: string): Promise<Map<string, string>> {
  const read = async (name: string) => JSON.parse(await readFile(join(folder, name), 'utf8'));
  const { questions } = await read('vqa_questions.json');
  const { annotations } = await read('vqa_annotations.json');
  const answers = new Map<string, string>();
  for (const [i, { image_id, question }] of questions.entries()) {
    answers.set(`${image_id} ${question}`, annotations[i].multiple_choice_answer);
  }
  return answers;
}
