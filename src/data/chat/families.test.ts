import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fixture, fixtureJson } from '../../../test/support/fixtures.ts';
import { type Example, encodePrompt, encodeRow } from '../example.ts';
import type { Outcome, Row, Turn } from '../row.ts';
import { createTokenizer, loadTokenizer, type Tokenizer } from '../tokenize/index.ts';
import { chatTokens, createTemplate, stopStrings } from './index.ts';

interface Family {
  readonly name: string;
  readonly specials: readonly string[];
  readonly eos: string;
  readonly end: string;
  readonly opens: boolean;
  readonly cases: readonly {
    readonly system: boolean;
    readonly turns: number;
    readonly ids: number[];
    readonly mask: string;
    readonly promptIds: number[];
  }[];
}

const { talk, families } = fixtureJson('chat/families.json') as {
  readonly talk: readonly (readonly [Turn['role'], string])[];
  readonly families: readonly Family[];
};
const tiny = await loadTokenizer(fixture('tokenize/tiny'));

/** The tiny vocabulary with the special tokens of a family. */
function tokenizerOf({ specials, eos, opens }: Family): Tokenizer {
  const json = JSON.parse(tiny.files.get('tokenizer.json') as string);
  const config = JSON.parse(tiny.files.get('tokenizer_config.json') as string);
  for (const [i, content] of specials.entries()) {
    json.added_tokens.push({ id: tiny.vocabSize + i, content, special: true });
  }
  const files = new Map([
    ['tokenizer.json', JSON.stringify(json)],
    ['tokenizer_config.json', JSON.stringify({ ...config, eos_token: eos, add_bos_token: opens })],
  ]);
  return createTokenizer(files);
}

function rowOf(system: boolean, turns: number): Row {
  const said = system ? [['system', 'Be brief.'] as const, ...talk.slice(0, 2 * turns)] : talk.slice(0, 2 * turns);
  return {
    id: 'r',
    where: 'rows.json row 1',
    media: [],
    turns: said.map(([role, text]) => ({ role, parts: [{ type: 'text', text }] })),
  };
}

function kept(outcome: Outcome<Example>): Example {
  if ('kept' in outcome) return outcome.kept;
  throw new Error(JSON.stringify(outcome.refused));
}

describe.each(families)('the template of $name', (family) => {
  const template = createTemplate(readFileSync(fixture(`chat/families/${family.name}.jinja`), 'utf8'), family.name);
  const tokenizer = tokenizerOf(family);

  test.each(family.cases)('system $system, turns $turns: ids and prompt are those of transformers', (reference) => {
    const row = rowOf(reference.system, reference.turns);
    expect([...kept(encodeRow(row, { tokenizer, template })).ids]).toEqual(reference.ids);
    const asked = { ...row, turns: row.turns.slice(0, -1) };
    expect([...kept(encodePrompt(asked, { tokenizer, template })).ids]).toEqual(reference.promptIds);
  });

  test.each(family.cases)(
    "system $system, turns $turns: the answers' words and end token are supervised",
    (reference) => {
      const example = kept(encodeRow(rowOf(reference.system, reference.turns), { tokenizer, template }));
      expect(example.supervised.join('')).toBe(reference.mask);
    },
  );

  test('answers stop at its end token', () => {
    expect(stopStrings(template, chatTokens(tokenizer))[0]).toBe(family.end);
  });
});
