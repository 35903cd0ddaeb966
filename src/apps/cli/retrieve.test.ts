import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { writeLlava } from '../../../test/end-to-end/material.ts';
import { builtCommand } from '../../../test/support/built-command.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { writeWorld } from '../../world/index.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const clip = join(root, 'assets/backbones/tabletop-clip');
const { fresh } = scratchFolder();

function tessera(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const command = [builtCommand, 'retrieve', ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: root }, (error, out, err) => {
      resolve({ code: Number(error?.code ?? 0), out, err });
    });
  });
}

/** A folder of images of the table and their captions; two files in it are no images. */
async function table() {
  const folder = join(fresh(), 'world');
  await writeWorld(folder, { seed: 9, split: 'val', count: 40, tasks: ['captions'], captionsPerImage: 1 });
  const images = join(folder, 'images');
  mkdirSync(join(images, 'deep'));
  for (const name of ['broken.png', 'deep/text.jpg']) writeFileSync(join(images, name), 'no image');
  const { annotations } = JSON.parse(readFileSync(join(folder, 'captions.json'), 'utf8'));
  return { folder, images, captions: annotations.map(({ caption }: { caption: string }) => caption) as string[] };
}

describe('tessera retrieve', () => {
  it('finds the image of a caption and the caption of an image, and leaves out what is no image', async () => {
    const { folder, images, captions } = await table();
    const page = join(folder, 'found.html');
    const [first, second] = [captions[3] as string, captions[8] as string];
    const found = await tessera(
      clip,
      '--images',
      images,
      '--text',
      first,
      '--text',
      second,
      '--text',
      first,
      '--out',
      page,
      '--json',
    );
    expect(found).toMatchObject({ code: 0, err: expect.stringContaining('2 of 42 images cannot be read') });
    const { results, unread, searched } = JSON.parse(found.out);
    expect(searched).toBe(40);
    expect(unread.map(({ path }: { path: string }) => path)).toEqual([
      join(images, 'broken.png'),
      join(images, 'deep/text.jpg'),
    ]);
    expect(results.map(({ query }: { query: { text: string } }) => query.text)).toEqual([first, second]);
    for (const [i, name] of ['000000000003.png', '000000000008.png'].entries()) {
      const list: { image: string; similarity: number; match?: number }[] = results[i].found;
      expect(list).toHaveLength(10);
      expect(list.slice(0, 3).map(({ image }) => image)).toContain(join(images, name));
      expect(list.map(({ similarity }) => similarity)).toEqual(
        list.map(({ similarity }) => similarity).sort((a, b) => b - a),
      );
      expect(list.every(({ match }) => match === undefined)).toBe(true);
    }
    const markup = readFileSync(page, 'utf8');
    expect(markup.match(/<img [^>]*src="data:image\/png/g)).toHaveLength(20);
    expect(markup).not.toMatch(/src="(?!data:)|<script|https?:/);

    const lines = join(folder, 'captions.txt');
    writeFileSync(lines, `${captions.join('\n')}\n\n${first}\n`);
    const [image, again] = [join(images, '000000000003.png'), join(images, 'deep/../000000000003.png')];
    const back = await tessera(clip, '--image', image, '--image', again, '--texts', lines, '--top', '3');
    expect(back).toMatchObject({ code: 0, err: expect.not.stringContaining('warning') });
    const [asked, , , ...listed] = back.out.trim().split('\n');
    expect([asked, listed.length]).toEqual([image, 3]);
    expect(back.out).toContain(first);
    // A text that is too long takes nothing from the others; where there is no other, it is refused.
    writeFileSync(lines, `${first}\n${'red '.repeat(99)}\n${second}\n`);
    const fewer = await tessera(clip, '--image', image, '--texts', lines, '--json');
    expect(fewer).toMatchObject({ code: 0, err: expect.stringContaining('1 of 3 texts cannot be read') });
    expect(fewer.err).toContain(`left out: ${lines}:2: `);
    expect(JSON.parse(fewer.out)).toMatchObject({
      searched: 2,
      unread: [{ code: 'row/too-long', path: `${lines}:2` }],
    });
    writeFileSync(lines, `\n${'red '.repeat(99)}\n`);
    const none = await tessera(clip, '--image', image, '--texts', lines, '--json', '--quiet');
    expect([none.code, JSON.parse(none.err).error]).toMatchObject([1, { code: 'row/too-long', path: `${lines}:2` }]);
  }, 120_000);

  it('refuses models that compare nothing, options that do not go together, and folders without images', async () => {
    const model = join(fresh(), 'llava');
    writeLlava(model);
    const { folder, images } = await table();
    const search = ['--images', images, '--text', 'a cube'];
    const refusals = [
      [[model, ...search], 'model/cannot'],
      [[clip, '--images', images], 'cli/retrieve'],
      [[clip, ...search, '--image', 'x.png'], 'cli/retrieve'],
      [[clip, ...search, '--out', 'page.png'], 'cli/retrieve'],
      [[clip, ...search, '--text', ''], 'cli/retrieve'],
      [[clip, ...search, '--text', ' \t'], 'cli/retrieve'],
      [[clip, '--image', join(images, 'broken.png'), '--texts', join(folder, 'none.txt')], 'cli/texts'],
      [[clip, '--image', join(images, 'broken.png'), '--texts', join(folder, 'captions.json')], 'retrieve/unreadable'],
      [[clip, '--images', join(folder, 'none'), '--text', 'a cube'], 'retrieve/folder'],
      [[clip, '--images', join(images, 'deep'), '--text', 'a cube'], 'retrieve/unreadable'],
      [[clip, '--images', images, '--text', 'red '.repeat(99)], 'row/too-long'],
    ] as const;
    for (const [args, code] of refusals) {
      const { err, code: exit } = await tessera(...args, '--json', '--quiet');
      expect([exit, JSON.parse(err).error.code], args.join(' ')).toEqual([1, code]);
      expect(JSON.parse(err).error.remedy, args.join(' ')).toBeTruthy();
      if (code !== 'row/too-long') continue;
      expect(JSON.parse(err).error).toMatchObject({
        path: `text 1: ${'red '.repeat(10)}…`,
        remedy: 'make the text shorter',
      });
    }
  }, 240_000);
});
