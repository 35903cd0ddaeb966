import { Template } from '@huggingface/jinja';
import { describe, expect, test } from 'vitest';
import { faultOf } from '../../../test/support/faults.ts';
import type { TesseraError } from '../../base/index.ts';
import { compileJinja } from './jinja.ts';
import { createTemplate } from './template.ts';

const messages = [
  { role: 'user', content: 'Hello\nthere' },
  { role: 'assistant', content: 'Hi' },
  { role: 'user', content: 'Who are you?' },
];
const context = { messages, bos_token: '<s>', eos_token: '</s>', add_generation_prompt: true };
const doubled = (n: number) => `{% set ns = namespace(x='ab') %}${'{% set ns.x = ns.x ~ ns.x %}'.repeat(n)}`;
const pages = '{% for i in range(8192) %}';

describe('a template that would take the process down is stopped', () => {
  test.each([
    ['a huge range', '{% for i in range(10**9) %}x{% endfor %}'],
    ['a range without an end', '{% for i in range(0, 10**300, 1) %}x{% endfor %}'],
    ['nested loops', `${pages}${pages}x{% endfor %}{% endfor %}`],
    ['loops that print nothing', `${pages}${pages}{% endfor %}{% endfor %}`],
    ['loops that go on', `${pages}${pages}{% continue %}{% endfor %}{% endfor %}`],
    ['a text doubled', `${doubled(40)}{{ ns.x }}`],
    [
      'a text doubled in a loop',
      "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    ],
    [
      'a list doubled',
      '{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}',
    ],
    [
      'a list of itself twice',
      '{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}',
    ],
    ['a list in a list', '{% set ns = namespace(x=[]) %}{% for i in range(8000) %}{% set ns.x = [ns.x] %}{% endfor %}'],
    ['a namespace in itself', '{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}'],
    ['a namespace in a list in itself', '{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns }}'],
    ['a macro that calls itself', '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}'],
    [
      'a macro that calls itself twice',
      '{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(50) }}',
    ],
    ['blocks set', `${doubled(12)}${pages}{% set y %}{{ ns.x }}${'{{ ns.x }}'.repeat(20)}{% endset %}{% endfor %}`],
    ['replacements', `${doubled(15)}{{ ns.x.replace('a', ns.x) }}`],
    ['replacements of nothing', `${doubled(15)}{{ ns.x | replace('', ns.x) }}`],
    ['a long search', `${doubled(16)}{{ (ns.x ~ 'c') in ns.x }}`],
    ['a long pattern', `${doubled(17)}{{ 'a'.replace(ns.x, '') }}`],
    ['many searches', `${doubled(16)}${pages}{% if 'c' in ns.x %}{% endif %}{% endfor %}`],
    [
      'many comparisons',
      `${doubled(15)}{% set a = ns.x ~ 'a' %}{% set b = ns.x ~ 'b' %}${pages}{% if a == b %}{% endif %}{% endfor %}`,
    ],
    ['a join', `${doubled(14)}{{ range(8000) | join(ns.x) }}`],
    ['an indent', "{{ 'a\nb' | indent(500000000) }}"],
    ['an indent of JSON', '{{ [1] | tojson(indent=500000000) }}'],
    ['separators of JSON', `${doubled(15)}{{ range(8000) | tojson(separators=(ns.x, ns.x)) }}`],
    ['a method kept for later', `${doubled(15)}{% set f = ns.x.replace %}{{ f('a', ns.x) }}`],
    ['a method taken by its name', `${doubled(15)}{% set f = ns.x['rep' ~ 'lace'] %}{{ f('a', ns.x) }}`],
    [
      'a filter over a block',
      `{% filter replace('a', ${"'".padEnd(60_000, 'b')}') %}${'a'.repeat(60_000)}{% endfilter %}`,
    ],
    ['dates', '{{ strftime_now(messages | string ~ range(999)) }}'],
    ['sorting', `${doubled(14)}${pages}{{ range(8000) | sort }}{% endfor %}`],
    ['macros defined in a loop', `${pages}{% macro f() %}${'{{ a }}'.repeat(500)}{% endmacro %}{% endfor %}`],
    ['a loop ended outside of one', '{% break %}'],
    ['slices', `${pages}{% set y = messages[0].content[::1] %}{% set z = range(8000)[::-1] %}{% endfor %}`],
  ])('%s', (_, source) => {
    expect(['chat/template-limit', 'chat/template-failed']).toContain(
      faultOf(() => compileJinja(source, 'x')(context)).code,
    );
  });

  test.each([
    ['too long', 'a'.repeat(300_000)],
    ['too much white space', `a${' '.repeat(2000)}`],
    ['deep brackets', `{{ ${'('.repeat(50_000)} }}`],
    ['deep lists', `{{ ${'['.repeat(50_000)} }}`],
    ['open comments', '{#'.repeat(100_000)],
    ['deep blocks', '{% if a %}'.repeat(20_000)],
  ])('%s', (_, source) => {
    expect(faultOf(() => createTemplate(source, 'x')).code).toMatch(/^chat\/template-(limit|syntax)$/);
  });

  test('the error says which template and what to do', () => {
    const render = compileJinja(
      '{% for i in range(9) %}{% for i in range(8192) %}{{ i * 2 }}{% endfor %}{% endfor %}',
      'x.jinja',
    );
    try {
      render(context);
    } catch (error) {
      expect((error as TesseraError).toJSON()).toMatchInlineSnapshot(`
        {
          "code": "chat/template-limit",
          "expected": "at most 131754 steps",
          "message": "the chat template takes too many steps",
          "path": "x.jinja",
          "remedy": "use a template from a source you trust, or a built-in one",
        }
      `);
    }
  });
});

describe('what published templates do still works, as in the library', () => {
  test.each([
    "{% for m in messages %}{{ '<|' ~ m.role ~ '|>' + m['content'] | trim }}{% if not loop.last %}\n{% endif %}{% endfor %}",
    "{% set ns = namespace(seen=false) %}{% for m in messages[::-1] %}{% if m.role == 'user' and not ns.seen %}{% set ns.seen = true %}{{ m.content.split(' ')[-1] }}{% endif %}{% endfor %}{{ ns.seen }}",
    "{%- macro turn(m, end='</s>') -%}{{ m.role }}: {{ m.content.strip() }}{{ end }}{%- endmacro -%}{% for m in messages if m.role != 'system' %}{{ turn(m, end=eos_token) }}{% endfor %}",
    "{% if 'Hello' in messages[0]['content'] and 'role' in messages[0] %}{{ messages | length - 1 }}{{ messages | map(attribute='role') | join(', ') }}{% endif %}",
    "{{ messages | selectattr('role', 'equalto', 'user') | list | tojson }}{{ messages[0] | tojson(indent=2) }}",
    "{% filter upper %}{{ messages[0].content }}{% endfilter %}{% set text %}{{ bos_token }}!{% endset %}{{ text | replace('!', '?') }}",
    "{% for i in range(1, 9, 3) %}{% if i == 4 %}{% continue %}{% endif %}{{ loop.index }}:{{ i }} {% endfor %}{{ 'a' is lower }}{{ messages is iterable }}",
    "{{ messages[0].content[1:4] }}{{ messages[1].content[0] }}{{ messages[0].items() | list | length }}{{ none is none }}{{ x | default('d') }}{{ strftime_now('%Y') }}",
    "{% for m in messages %}{% set first = loop.first %}{{ 'F' if first else m.get('content', '').startswith('Hi') }}{{ -loop.index0 }}{% endfor %}",
    '{% macro outer() %}{{ caller(1) }}{% endmacro %}{% call(x) outer() %}{{ x }}{% endcall %}',
  ])('%s', (source) => {
    expect(compileJinja(source, 'x')(context)).toBe(new Template(source).render({ ...context }));
  });

  test('conversations of any length', () => {
    const long = Array.from({ length: 400 }, (_, i) => ({
      role: i % 2 ? 'assistant' : 'user',
      content: 'word '.repeat(500),
    }));
    const source =
      "{% for m in messages %}{% if loop.index0 == messages | length - 1 %}!{% endif %}{{ messages[loop.index0 - 1].role }}{% if '</think>' in m.content %}{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content | trim }}{% endif %}{% endfor %}";
    expect(compileJinja(source, 'x')({ messages: long })).toBe(new Template(source).render({ messages: long }));
  });
});
