import type { RgbImage } from '../../data/index.ts';
import type { DemoAnswer, DemoEvent, DemoImage, DemoResult } from '../../run/index.ts';
import { command } from './called.ts';
import { type Colours, halfBlocks } from './terminal/image.ts';
import { table, wrap } from './terminal/table.ts';

/** What the demo is told on. */
export interface Sheet {
  readonly colours: Colours;
  /** Characters in a line. */
  readonly width: number;
  decode(path: string): Promise<RgbImage>;
}

/** Characters that an image takes of a line; and the fewest that words need beside it. */
const IMAGE = 32;
const BESIDE = 36;

const acts = {
  1: 'A trained model answers questions about images that it has never seen',
  2: 'Another is trained in front of you',
  3: 'It is measured on images that it has never seen',
};

/** An event of the demo as text for a terminal. */
export async function eventText(event: DemoEvent, sheet: Sheet): Promise<string> {
  switch (event.kind) {
    case 'welcome':
      return welcome(event.seconds, sheet);
    case 'act': {
      const heading = `Act ${event.act} of 3. ${acts[event.act]} (${about(event.seconds)}).`;
      return ['', ...wrap(heading, sheet.width).map((line) => bold(line, sheet)), ''].join('\n');
    }
    case 'shown':
      return beside(event.image, answerLines([event.answer], sheet), sheet);
    case 'folder':
      return folderText(event, sheet);
    case 'answers':
      return event.done === 0
        ? beside(event.image, ['Before its training it says:', '', ...answerLines(event.answers, sheet)], sheet)
        : onTheWay(event, sheet);
  }
}

function welcome(seconds: readonly [number, number, number], sheet: Sheet): string {
  const whole = seconds.reduce((a, b) => a + b, 0);
  const text =
    'A vision-language model is shown an image, is asked about it, and answers in words. This demo shows one, trains ' +
    `another, and measures what it has learnt: three acts, ${about(whole)} on two cores. Nothing leaves this machine. ` +
    'Ctrl-C saves, and the same command goes on.';
  return wrap(text, sheet.width).join('\n');
}

function folderText({ folder, goesOn, taken }: Extract<DemoEvent, { kind: 'folder' }>, { width }: Sheet): string {
  const left =
    taken.length === 0 ? '' : `${taken.join(' and ')} ${taken.length === 1 ? 'stays as it is' : 'stay as they are'}. `;
  const does = goesOn
    ? `An unfinished demo in ${folder} is gone on with.`
    : 'It begins with an image encoder and a language model that have never worked together, and learns from images ' +
      `with captions, questions and answers. All of it is kept in ${folder}.`;
  return `${wrap(left + does, width).join('\n')}\n`;
}

function onTheWay({ done, steps, answers }: Extract<DemoEvent, { kind: 'answers' }>, sheet: Sheet): string {
  const when = `After ${done}${steps > 0 ? ` of ${steps}` : ''} steps, of the same image:`;
  const lines = answers.flatMap((each) =>
    hanging(`${mark(each, sheet)} `, each.answer || '(nothing)', sheet.width - 2),
  );
  return ['', ...wrap(when, sheet.width), ...lines.map((line) => `  ${line}`)].join('\n');
}

/** Questions with answers and what is really there, for a column beside an image. */
function answerLines(answers: readonly DemoAnswer[], sheet: Sheet): string[] {
  const width = columnWidth(sheet);
  return answers.flatMap((answer, i) => [
    ...(i > 0 ? [''] : []),
    ...wrap(answer.question, width).map((line) => bold(line, sheet)),
    ...wrap(answer.answer || '(nothing)', width),
    ...hanging(`${mark(answer, sheet)} `, verdict(answer), width),
  ]);
}

/** "right, names 3 of 4 (truth: …)" */
function verdict({ right, truth, covers }: DemoAnswer): string {
  return `${right ? 'right' : 'wrong'}${covers ? `, names ${covers.named} of ${covers.of}` : ''} (truth: ${truth})`;
}

function mark({ right }: DemoAnswer, { colours }: Sheet): string {
  const sign = right ? '✓' : '✗';
  return colours === 'none' ? sign : `\u001b[${right ? 32 : 31}m${sign}\u001b[39m`;
}

const bold = (text: string, { colours }: Sheet) => (colours === 'none' ? text : `\u001b[1m${text}\u001b[22m`);

/** Wrapped text whose later lines stand below the first word; `sign` takes two characters. */
function hanging(sign: string, text: string, width: number): string[] {
  return wrap(text, width - 2).map((line, i) => (i === 0 ? sign : '  ') + line);
}

const isDrawn = ({ colours, width }: Sheet) => colours !== 'none' && width >= IMAGE + 2 + BESIDE;
const columnWidth = (sheet: Sheet) => (isDrawn(sheet) ? sheet.width - IMAGE - 2 : sheet.width);

/** An image with lines beside it; where it cannot be drawn, what is on it. */
async function beside({ path, truth }: DemoImage, lines: readonly string[], sheet: Sheet): Promise<string> {
  if (!isDrawn(sheet)) return [...wrap(`An image of: ${truth}`, sheet.width), ...lines, ''].join('\n');
  const drawn = halfBlocks(await sheet.decode(path), IMAGE, sheet.colours as 'true' | 'palette');
  const rows = Array.from({ length: Math.max(drawn.length, lines.length) }, (_, i) =>
    `${drawn[i] ?? ' '.repeat(IMAGE)}  ${lines[i] ?? ''}`.trimEnd(),
  );
  return [...rows, ''].join('\n');
}

/** `about 40 seconds`, `about 7 minutes`. */
export function about(seconds: number): string {
  if (seconds < 100) return `about ${Math.max(5, 5 * Math.round(seconds / 5))} seconds`;
  return `about ${Math.round(seconds / 60)} minutes`;
}

/** Before and after, and how to go on. */
export function closingText(result: DemoResult, scores: string, sheet: Sheet): string {
  const { before, answers, drawn, training, image, seconds } = result;
  const rows = answers.map(({ question, answer, right, truth }, i) => [
    question,
    before[i]?.answer || '(nothing)',
    `${right ? '✓' : '✗'} ${answer}`,
    truth,
  ]);
  const titles = ['question', 'before', 'after', 'really there'].map((title) => ({ title }));
  const all =
    drawn &&
    `All three questions are answered rightly on ${drawn.right} of ${drawn.images} other images drawn by seed.`;
  return [
    ...(rows.length > 0 ? [table(titles, rows, sheet.width)] : []),
    ...(all ? [wrap(all, sheet.width).join('\n')] : []),
    ...(scores === '' ? [] : [scores]),
    goOn(training.folder, image.path, training.eval?.report),
    `${Math.round(seconds)} seconds in all.`,
  ].join('\n\n');
}

function goOn(folder: string, image: string, report: string | undefined): string {
  const quoted = (path: string) => (/^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);
  const lines = [
    ['talk to it about that image', command(`chat ${quoted(folder)} --image ${quoted(image)}`)],
    ['more images, in my-world/images', command('data make-world --out my-world --split val --count 20')],
    [
      'the same training with another seed',
      command(`train ${quoted(`${folder}/recipe.yaml`)} train.seed=1 output.folder=${quoted(`${folder}-seed-1`)}`),
    ],
    ['a folder that other tools load', command(`export ${quoted(folder)} --to hf --out my-model`)],
  ];
  return [
    ...(report === undefined ? [] : [`The report, with images: ${report}`, '']),
    'Go on with it:',
    ...lines.map(([what, command]) => `  # ${what}\n  ${command}`),
  ].join('\n');
}
