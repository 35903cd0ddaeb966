import type { ConfigReader } from '../config.ts';

/** How many positions a token of each layer sees, itself included; undefined where it sees all before it. */
export type Windows = readonly (number | undefined)[];

export interface WindowRule {
  readonly layers: number;
  readonly maxPositions: number;
  /** Whether a layer has the window, where the configuration does not list its layers. */
  readonly slides: (layer: number) => boolean;
  /** The window of the model type. */
  readonly fallback?: number | undefined;
}

/** Reads `sliding_window`, and `layer_types` where the file has them. A window that no text can reach is none. */
export function readWindows(c: ConfigReader, { layers, maxPositions, slides, fallback }: WindowRule): Windows {
  const off = c.json.sliding_window === null || (c.json.sliding_window === undefined && fallback === undefined);
  const window = off ? maxPositions : c.size('sliding_window', fallback);
  const slidesAt = layerTypes(c, layers) ?? Array.from({ length: layers }, (_, i) => slides(i));
  return slidesAt.map((sliding) => (sliding && window < maxPositions ? window : undefined));
}

/** Qwen2 and Qwen3: the window is off unless told, and the first `max_window_layers` never have it. */
export function readQwenWindows(c: ConfigReader, layers: number, maxPositions: number): Windows {
  if (!c.flag('use_sliding_window', false)) return Array<undefined>(layers).fill(undefined);
  const full = c.integer('max_window_layers', 0, 2 ** 24, 28);
  return readWindows(c, { layers, maxPositions, slides: (layer) => layer >= full, fallback: 4096 });
}

const kinds = { full_attention: false, sliding_attention: true } as const;

function layerTypes(c: ConfigReader, layers: number): boolean[] | undefined {
  const types = c.json.layer_types;
  if (types === undefined || types === null) return undefined;
  const known = (type: unknown): type is keyof typeof kinds => typeof type === 'string' && Object.hasOwn(kinds, type);
  if (Array.isArray(types) && types.length === layers && types.every(known)) return types.map((type) => kinds[type]);
  throw c.fault('layer_types', `a list of ${layers}, each ${Object.keys(kinds).join(' or ')}`);
}
