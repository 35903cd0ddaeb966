import { nearest, TesseraError } from '../../base/index.ts';
import { isJsonObject, type JsonValue, join, parseJson, pathExists, readText } from '../../files/index.ts';
import type { Turn } from '../row.ts';
import { builtinSource } from './builtin-source.ts';
import { compileJinja, hasGenerationBlocks, type JinjaContext } from './jinja.ts';

/** A chat template, ready to render. */
export interface ChatTemplate {
  /** The built-in's name, or the file it came from. */
  readonly name: string;
  readonly builtin: boolean;
  readonly source: string;
  /** Whether it marks what the model has to produce, as training needs. */
  readonly supervises: boolean;
  /** Whether message contents are lists of parts, or one string. */
  readonly content: 'parts' | 'string';
  /** Roles whose text the method throws away on purpose. */
  readonly discards: readonly Turn['role'][];
  render(context: JinjaContext): string;
}

/** Built-in templates with the roles whose text they throw away. */
const builtins: Readonly<Record<string, readonly Turn['role'][]>> = {
  plain: ['system', 'user'],
  text: ['system', 'user'],
  'llava-v0': [],
  'llava-v1': [],
  'llava-1.5': [],
};

export const builtinTemplateNames: readonly string[] = Object.keys(builtins);

/** A template from its text; a built-in's text is recognised wherever it comes from. */
export function createTemplate(source: string, where: string): ChatTemplate {
  const builtin = builtinTemplateNames.find((candidate) => builtinSource(candidate) === source);
  return {
    name: builtin ?? where,
    builtin: builtin !== undefined,
    source,
    supervises: hasGenerationBlocks(source),
    content: /\[\s*['"]type['"]\s*\]|\.type\b|['"]type['"]\s*,/.test(source) ? 'parts' : 'string',
    discards: builtin === undefined ? [] : (builtins[builtin] ?? []),
    render: compileJinja(source, where),
  };
}

/** A built-in template: `plain`, `llava-v0`, `llava-v1` or `llava-1.5`. */
export function builtinTemplate(name: string): ChatTemplate {
  if (!Object.hasOwn(builtins, name)) {
    const near = nearest(name, builtinTemplateNames);
    throw new TesseraError({
      code: 'chat/template-name',
      message: 'there is no built-in template of this name',
      expected: builtinTemplateNames.join(', '),
      got: name,
      ...(near && { remedy: `did you mean ${near}?` }),
    });
  }
  return createTemplate(builtinSource(name), name);
}

const SOURCES = ['chat_template.jinja', 'chat_template.json', 'processor_config.json', 'tokenizer_config.json'];

/** The template of a checkpoint folder: its own file first, then the `chat_template` of the JSON files. */
export async function loadTemplate(folder: string): Promise<ChatTemplate> {
  for (const name of SOURCES) {
    const path = join(folder, name);
    const text = pathExists(path) ? readText(path, { code: 'chat/template-file' }) : undefined;
    const source = text !== undefined && name.endsWith('.json') ? templateEntry(text, path) : text;
    if (source !== undefined) return createTemplate(source, path);
  }
  throw new TesseraError({
    code: 'chat/template-missing',
    message: 'the folder has no chat template',
    path: folder,
    expected: `chat_template.jinja, or chat_template in ${SOURCES.slice(1).join(', ')}`,
    remedy: `name a built-in template: ${builtinTemplateNames.join(', ')}`,
  });
}

/** `chat_template` of a JSON file: a text, or a list of named texts of which `default` counts. */
function templateEntry(text: string, path: string): string | undefined {
  const file = parseJson(text, { file: path, area: 'chat' });
  const entry = isJsonObject(file) ? file.chat_template : null;
  if (entry === undefined || entry === null) return undefined;
  if (typeof entry === 'string') return entry;
  const named: JsonValue[] = Array.isArray(entry) ? entry : [];
  const chosen = named.filter(isJsonObject).find((candidate) => candidate.name === 'default')?.template;
  if (typeof chosen === 'string') return chosen;
  throw new TesseraError({
    code: 'chat/template-file',
    message: 'chat_template has no default template',
    path: `${path} chat_template`,
    expected: 'a string, or a list of {name, template} with the name default',
  });
}
