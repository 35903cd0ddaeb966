import { afterAll, describe, expect, it } from 'vitest';
import { maxAbsolute } from '../../test/support/compare.ts';
import { sharedEngine } from '../../test/support/evaluate.ts';
import { numbers } from '../../test/support/fixtures.ts';
import { type ReferenceCase, referenceCase } from '../../test/support/model-cases.ts';
import { GenerationProgram } from './program.ts';
import { continuation, score } from './score.ts';

const programs: GenerationProgram[] = [];
async function open(reference: ReferenceCase): Promise<GenerationProgram> {
  const program = new GenerationProgram({ ...reference, engine: await sharedEngine() });
  programs.push(program);
  return program;
}
afterAll(async () => {
  for (const program of programs) await program.dispose();
});

/** log softmax of the reference logits at every token but the first of each row. */
function expectedScores({ expected, rows, model }: ReferenceCase): number[][] {
  const logits = numbers(expected.get('logits'));
  let at = 0;
  return rows.map(({ ids }) => {
    const own = Array.from(ids, (_, t) =>
      logits.slice((at + t) * model.writer.vocabSize, (at + t + 1) * model.writer.vocabSize),
    );
    at += ids.length;
    return Array.from(ids)
      .slice(1)
      .map((id, t) => logSoftmax(own[t] as number[], id));
  });
}

function logSoftmax(logits: readonly number[], id: number): number {
  return (logits[id] as number) - Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0));
}

describe('scores', () => {
  it.each(['decoder/gqa', 'decoder/tied', 'llava/v1.5-multi', 'llava/v1.5-nonsquare', 'llava/v1'])(
    '%s: are the log-softmax of the logits of transformers',
    async (name) => {
      const reference = referenceCase(name);
      const program = await open(reference);
      const requests = reference.rows.map((row) => ({
        ...row,
        targets: Array.from({ length: row.ids.length - 1 }, (_, i) => i + 1),
      }));
      for (const tokens of [1, 8192]) {
        const got = await score(program, requests, { tokens });
        for (const [i, expected] of expectedScores(reference).entries()) {
          expect(maxAbsolute([...(got[i] as Float32Array)], expected)).toBeLessThan(1e-4);
        }
      }
    },
  );

  it('of a continuation are those of its own tokens alone', async () => {
    const reference = referenceCase('llava/v1.5');
    const program = await open(reference);
    const { prompt, tokens } = reference.greedy[0] as ReferenceCase['greedy'][number];
    const request = continuation(prompt, tokens);
    expect([...(request.targets as number[])]).toEqual(tokens.map((_, i) => prompt.ids.length + i));
    const [got, none] = (await score(program, [request, { ...prompt, targets: [] }])) as [Float32Array, Float32Array];
    expect([got.length, none.length]).toEqual([12, 0]);
    // A greedy token is at least as likely as any other.
    for (const value of got) expect(value).toBeGreaterThan(-Math.log(program.model.writer.vocabSize));
  });

  it('refuse targets without anything before them and texts that are too long', async () => {
    const program = await open(referenceCase('decoder/mha'));
    const fault = (ids: number[], targets: number[]) => score(program, [{ ids, targets }]).catch((error) => error.code);
    expect(await fault([1, 2], [0])).toBe('generate/target');
    expect(await fault([1, 2], [2])).toBe('generate/target');
    expect(await fault(Array(65).fill(1), [1])).toBe('generate/too-long');
  });
});
