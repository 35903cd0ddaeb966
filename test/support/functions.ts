import { fileURLToPath } from 'node:url';
import { isFunctionLikeDeclaration, isIdentifier, type Node, type SourceFile } from 'typescript/unstable/ast';
import { API } from 'typescript/unstable/sync';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface FunctionSize {
  /** The file and the dotted names of the declarations around the function, its own last. */
  readonly place: string;
  /** From its name to its closing brace, with everything that stands inside. */
  readonly lines: number;
}

/** Every function, method and arrow of the files, as the compiler reads them. */
export function functionSizes(files: readonly string[]): FunctionSize[] {
  const api = new API({ cwd: root });
  try {
    const [project] = api.updateSnapshot({ openProjects: [`${root}tsconfig.json`] }).getProjects();
    return files.flatMap((file) => {
      const source = project?.program.getSourceFile(`${root}${file}`);
      if (!source) throw new Error(`the compiler does not know ${file}`);
      return functionsOf(source).map(({ place, lines }) => ({ place: `${file} ${place}`, lines }));
    });
  } finally {
    api.close();
  }
}

function functionsOf(source: SourceFile): FunctionSize[] {
  const found: FunctionSize[] = [];
  const lineOf = (position: number) => source.getLineAndCharacterOfPosition(position).line;
  const visit = (node: Node, around: readonly string[]) => {
    const name = (node as { readonly name?: Node }).name;
    const place = name && isIdentifier(name) ? [...around, name.text] : around;
    if (isFunctionLikeDeclaration(node)) {
      found.push({ place: place.join('.'), lines: lineOf(node.end) - lineOf(node.getStart(source)) + 1 });
    }
    node.forEachChild((child) => visit(child, place));
  };
  source.forEachChild((child) => visit(child, []));
  return found;
}
