import { TesseraError } from '../base/index.ts';
import type { JsonValue } from './json.ts';

/**
 * Keys of model configs that other readers declare as float and refuse when they are spelled `1`. JavaScript has one
 * kind of number, so a whole number under these keys is written `1.0`.
 */
const floatKeys: readonly string[] = [
  'attention_dropout',
  'attention_factor',
  'attn_logit_softcapping',
  'embedding_fraction',
  'factor',
  'final_logit_softcapping',
  'high_freq_factor',
  'init_std',
  'initializer_factor',
  'initializer_range',
  'layer_norm_eps',
  'layer_norm_epsilon',
  'lora_dropout',
  'low_freq_factor',
  'partial_rotary_factor',
  'rms_norm_eps',
  'rope_theta',
];

/**
 * A value as JSON indented by two spaces.
 * @param floats further keys whose whole numbers are written with `.0`, as `readJsonObject` collects them
 * @throws TesseraError `json/number` for infinities and NaN, which JSON does not have.
 */
export function formatJson(value: JsonValue, floats: ReadonlySet<string> = new Set()): string {
  const all = new Set([...floatKeys, ...floats]);
  const format = (value: JsonValue | undefined, key: string, indent: string): string => {
    if (typeof value === 'number') return formatNumber(value, key, all.has(key));
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    const inner = `${indent}  `;
    const isList = Array.isArray(value);
    const items = isList
      ? value.map((item) => format(item, key, inner))
      : Object.entries(value)
          .filter(([, item]) => item !== undefined)
          .map(([name, item]) => `${JSON.stringify(name)}: ${format(item, name, inner)}`);
    const [open, close] = isList ? '[]' : '{}';
    return items.length === 0 ? `${open}${close}` : `${open}\n${inner}${items.join(`,\n${inner}`)}\n${indent}${close}`;
  };
  return format(value, '', '');
}

function formatNumber(value: number, key: string, asFloat: boolean): string {
  if (!Number.isFinite(value)) {
    const [code, message] = ['json/number', 'JSON has no such number'];
    throw new TesseraError({ code, message, path: key, expected: 'a finite number', got: `${value}` });
  }
  const text = JSON.stringify(value);
  return asFloat && /^-?[0-9]+$/.test(text) ? `${text}.0` : text;
}
