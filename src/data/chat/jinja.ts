import { Template } from '@huggingface/jinja';
import { asTesseraError } from '../../base/index.ts';
import { marks } from './marks.ts';

/** Values a template sees. */
export type JinjaContext = Readonly<Record<string, unknown>>;

const OPENING = /\{%([-+]?)\s*generation\s*([-+]?)%\}/g;
const CLOSING = /\{%([-+]?)\s*endgeneration\s*([-+]?)%\}/g;

// The definition ends with a newline, which trim_blocks removes: the template still begins at the start of a line.
const DEFINITION = `{% macro __generation__() %}${marks.generationStart}{{ caller() }}${marks.generationEnd}{% endmacro %}\n`;

/** Whether a template says by `{% generation %}` what the model has to produce. */
export function hasGenerationBlocks(source: string): boolean {
  return source.replace(/\{#.*?#\}/gs, '').search(OPENING) >= 0;
}

/**
 * Compiles a chat template. The library drops `{% generation %}` tags, so they are rewritten, white-space control and
 * all, to a `{% call %}` of a macro that puts marks around its body. The reference implementation treats the tag
 * as a call block too, so scoping is the same.
 */
export function compileJinja(source: string, where: string): (context: JinjaContext) => string {
  const rewritten = source.replace(OPENING, '{%$1 call __generation__() $2%}').replace(CLOSING, '{%$1 endcall $2%}');
  const template = guard(() => new Template(DEFINITION + rewritten), 'chat/template-syntax', where);
  return (context) => guard(() => template.render({ ...context }), 'chat/template-failed', where);
}

function guard<T>(action: () => T, code: string, where: string): T {
  try {
    return action();
  } catch (error) {
    throw asTesseraError(error, { code, path: where });
  }
}
