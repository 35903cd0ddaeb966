import { basename, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { type Fault, raise, TesseraError } from '../../../base/index.ts';
import type { Retrieved, RetrievedItem } from '../../../eval/index.ts';
import type { Found, Ranking, Retriever } from '../../../retrieve/index.ts';
import type { Session } from '../session.ts';
import { table } from '../terminal/table.ts';
import type { Verb } from '../verb.ts';
import { adapterOption, examples, gather, imageOption, wholeIn } from '../verb.ts';

interface RetrieveFlags {
  images?: string;
  text: string[];
  image: string[];
  texts?: string;
  top: number;
  shortlist: number;
  out?: string;
  adapter?: string;
}

export const retrieveVerb: Verb = (session) =>
  new Command('retrieve')
    .description('find the images of a folder that a text is about, or the texts that an image is about')
    .argument('<model>', 'a run folder or a Hugging Face folder')
    .option('--images <folder>', 'search the images of this folder and of those in it')
    .addOption(
      new Option('--text <text>', 'what to search images for; may be given several times')
        .argParser(gather)
        .default([], 'none'),
    )
    .addOption(imageOption('an image to search texts for'))
    .option('--texts <file>', 'search the lines of this file')
    .option('--top <k>', 'how many to show of each query', wholeIn(1, 1e4), 10)
    .option(
      '--shortlist <n>',
      'how many of the best by contrast a matching head looks at again; 0 keeps the order of contrast',
      wholeIn(0, 1e5),
      128,
    )
    .option('--out <page.html>', 'write a page of thumbnails too')
    .addOption(adapterOption())
    .addHelpText(
      'after',
      examples(
        'retrieve runs/blip2 --images photos --text "a red cube on a table" --out found.html',
        'retrieve runs/blip2 --image photo.jpg --texts captions.txt --top 5',
      ),
    )
    .action(async (folder: string, flags: RetrieveFlags) => {
      const asked = await settle(flags);
      const { results, unread, searched } = await session.watch((hooks) => find(folder, flags, asked, hooks));
      tellUnread(session, unread, asked);
      if (flags.out !== undefined) await writePage(flags.out, folder, asked, results);
      const page = flags.out === undefined ? {} : { page: flags.out };
      session.result({ model: folder, towards: asked.towards, searched, unread, results, ...page }, () =>
        [resultText(results), ...(flags.out === undefined ? [] : [`page: ${flags.out}`])].join('\n\n'),
      );
    });

/** What is searched, and for what: the one list by the other. */
interface Asked {
  readonly towards: 'images' | 'texts';
  readonly images: readonly string[];
  readonly texts: readonly string[];
  /** Where each text stands, of those out of a file. */
  readonly places?: readonly string[];
}

/** @throws TesseraError `cli/retrieve` for options that do not go together */
async function settle({ images, text, image, texts, out }: RetrieveFlags): Promise<Asked> {
  const forText = images !== undefined && text.length > 0 && image.length === 0 && texts === undefined;
  const forImage = texts !== undefined && image.length > 0 && text.length === 0 && images === undefined;
  if (out !== undefined && !/\.html?$/i.test(out)) {
    throw refused(
      'pages are HTML',
      'a name that ends in .html',
      out,
      `write --out ${out.replace(/\.[^./\\]*$/, '')}.html`,
    );
  }
  const { imagesIn } = await import('../../../retrieve/index.ts');
  if (forText) {
    if (text.some((one) => one.trim() === '')) {
      throw refused('a text to search for is empty', 'words', '--text ""', 'say what the images show');
    }
    return { towards: 'images', images: imagesIn(images), texts: [...new Set(text)] };
  }
  if (forImage) return { towards: 'texts', images: distinctFiles(image), ...(await linesOf(texts)) };
  const given = Object.entries({ images, text, image, texts }).filter(
    ([, value]) => value !== undefined && value.length > 0,
  );
  throw refused(
    'it is not clear what to search for what',
    '--images with --text, or --image with --texts',
    given.map(([name]) => `--${name}`).join(' ') || 'none of these',
    'give one of the two pairs of options',
  );
}

function refused(message: string, expected: string, got: string, remedy: string): TesseraError {
  return new TesseraError({ code: 'cli/retrieve', message, expected, got, remedy });
}

/** Files under the first of the names that they are given. */
const distinctFiles = (files: readonly string[]): string[] =>
  [...new Map([...files].reverse().map((file) => [resolve(file), file] as const)).values()].reverse();

/** The lines of a file that are not empty, each once, and where they stand. */
async function linesOf(path: string): Promise<{ texts: string[]; places: string[] }> {
  const { readText } = await import('../../../files/index.ts');
  const remedy = 'name a file with a text a line';
  const lines = readText(path, { code: 'cli/texts', remedy }).split(/\r?\n/);
  const places = new Map<string, string>();
  for (const [i, line] of lines.entries()) {
    const text = line.trim();
    if (text !== '' && !places.has(text)) places.set(text, `${path}:${i + 1}`);
  }
  if (places.size > 0) return { texts: [...places.keys()], places: [...places.values()] };
  throw new TesseraError({
    code: 'cli/texts',
    message: 'the file holds no text',
    path,
    expected: 'a text a line',
    remedy,
  });
}

type Hooks = Parameters<Parameters<Session['watch']>[0]>[0];

async function find(folder: string, flags: RetrieveFlags, asked: Asked, { log, signal, progress }: Hooks) {
  const { loadForRetrieval, openRetriever, search } = await import('../../../retrieve/index.ts');
  const { openEngine } = await import('../../../runtime/index.ts');
  const parts = await loadForRetrieval(folder, await openEngine({ log }), { adapter: flags.adapter });
  const retriever = openRetriever(parts);
  try {
    const { unread: unreadTexts, asked: readable } = withoutUnread(asked, retriever);
    const {
      ofTexts,
      ofImages,
      unread: unreadImages,
    } = await search(retriever, readable.images, readable.texts, {
      towards: asked.towards,
      keep: flags.top,
      shortlist: flags.shortlist,
      signal,
      onProgress: (what, done, total) =>
        progress({ label: what === 'images' ? 'compare' : 'look again', done, total, unit: what, numbers: {} }),
    });
    const unread = [...unreadTexts, ...unreadImages.values()];
    const searched = asked.towards === 'images' ? asked.images.length - unreadImages.size : readable.texts.length;
    return { results: named(readable, asked.towards === 'images' ? ofTexts : ofImages), unread, searched };
  } finally {
    await retriever.close();
  }
}

/** Leaves texts of a file out that the model cannot read, as images are; those that are all that is asked for are refused. */
function withoutUnread(asked: Asked, retriever: Retriever): { asked: Asked; unread: Fault[] } {
  const { places, texts } = asked;
  if (!places) return { asked, unread: [] };
  const faults = retriever.textFaults(texts);
  const unread = [...faults].map(([at, fault]) => ({ ...fault, path: places[at] as string }));
  if (faults.size === texts.length) raise(unread);
  const kept = (_: string, at: number) => !faults.has(at);
  return { asked: { ...asked, texts: texts.filter(kept), places: places.filter(kept) }, unread };
}

/** Rankings with the names of what they hold; an image that cannot be read has none. */
function named({ towards, images, texts }: Asked, rankings: readonly Ranking[]): Retrieved[] {
  const item = ({ at, rank: byContrast, similarity, match }: Found): RetrievedItem => ({
    ...(towards === 'images' ? { image: images[at] as string } : { text: texts[at] as string }),
    byContrast,
    similarity,
    ...(match !== undefined && { match }),
  });
  return rankings.flatMap(({ contrast, rematched }, i) => {
    const query = towards === 'images' ? { text: texts[i] as string } : { image: images[i] as string };
    return contrast.length === 0 ? [] : [{ query, found: (rematched ?? contrast).map(item) }];
  });
}

const namedUnread = 5;

function tellUnread({ log }: Session, unread: readonly Fault[], { images, texts, places = [] }: Asked): void {
  if (unread.length === 0) return;
  for (const { path = '', message } of unread.slice(0, namedUnread)) log.warn(`left out: ${path}: ${message}`);
  const more = unread.length > namedUnread ? '; --json names them all' : '';
  const ofTexts = unread.filter(({ path }) => path !== undefined && places.includes(path)).length;
  const counts = [
    [ofTexts, texts.length, 'texts'],
    [unread.length - ofTexts, images.length, 'images'],
  ] as const;
  const told = counts.flatMap(([count, of, what]) => (count > 0 ? [`${count} of ${of} ${what}`] : []));
  log.warn(`${told.join(' and ')} cannot be read${more}`);
}

async function writePage(
  out: string,
  folder: string,
  { towards, images, texts }: Asked,
  results: readonly Retrieved[],
) {
  const { writeRetrieved } = await import('../../../eval/index.ts');
  const facts = {
    model: basename(folder),
    searched: `${towards === 'images' ? images.length : texts.length} ${towards}`,
  };
  await writeRetrieved(out, { title: `Found ${towards}`, facts, results });
}

/** Below each query a line for each that was found; the columns of a matching head only where there is one. */
function resultText(results: readonly Retrieved[]): string {
  const matched = results.some(({ found }) => found.some(({ match }) => match !== undefined));
  const right = (title: string) => ({ title, align: 'right' as const });
  const columns = [
    right('#'),
    { title: 'found' },
    ...['similarity', ...(matched ? ['match', 'by contrast'] : [])].map(right),
  ];
  const line = (item: RetrievedItem, i: number) => [
    `${i + 1}`,
    wordsOf(item),
    item.similarity.toFixed(4),
    ...(matched ? [item.match?.toFixed(4) ?? '', `${item.byContrast}`] : []),
  ];
  return results.map(({ query, found }) => `${wordsOf(query)}\n${table(columns, found.map(line))}`).join('\n\n');
}

const wordsOf = (shown: Retrieved['query']) => ('text' in shown ? shown.text : shown.image);
