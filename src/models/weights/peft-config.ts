import type { Fault } from '../../base/index.ts';
import { asTesseraError, raise } from '../../base/index.ts';
import type { JsonObject, JsonValue } from '../../files/index.ts';
import { describeJson } from '../../files/index.ts';

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
}

/** Settings that change the computation, with the one value that means "not used". */
const neutral: Readonly<Record<string, JsonValue>> = {
  bias: 'none',
  use_dora: false,
  use_rslora: false,
  use_qalora: false,
  use_bdlora: null,
  lora_bias: false,
  fan_in_fan_out: false,
  layer_replication: null,
  layers_to_transform: null,
  layers_pattern: null,
  exclude_modules: null,
  target_parameters: null,
  trainable_token_indices: null,
  alora_invocation_tokens: null,
  megatron_config: null,
};

/** Settings that say nothing about how the saved tensors are used. */
const idle = new Set([
  'auto_mapping',
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
  const config: AdapterConfig = {
    r: need('r', isCount, 'a positive integer'),
    alpha: need('lora_alpha', isPositive, 'a positive number'),
    dropout: need('lora_dropout', isShare, 'a number from 0 to less than 1', 0),
    targets: need('target_modules', isTargets, 'a list of names, or a pattern'),
    modulesToSave: need('modules_to_save', isNames, 'a list of names, or null', []),
    taskType: typeof json.task_type === 'string' ? json.task_type : null,
    base: typeof json.base_model_name_or_path === 'string' ? json.base_model_name_or_path : null,
  };
  raise(faults);
  return config;
}

/** The object of an `adapter_config.json`, with every setting that a reader could guess differently. */
export function adapterConfigJson(config: AdapterConfig): JsonObject {
  return {
    base_model_name_or_path: config.base,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    modules_to_save: config.modulesToSave.length > 0 ? [...config.modulesToSave] : null,
    peft_type: 'LORA',
    r: config.r,
    target_modules: typeof config.targets === 'string' ? config.targets : [...config.targets],
    task_type: config.taskType,
    use_dora: false,
    use_rslora: false,
  };
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

const isCount = (v: JsonValue): v is number => typeof v === 'number' && Number.isSafeInteger(v) && v > 0;
const isPositive = (v: JsonValue): v is number => typeof v === 'number' && Number.isFinite(v) && v > 0;
const isShare = (v: JsonValue): v is number => typeof v === 'number' && v >= 0 && v < 1;
const isNames = (v: JsonValue): v is string[] => Array.isArray(v) && v.every((name) => typeof name === 'string');
const isTargets = (v: JsonValue): v is string | string[] => typeof v === 'string' || isNames(v);
