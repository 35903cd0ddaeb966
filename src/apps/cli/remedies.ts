import type { Fault } from '../../base/index.ts';

const AGAIN = 'mend it, or fetch the folder again from where it came';
const DEFECT = 'this is a defect of tessera; please report it, with the command that led here';
const ROW = 'mend the row, or take it out';
const OPTIONS = '`tessera recipes options` lists what can be set, and with what';

/** What to do about faults that say no remedy of their own, by their code, or by the area that it begins with. */
const remedies: Readonly<Record<string, string>> = {
  // Files of models.
  checkpoint: AGAIN,
  config: AGAIN,
  folder: AGAIN,
  'image-processor': AGAIN,
  safetensors: AGAIN,
  tokenize: AGAIN,
  weights: 'take a folder whose config.json describes its weights, or fetch it again from where it came',
  peft: 'save the adapter once more with PEFT, or merge it into its model there and take the merged folder',
  export: 'choose another form with --to; `tessera export --help` lists them',
  file: 'check the path, and who may read and write there; a damaged file is to be made or fetched anew',
  'file/damaged': 'make or fetch the folder anew',
  chat: 'mend the template, or name another one with --template, or in a recipe as template',
  // Data.
  row: ROW,
  data: 'mend the file, or name another one',
  'data/no-rows': '`tessera data report` says why each row is refused',
  image: 'replace the image by one that other programs open',
  batch: DEFECT,
  world: 'choose other values; `tessera data make-world --help` and `tessera recipes options` say which',
  png: DEFECT,
  // Recipes and runs.
  recipe: OPTIONS,
  'recipe/yaml': 'mend the YAML at that place',
  'recipe/stage': 'give each stage a name of its own',
  'recipe/eval': 'set eval.limit to 2 or more, or eval.blind to false',
  'run/no-model': 'name a folder with config.json, or a run folder; `tessera runs` lists those that are here',
  train: OPTIONS,
  grid: 'mend the grid file; docs/grid.md says what it holds',
  'grid/failed': '`tessera grid` with the same file makes the failed cells once more',
  run: 'name a run folder; `tessera runs` lists those that are here',
  // Use.
  model: 'name a model that does this; `tessera recipes` says what each system needs and does',
  generate: 'choose other values; `tessera generate --help` says which',
  retrieve: '`tessera retrieve --help` shows what goes together',
  eval: '`tessera eval --help` says which tasks there are and what they need',
  'eval/no-eyes': 'name a model that sees; language models alone are asked with `tessera chat` and `tessera generate`',
  'eval/cannot': 'leave those tasks out: --tasks with the others',
  'eval/out': 'name another folder with --out',
  'eval/empty': 'raise --limit, or name other data with --data',
  feedback: 'look at the section feedback of the recipe; `tessera recipes options` lists what it takes',
  pope: 'take scenes of more kinds: more of them, or with more objects',
  vqa: 'mend the annotations: ten answers to each question',
  report: 'check that the image is there and can be opened',
  demo: 'install tessera again',
  // The machine.
  cli: 'add --help to see how it is used',
  doctor: '`tessera doctor` says what this machine lacks',
  runtime: '`tessera doctor` says what this machine lacks, and what to do about it',
  // What no input should lead to.
  bootstrap: DEFECT,
  graph: DEFECT,
  nn: DEFECT,
  onnx: DEFECT,
  shape: DEFECT,
  tensor: DEFECT,
};

/** What to do about a fault: what it says itself, or else what helps with faults of its kind. */
export function remedyOf({ code, remedy }: Pick<Fault, 'code' | 'remedy'>): string | undefined {
  return remedy ?? remedies[code] ?? remedies[code.replace(/\/.*$/, '')];
}

/** The codes and areas that have a remedy here. */
export const remedied: ReadonlySet<string> = new Set(Object.keys(remedies));
