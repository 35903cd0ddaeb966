import { appendFileSync, readFileSync, rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { withFailingDisk } from '../../test/support/failing-disk.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { silentLog } from '../base/index.ts';
import { openLines } from './folder.ts';

const folder = scratchFolder();

describe('the log of a run', () => {
  it('holds no half of a row that the disk refused, and the whole row once it can be written', () => {
    const path = folder.write('refused.jsonl', '');
    const log = openLines(path, undefined, silentLog);
    log.add({ step: 1 });
    const { error } = withFailingDisk(() => log.add({ step: 2 }), 'ENOSPC', 1);
    expect(error).toMatchObject({ code: 'run/log', path, remedy: expect.stringContaining('make room') });
    expect(readFileSync(path, 'utf8')).toBe('{"step":1}\n');
    expect(log.sync()).toBe(22);
    log.add({ step: 3 });
    expect(readFileSync(path, 'utf8')).toBe('{"step":1}\n{"step":2}\n{"step":3}\n');
  });

  it('is cut back to where a run goes on from', () => {
    const path = folder.write('cut.jsonl', '');
    openLines(path, undefined, silentLog).add({ step: 1 });
    appendFileSync(path, '{"step":2}\n{"st');
    openLines(path, 11, silentLog).add({ step: 2 });
    expect(readFileSync(path, 'utf8')).toBe('{"step":1}\n{"step":2}\n');
  });

  it('says what to do where its folder is gone', () => {
    const log = openLines(folder.write('gone.jsonl', ''), undefined, silentLog);
    rmSync(folder.path('gone.jsonl'));
    expect(() => log.add({ step: 1 })).toThrow(
      expect.objectContaining({ code: 'run/log', remedy: expect.stringContaining('leave the run folder') }),
    );
  });
});
