import { readFileSync } from 'node:fs';
import type { Random } from '../../src/base/index.ts';
import {
  builtinTemplateNames,
  chatTokens,
  createTemplate,
  createTokenizer,
  loadTokenizer,
  renderChat,
} from '../../src/data/index.ts';
import { parsePlan } from '../../src/recipe/index.ts';
import { fixture, fixtureJson } from '../support/fixtures.ts';
import { spoilBytes } from './bytes.ts';
import { spoilJson } from './models.ts';
import { type Target, textBytes, textOf } from './target.ts';

const layouts = ['tiny', 'byte-level', 'prepend'];
const jsons = layouts.map((name) => fixtureJson(`tokenize/${name}/tokenizer.json`));
const settings = layouts.map((name) => readFileSync(fixture(`tokenize/${name}/tokenizer_config.json`)));
const said = ['What is it? A red  cube.\n', 'é中😀</s><image>', `${'a'.repeat(300)} ${' '.repeat(50)}b`];

/** Tokenizers; an accepted one must give back every text that it encodes. */
const tokenizer: Target = {
  name: 'tokenizer',
  onDisk: false,
  make(random) {
    const at = random.int(0, layouts.length);
    return new Map([
      ['tokenizer.json', spoilJson(jsons[at], random)],
      ['tokenizer_config.json', new Uint8Array(settings[at] as Buffer)],
    ]);
  },
  read(files) {
    const texts = ['tokenizer.json', 'tokenizer_config.json'].map((name) => [name, textOf(files, name)] as const);
    const made = createTokenizer(new Map(texts));
    return said.every((text) => {
      const { ids } = made.encode(text);
      return ids.every((id) => id >= 0 && id < made.vocabSize) && made.decode(ids).length >= text.trim().length / 2;
    });
  },
  verdict: (_, read) => (read === undefined ? undefined : read === true),
};

const templates = builtinTemplateNames.map((name) =>
  readFileSync(new URL(`../../src/data/chat/templates/${name}.jinja`, import.meta.url), 'utf8'),
);
const expressions: readonly string[] = [
  ...[
    'ns.x',
    'ns.x ~ ns.x',
    '[ns.x, ns.x]',
    'ns.x + ns.x',
    'range(8000)',
    'range(10 ** 9)',
    'messages',
    'messages[::-1]',
    '"ab"',
  ],
  ...[
    'messages[0].content',
    'ns.x | replace("a", ns.x)',
    'ns.x.replace("a", "bb")',
    'ns.x | tojson(indent=9)',
    'ns.x | upper',
  ],
  ...[
    'messages | join(ns.x)',
    'ns.x | string | indent(10 ** 8)',
    'ns.x.split("a") | length',
    '"x" in ns.x',
    'ns.x == ns.y',
    'ns',
  ],
  ...[
    '1 // 0',
    'none.x',
    'f(3)',
    'f(f(3))',
    'ns.x[0]',
    'ns.x[::2]',
    'caller()',
    'raise_exception("no")',
    '2 ** 9999',
    '-ns.x',
  ],
  ...[
    'strftime_now("%B")',
    'messages | map(attribute="role") | list',
    'ns.x | sort',
    'ns.x is lower',
    'namespace(x=ns.x)',
    'loop',
  ],
];

/** A template of a few statements, well-formed but for accidents. */
function statements(random: Random, depth: number): string {
  return Array.from({ length: random.int(1, 5) }, () => statement(random, depth)).join('');
}

function statement(random: Random, depth: number): string {
  const expression = () => random.pick(expressions);
  const inner = () => (depth > 0 ? statements(random, depth - 1) : 'x');
  switch (random.int(0, depth > 0 ? 12 : 4)) {
    case 0:
    case 1:
      return `{{ ${expression()} }}`;
    case 2:
      return `{% set ns.${random.pick(['x', 'y'])} = ${expression()} %}`;
    case 3:
      return random.pick([
        'text',
        '{% break %}',
        '{% continue %}',
        '{{ m.content }}',
        '{# note #}',
        '{% set v = ns.x %}',
      ]);
    case 4:
    case 5:
      return `{% for i in ${random.pick(['range(8000)', 'ns.x', 'messages', 'range(300)'])} %}${inner()}{% endfor %}`;
    case 6:
      return `{% for m in messages %}{{ m.role }}: {{ m.content }}${inner()}{% endfor %}`;
    case 7:
      return `{% if ${expression()} %}${inner()}{% else %}${inner()}{% endif %}`;
    case 8:
      return `{% macro f(n) %}${inner()}{% endmacro %}`;
    case 9:
      return `{% call f(1) %}${inner()}{% endcall %}`;
    case 10:
      return `{% set v %}${inner()}{% endset %}{% generation %}${inner()}{% endgeneration %}`;
    default:
      return `{% filter ${random.pick(['upper', 'replace("a", ns.x)', 'indent(9)', 'trim'])} %}${inner()}{% endfilter %}`;
  }
}

function makeTemplate(random: Random): string {
  const own = `{% set ns = namespace(x="ab", y=[1]) %}${statements(random, 3)}`;
  const text = random.chance(0.5) ? own : random.pick(templates) + (random.chance(0.5) ? own : '');
  return random.chance(0.3) ? new TextDecoder().decode(spoilBytes(textBytes(text), random)) : text;
}

const tokens = chatTokens(await loadTokenizer(fixture('tokenize/tiny')), '<image>');

/** Templates, rendered for a short conversation. */
const template: Target = {
  name: 'template',
  onDisk: false,
  make: (random) => new Map([['chat_template.jinja', textBytes(makeTemplate(random))]]),
  read(files) {
    const made = createTemplate(textOf(files, 'chat_template.jinja'), 'chat_template.jinja');
    const says = (role: 'user' | 'assistant', text: string) => ({ role, parts: [{ type: 'text' as const, text }] });
    return renderChat(made, [says('user', 'Hello'), says('assistant', 'Hi'), says('user', 'Who?')], tokens);
  },
};

const recipes = ['projection/llava', 'projection/llava-1.5', 'projection/llava-1.5-lora', 'backbones/tabletop-lm'].map(
  (name) => readFileSync(new URL(`../../recipes/${name}.yaml`, import.meta.url), 'utf8'),
);
const lines: readonly string[] = [
  ...[
    '__proto__: { polluted: 1 }',
    'constructor: { prototype: { polluted: 1 } }',
    'train: { steps: 1e999 }',
    '? [a, b]\n: c',
  ],
  ...['a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c]', 'a: &a [*a]', 'train: &t { x: *t }'],
  ...[
    `a0: &a0 [x]\n${Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}x]`).join('\n')}`,
    '<<: { train: { steps: 1 } }',
    'train: .nan',
    'train: { lr: .inf }',
    '!!js/function "x"',
    '---',
    '...',
    '\t- x',
    'system: 1',
  ],
  ...[
    `deep: ${'['.repeat(3000)}`,
    `deep: ${'{a: '.repeat(3000)}`,
    `${'- '.repeat(2000)}x`,
    'train:\n  steps: 5\n  steps: 6',
    '"\\uD800": 1',
  ],
  ...[
    'stages: 1',
    'stages: []',
    'model: { size: -1 }',
    'seed: 99999999999999999999999',
    `name: ${'x'.repeat(50_000)}`,
    '&x *x',
    '%YAML 9',
  ],
];

const words = [
  '-1',
  '0',
  '1e300',
  '0.5',
  '[]',
  '{}',
  '~',
  '*a',
  '!x y',
  '"',
  'on',
  'word',
  '[a, b]',
  '99999999999999999999',
  '.inf',
];

function makeRecipe(random: Random): string {
  const source = random.pick(recipes).split('\n');
  for (let n = random.int(1, 4); n > 0; n--) {
    const at = random.int(0, source.length);
    const line = source[at] ?? '';
    const kind = random.next();
    if (kind < 0.15) source.splice(at, 1);
    else if (kind < 0.3) source.push(random.pick(lines));
    else if (kind < 0.4) source.splice(at, 0, random.pick(source));
    else if (kind < 0.5) source[at] = line.replace(/([a-z_]+):/, '$1x:');
    else source[at] = line.replace(/: .+/, `: ${random.pick(words)}`);
  }
  return source.join('\n');
}

/** Recipes, as far as the plan. */
const recipe: Target = {
  name: 'recipe',
  onDisk: false,
  make(random) {
    const text = textBytes(makeRecipe(random));
    return new Map([['recipe.yaml', random.chance(0.2) ? spoilBytes(text, random) : text]]);
  },
  read: (files) => parsePlan(textOf(files, 'recipe.yaml'), 'recipe.yaml'),
};

export const textTargets: readonly Target[] = [tokenizer, template, recipe];
