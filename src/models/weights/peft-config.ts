import type { Fault } from '../../base/index.ts';
import { asTesseraError, raise } from '../../base/index.ts';
import type { JsonObject, JsonValue } from '../../files/index.ts';
import { describeJson, isJsonObject } from '../../files/index.ts';

/** The part of a LoRA `adapter_config.json` that tessera carries out. */
export interface AdapterConfig {
  /** Rank. */
  readonly r: number;
  /** The update is scaled by `alpha / r`. */
  readonly alpha: number;
  readonly dropout: number;
  /** Module names or endings of module names; or a pattern for the whole name, `all-linear` among them. */
  readonly targets: readonly string[] | string;
  /** Modules that are trained and saved whole. */
  readonly modulesToSave: readonly string[];
  readonly taskType: string | null;
  /** Folder or hub name of the base model. */
  readonly base: string | null;
  /** Biases of the base that are trained and saved too; none when absent. */
  readonly bias?: 'all' | 'lora_only' | undefined;
  /** rsLoRA: the update is scaled by `alpha / sqrt(r)`. */
  readonly rslora?: boolean | undefined;
  /** DoRA: every row of an adapted weight has a length of its own. */
  readonly dora?: boolean | undefined;
  /** Ranks and alphas of modules that have others, by endings of names or patterns of them. */
  readonly rankPattern?: Readonly<Record<string, number>> | undefined;
  readonly alphaPattern?: Readonly<Record<string, number>> | undefined;
}

/** Settings that change the computation, with the one value that means "not used". */
const neutral: Readonly<Record<string, JsonValue>> = {
  use_qalora: false,
  use_bdlora: null,
  lora_bias: false,
  fan_in_fan_out: false,
  layer_replication: null,
  target_parameters: null,
  trainable_token_indices: null,
  alora_invocation_tokens: null,
  megatron_config: null,
};

/** Settings that say nothing about how the saved tensors are used, and those that chose which modules have any. */
const idle = new Set([
  'auto_mapping',
  'exclude_modules',
  'layers_pattern',
  'layers_to_transform',
  'inference_mode',
  'megatron_core',
  'peft_version',
  'qalora_group_size',
  'revision',
]);

/** Ways of starting A and B that leave the base weights as they are. */
const harmlessStarts: readonly JsonValue[] = [true, false, 'gaussian', 'orthogonal'];

const known = new Set([
  'peft_type',
  'r',
  'lora_alpha',
  'lora_dropout',
  'target_modules',
  'modules_to_save',
  'task_type',
  'base_model_name_or_path',
  'bias',
  'use_rslora',
  'use_dora',
  'rank_pattern',
  'alpha_pattern',
]);

/**
 * Reads the object of an `adapter_config.json`.
 * @throws TesseraError `peft/type`, `peft/value`, `peft/unsupported`, all faults at once.
 */
export function readAdapterConfig(json: JsonObject, path: string): AdapterConfig {
  const faults = Object.entries(json).flatMap(([key, value]) => unsupported(key, value, path));
  const need = <T extends JsonValue>(
    key: string,
    test: (v: JsonValue) => v is T,
    expected: string,
    otherwise?: T,
  ): T => {
    const value = json[key] ?? otherwise;
    if (value !== undefined && test(value)) return value;
    const message = `${key} of the adapter is missing or malformed`;
    faults.push({ code: 'peft/value', message, path: `${path}: ${key}`, expected, got: describeJson(json[key]) });
    return undefined as unknown as T;
  };
  if (json.peft_type !== 'LORA') {
    const message = 'the adapter is of a kind that tessera does not know';
    const [expected, got] = ['LORA', describeJson(json.peft_type)];
    faults.push({ code: 'peft/type', message, path: `${path}: peft_type`, expected, got });
  }
  const bias = need('bias', isBias, '"none", "all" or "lora_only"', 'none');
  const rslora = need('use_rslora', isFlag, 'true or false', false);
  const dora = need('use_dora', isFlag, 'true or false', false);
  const ranks = need('rank_pattern', isCounts, 'ranks by name or simple pattern', {});
  const alphas = need('alpha_pattern', isPositives, 'positive numbers by name or simple pattern', {});
  const config: AdapterConfig = {
    r: need('r', isCount, 'a positive integer'),
    alpha: need('lora_alpha', isPositive, 'a positive number'),
    dropout: need('lora_dropout', isShare, 'a number from 0 to less than 1', 0),
    targets: need('target_modules', isTargets, 'a list of names, or a pattern'),
    modulesToSave: need('modules_to_save', isNames, 'a list of names, or null', []),
    taskType: typeof json.task_type === 'string' ? json.task_type : null,
    base: typeof json.base_model_name_or_path === 'string' ? json.base_model_name_or_path : null,
    ...(bias !== 'none' && { bias }),
    ...(rslora && { rslora }),
    ...(dora && { dora }),
    ...(ranks && Object.keys(ranks).length > 0 && { rankPattern: ranks }),
    ...(alphas && Object.keys(alphas).length > 0 && { alphaPattern: alphas }),
  };
  raise(faults);
  return config;
}

/** The object of an `adapter_config.json`, with every setting that a reader could guess differently. */
export function adapterConfigJson(config: AdapterConfig): JsonObject {
  return {
    alpha_pattern: { ...config.alphaPattern },
    base_model_name_or_path: config.base,
    bias: config.bias ?? 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    modules_to_save: config.modulesToSave.length > 0 ? [...config.modulesToSave] : null,
    peft_type: 'LORA',
    r: config.r,
    rank_pattern: { ...config.rankPattern },
    target_modules: typeof config.targets === 'string' ? config.targets : [...config.targets],
    task_type: config.taskType,
    use_dora: config.dora ?? false,
    use_rslora: config.rslora ?? false,
  };
}

/** Rank and alpha of a module, by the first pattern that fits the end of its name, as PEFT looks for it. */
export function rankOfModule(config: AdapterConfig, module: string): { r: number; alpha: number } {
  return {
    r: firstFit(config.rankPattern, module) ?? config.r,
    alpha: firstFit(config.alphaPattern, module) ?? config.alpha,
  };
}

function firstFit(patterns: Readonly<Record<string, number>> = {}, module: string): number | undefined {
  const key = Object.keys(patterns).find((pattern) => new RegExp(`^(?:.*\\.)?(?:${pattern})$`).test(module));
  return key === undefined ? undefined : patterns[key];
}

/** A pattern that cannot take long over a name: few repetitions, none of a group, and nothing that Python reads otherwise. */
function isSimplePattern(pattern: string): boolean {
  if (!/^[\w.\\^$|()[\]*+?-]*$/.test(pattern) || /\)[*+?]|\(\?/.test(pattern)) return false;
  if ((pattern.match(/[*+]/g) ?? []).length > 3) return false;
  try {
    return new RegExp(pattern) instanceof RegExp;
  } catch {
    return false;
  }
}

/**
 * Whether PEFT adapts or saves a module of this name: a list holds whole names or endings after a dot, a pattern must
 * fit the whole name, `all-linear` fits all.
 * @throws TesseraError `peft/pattern` for a pattern that JavaScript does not understand.
 */
export function targetMatcher(targets: readonly string[] | string): (module: string) => boolean {
  if (typeof targets === 'string') {
    if (targets === 'all-linear') return () => true;
    const pattern = compile(targets);
    return (module) => pattern.test(module);
  }
  return (module) => targets.some((target) => module === target || module.endsWith(`.${target}`));
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`);
  } catch (error) {
    const [path, expected] = ['target_modules', 'a regular expression'];
    throw asTesseraError(error, { code: 'peft/pattern', path, expected, got: pattern, remedy: 'list the modules' });
  }
}

function unsupported(key: string, value: JsonValue, path: string): Fault[] {
  if (known.has(key) || idle.has(key)) return [];
  if (key === 'init_lora_weights' && harmlessStarts.includes(value)) return [];
  const normal = Object.hasOwn(neutral, key) ? neutral[key] : undefined;
  if (key !== 'init_lora_weights' && (value === normal || isEmpty(value))) return [];
  const expected =
    key === 'init_lora_weights' ? 'true, false, "gaussian" or "orthogonal"' : describeJson(normal ?? null);
  const message = `the adapter uses ${key}, which tessera does not carry out`;
  const remedy = 'merge the adapter into its base with the tool that made it, and load the merged folder';
  return [{ code: 'peft/unsupported', message, path: `${path}: ${key}`, expected, got: describeJson(value), remedy }];
}

/** New settings appear in newer versions of PEFT and are null, false or empty when they are not used. */
function isEmpty(value: JsonValue): boolean {
  return value === null || value === false || (typeof value === 'object' && Object.keys(value).length === 0);
}

const isFlag = (v: JsonValue): v is boolean => typeof v === 'boolean';
const isBias = (v: JsonValue): v is 'none' | 'all' | 'lora_only' => v === 'none' || v === 'all' || v === 'lora_only';
const byPattern = (v: JsonValue, test: (n: JsonValue) => boolean): v is Record<string, number> =>
  isJsonObject(v) && Object.entries(v).every(([key, n]) => isSimplePattern(key) && test(n));
const isCounts = (v: JsonValue): v is Record<string, number> => byPattern(v, isCount);
const isPositives = (v: JsonValue): v is Record<string, number> => byPattern(v, isPositive);
const isCount = (v: JsonValue): v is number => typeof v === 'number' && Number.isSafeInteger(v) && v > 0;
const isPositive = (v: JsonValue): v is number => typeof v === 'number' && Number.isFinite(v) && v > 0;
const isShare = (v: JsonValue): v is number => typeof v === 'number' && v >= 0 && v < 1;
const isNames = (v: JsonValue): v is string[] => Array.isArray(v) && v.every((name) => typeof name === 'string');
const isTargets = (v: JsonValue): v is string | string[] => typeof v === 'string' || isNames(v);
