import { nearest, TesseraError } from '../../base/index.ts';
import { isJsonObject, type JsonValue, join, lookUp, parseJson, pathExists, readText } from '../../files/index.ts';
import type { Turn } from '../row.ts';
import { builtinSource } from './builtin-source.ts';
import { type ContentForm, contentForm, printsImages } from './content.ts';
import { compileJinja, hasGenerationBlocks, type JinjaContext } from './jinja.ts';

/** A chat template, ready to render. */
export interface ChatTemplate {
  /** The built-in's name, or the file it came from. */
  readonly name: string;
  readonly builtin: boolean;
  readonly source: string;
  /** Whether it marks what the model has to produce; where it does not, `superviseAnswers` finds it. */
  readonly supervises: boolean;
  readonly content: ContentForm;
  /** Roles whose text the method throws away on purpose. */
  readonly discards: readonly Turn['role'][];
  /** White space that ends an answer, by declaration. */
  readonly stop?: string;
  /** Whether it prints the image token for a part that is an image. */
  showsImages(image: string): boolean;
  render(context: JinjaContext): string;
}

interface Builtin {
  /** Roles whose text it throws away. */
  readonly discards: readonly Turn['role'][];
  readonly stop?: string;
}

const builtins: Readonly<Record<string, Builtin>> = {
  plain: { discards: ['system', 'user'], stop: '\n' },
  text: { discards: ['system', 'user'] },
  'llava-v0': { discards: [] },
  'llava-v1': { discards: [] },
  'llava-1.5': { discards: [] },
  flamingo: { discards: [] },
  chameleon: { discards: [] },
};

export const builtinTemplateNames: readonly string[] = Object.keys(builtins);

/** A template from its text; a built-in's text is recognised wherever it comes from. */
export function createTemplate(source: string, where: string): ChatTemplate {
  const builtin = builtinTemplateNames.find((candidate) => builtinSource(candidate) === source);
  const render = compileJinja(source, where);
  const images = new Map<string, boolean>();
  let content: ContentForm | undefined;
  return {
    name: builtin ?? where,
    builtin: builtin !== undefined,
    source,
    supervises: hasGenerationBlocks(source),
    // Seen from renderings, which a template that is never used need not make.
    get content() {
      content ??= builtin === undefined ? contentForm(render, source) : 'parts';
      return content;
    },
    showsImages(image) {
      const shows = images.get(image) ?? printsImages(render, image);
      images.set(image, shows);
      return shows;
    },
    discards: [],
    ...(builtin !== undefined && builtins[builtin]),
    render,
  };
}

/** A built-in template, by one of `builtinTemplateNames`. */
export function builtinTemplate(name: string): ChatTemplate {
  if (!Object.hasOwn(builtins, name)) {
    const near = nearest(name, builtinTemplateNames);
    throw new TesseraError({
      code: 'chat/template-name',
      message: 'there is no built-in template of this name, and no such file',
      expected: `${builtinTemplateNames.join(', ')}, or the path of a template file`,
      got: name,
      ...(near && { remedy: `did you mean ${near}?` }),
    });
  }
  return createTemplate(builtinSource(name), name);
}

/**
 * A template that a user names: a built-in, a `.jinja` file, a JSON file with `chat_template`, or a folder with such files.
 * @throws TesseraError `chat/template-name` when it is none of these
 */
export function findTemplate(nameOrPath: string): ChatTemplate {
  if (Object.hasOwn(builtins, nameOrPath)) return builtinTemplate(nameOrPath);
  const kind = lookUp(nameOrPath)?.kind;
  if (kind === undefined) return builtinTemplate(nameOrPath);
  if (kind === 'folder') return folderTemplate(nameOrPath);
  const text = readText(nameOrPath, { code: 'chat/template-file' });
  const source = nameOrPath.endsWith('.json') ? templateEntry(text, nameOrPath) : text;
  if (source !== undefined) return createTemplate(source, nameOrPath);
  throw new TesseraError({
    code: 'chat/template-file',
    message: 'the file has no chat_template',
    path: nameOrPath,
    expected: 'a chat_template, or a file of the template alone that ends in .jinja',
  });
}

const SOURCES = ['chat_template.jinja', 'chat_template.json', 'processor_config.json', 'tokenizer_config.json'];

/** The template of a checkpoint folder: its own file first, then the `chat_template` of the JSON files. */
export async function loadTemplate(folder: string): Promise<ChatTemplate> {
  return folderTemplate(folder);
}

function folderTemplate(folder: string): ChatTemplate {
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
    remedy: `give one: \`--template\`, or \`template\` of a stage, takes ${builtinTemplateNames.join(', ')} or a file`,
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
