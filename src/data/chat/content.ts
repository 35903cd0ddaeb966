import { TesseraError } from '../../base/index.ts';
import type { JinjaContext } from './jinja.ts';

type Render = (context: JinjaContext) => string;

const probe = 'probe';

/** Whether message contents are lists of parts, or one string. */
export type ContentForm = 'parts' | 'string';

/**
 * The form that a template takes contents in, seen from what it prints: the words of a message of parts, or else of one
 * string. Where it prints neither, how it speaks of parts decides.
 */
export function contentForm(render: Render, source: string): ContentForm {
  const parts = printed(render, [{ type: 'text', text: probe }]);
  // A template for strings prints a list as a list, if at all.
  if (parts?.includes(probe) && !/['"]type['"]/.test(parts)) return 'parts';
  if (printed(render, probe)?.includes(probe)) return 'string';
  return /\[\s*['"]type['"]\s*\]|\.type\b|['"]type['"]\s*,/.test(source) ? 'parts' : 'string';
}

/** Whether a template prints the image token for a part that is an image. */
export function printsImages(render: Render, image: string): boolean {
  return printed(render, [{ type: 'image' }, { type: 'text', text: probe }])?.includes(image) ?? false;
}

function printed(render: Render, content: unknown): string | undefined {
  try {
    const messages = [{ role: 'user', content }];
    return render({ messages, bos_token: '', eos_token: '', add_generation_prompt: true });
  } catch (error) {
    if (error instanceof TesseraError) return undefined;
    throw error;
  }
}
