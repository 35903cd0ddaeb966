import { existsSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dataFiles, talk } from '../../../test/support/data-files.ts';
import { faultOf } from '../../../test/support/faults.ts';
import { readRows } from './read.ts';

const { folder, image, read, refusals } = dataFiles('a.jpg', 'b.jpg');

it('names a folder of images that is none once, not with every row', () => {
  const rows = [{ image: 'a.jpg', conversations: talk('<image>', 'It.') }];
  for (const images of [folder.path('nowhere'), image('a.jpg').path]) {
    expect(faultOf(() => read('train.json', rows, { images }))).toMatchObject({ code: 'data/images', path: images });
  }
});

describe('pictures', () => {
  const row = (image: string) => [{ image, conversations: talk('<image>\nWhat?', 'It.') }];

  it('may not leave their folder', () => {
    const names = ['../train.json', 'x/../../train.json', folder.path('p.json'), 'C:\\a.jpg'];
    for (const name of names) expect(refusals('p.json', row(name))[0]?.code, name).toBe('row/image-outside');
    const file = `file://${folder.path('p.json')}`;
    expect(refusals('p.json', row(file))[0]?.code).toBe('row/image-outside');
  });

  it('may be named by absolute paths inside the folder', () => {
    for (const name of [folder.path('pictures/a.jpg'), `file://${folder.path('pictures/a.jpg')}`]) {
      expect(refusals('p.json', row(name))).toEqual([]);
      expect(refusals('p.json', row(name), { images: '/' })).toEqual([]);
    }
    expect(refusals('p.json', row(folder.path('p.json')))[0]?.code).toBe('row/image-outside');
    expect(refusals('p.json', row('C:\\images\\a.jpg'))[0]?.code).toBe('row/image-outside');
  });

  it('may be named through a link to their folder, or by the real path behind it', () => {
    if (!existsSync(folder.path('linked'))) symlinkSync(folder.path('pictures'), folder.path('linked'));
    for (const [images, name] of [
      ['linked', 'pictures/a.jpg'],
      ['pictures', 'linked/a.jpg'],
      ['linked', 'linked/a.jpg'],
    ] as const) {
      expect(refusals('p.json', row(folder.path(name)), { images: folder.path(images) })).toEqual([]);
    }
    const fault = refusals('p.json', row(folder.path('p.json')), { images: folder.path('linked') })[0];
    expect(fault?.code).toBe('row/image-outside');
  });

  it('may be data URIs, but not remote, nameless or folders', () => {
    expect(refusals('p.json', row('data:image/png;base64,AAAA'))).toEqual([]);
    expect(refusals('p.json', row('https://example.org/a.jpg'))[0]?.code).toBe('row/image-remote');
    expect(refusals('p.json', row(' '))[0]?.code).toBe('row/image-path');
    expect(refusals('p.json', row('a\0.jpg'))[0]?.code).toBe('row/image-path');
    expect(refusals('p.json', row('.'))[0]?.code).toBe('row/image-missing');
  });

  it('are looked for beside the data file when no folder is given', () => {
    const path = folder.write('pictures/train.json', row('a.jpg'));
    expect(readRows(path).rows[0]?.media).toEqual([image('a.jpg')]);
  });
});
