import { describe, expect, it } from 'vitest';
import { fixture } from '../../test/support/fixtures.ts';
import { loadModel, withTokenRow } from './index.ts';

const embedding = 'model.embed_tokens.weight';

describe('a row for a token more', () => {
  const before = loadModel(fixture('decoder/gqa'));
  const vocabSize = before.model.writer?.vocabSize as number;
  const table = (loaded: typeof before, path: string) => loaded.store.tensors.get(path)?.data as Float32Array;

  it('makes the tables a multiple of 64 rows long and keeps the old ones', () => {
    const after = withTokenRow(before, vocabSize, 0);
    const rows = Math.ceil((vocabSize + 1) / 64) * 64;
    expect(after.model.json.vocab_size).toBe(rows);
    for (const path of [embedding, 'lm_head.weight']) {
      const [old, grown] = [table(before, path), table(after, path)];
      expect(after.store.specs.get(path)?.shape[0]).toBe(rows);
      expect(grown.subarray(0, old.length)).toEqual(old);
    }
    expect(after.store.tensors.get('model.norm.weight')).toBe(before.store.tensors.get('model.norm.weight'));
  });

  it('lies at the mean of the old ones, but for a three-hundredth of their spread, by the seed', () => {
    const after = withTokenRow(before, vocabSize, 3);
    const [old, grown] = [table(before, embedding), table(after, embedding)];
    const width = old.length / vocabSize;
    for (let i = 0; i < width; i++) {
      const column = Array.from({ length: vocabSize }, (_, row) => old[row * width + i] as number);
      const mean = column.reduce((a, b) => a + b, 0) / vocabSize;
      const deviation = Math.sqrt(column.reduce((a, b) => a + (b - mean) ** 2, 0) / vocabSize);
      const off = Math.abs((grown[vocabSize * width + i] as number) - mean);
      expect(off).toBeLessThan(5 * Math.sqrt(1e-5) * deviation + 1e-7);
    }
    expect(table(withTokenRow(before, vocabSize, 3), embedding)).toEqual(grown);
    expect(table(withTokenRow(before, vocabSize, 4), embedding)).not.toEqual(grown);
  });

  it('lies at the row of another where it is to be like that', () => {
    const like = 5;
    const after = withTokenRow(before, vocabSize, 3, like);
    for (const path of [embedding, 'lm_head.weight']) {
      const [old, grown] = [table(before, path), table(after, path)];
      const width = old.length / vocabSize;
      const largest = Math.max(...old.map(Math.abs));
      for (let i = 0; i < width; i++) {
        const off = (grown[vocabSize * width + i] as number) - (old[like * width + i] as number);
        expect(Math.abs(off)).toBeLessThan(0.02 * largest);
      }
      expect(grown.subarray(0, old.length)).toEqual(old);
    }
  });

  it('is one of the rows that nothing uses where there are such', () => {
    const after = withTokenRow(before, vocabSize - 2, 0);
    expect(after.model.json.vocab_size).toBe(vocabSize);
    const [old, same] = [table(before, embedding), table(after, embedding)];
    const width = old.length / vocabSize;
    const changed = old.findIndex((x, i) => x !== same[i]);
    expect(Math.floor(changed / width)).toBe(vocabSize - 2);
    expect(same.subarray(-width)).toEqual(old.subarray(-width));
  });

  it('is one row of a table that is embedding and head at once', () => {
    const tied = loadModel(fixture('decoder/tied'));
    const rows = tied.model.writer?.vocabSize as number;
    const after = withTokenRow(tied, rows, 0);
    expect([...after.store.specs.keys()]).toEqual([...tied.store.specs.keys()]);
  });
});
