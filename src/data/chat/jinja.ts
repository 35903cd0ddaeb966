import { asTesseraError, TesseraError } from '../../base/index.ts';
import { templateGlobals } from './globals.ts';
import { parseTemplate, runTemplate } from './interpreter.ts';
import { RenderLimits, sizeOf } from './limits.ts';
import { marks } from './marks.ts';

/** Values a template sees. */
export type JinjaContext = Readonly<Record<string, unknown>>;

/** Longest template, in characters; published ones have at most some thirty thousand. */
const longestTemplate = 2 ** 18;
/** Longest run of white space; the library's patterns take time quadratic in it. */
const longestBlank = 1024;
const tooBlank = new RegExp(`\\s{${longestBlank + 1}}`);

const OPENING = /\{%([-+]?)\s*generation\s*([-+]?)%\}/g;
const CLOSING = /\{%([-+]?)\s*endgeneration\s*([-+]?)%\}/g;

// The definition ends with a newline, which trim_blocks removes: the template still begins at the start of a line.
const DEFINITION = `{% macro __generation__() %}${marks.generationStart}{{ caller() }}${marks.generationEnd}{% endmacro %}\n`;

/** Whether a template says by `{% generation %}` what the model has to produce. */
export function hasGenerationBlocks(source: string): boolean {
  return withoutComments(source).search(OPENING) >= 0;
}

function withoutComments(source: string): string {
  let kept = '';
  for (let at = 0; ; ) {
    const open = source.indexOf('{#', at);
    const close = open < 0 ? -1 : source.indexOf('#}', open + 2);
    if (close < 0) return kept + source.slice(at);
    kept += source.slice(at, open);
    at = close + 2;
  }
}

/**
 * Compiles a chat template. The library drops `{% generation %}` tags, so they are rewritten, white-space control and
 * all, to a `{% call %}` of a macro that puts marks around its body. The reference implementation treats the tag
 * as a call block too, so scoping is the same. Whatever a template does, rendering ends soon (see `RenderLimits`).
 * @throws TesseraError `chat/template-syntax` and `chat/template-limit`; when rendering, `chat/template-failed` too
 */
export function compileJinja(source: string, where: string): (context: JinjaContext) => string {
  checkLength(source, where);
  const rewritten = source.replace(OPENING, '{%$1 call __generation__() $2%}').replace(CLOSING, '{%$1 endcall $2%}');
  const program = guard(() => parseTemplate(DEFINITION + rewritten), 'chat/template-syntax', where);
  return (context) => {
    const limits = new RenderLimits(where, sizeOf(context));
    return guard(() => runTemplate(program, { ...templateGlobals, ...context }, limits), 'chat/template-failed', where);
  };
}

function checkLength(source: string, where: string): void {
  const blank = tooBlank.test(source);
  if (source.length <= longestTemplate && !blank) return;
  throw new TesseraError({
    code: 'chat/template-limit',
    message: 'the chat template is too long',
    path: where,
    expected: `at most ${longestTemplate} characters, and ${longestBlank} of white space in a row`,
    got: blank ? 'a longer run of white space' : `${source.length} characters`,
  });
}

function guard<T>(action: () => T, code: string, where: string): T {
  try {
    return action();
  } catch (error) {
    // The library ends loops by errors without words, which come here when there is no loop around them.
    const silent = error instanceof Error && error.message === '';
    const shown = silent ? new Error('break or continue stands outside of a loop') : error;
    throw asTesseraError(shown, { code, path: where, expected: 'a template that renders' });
  }
}
