/**
 * How the names of a kind of checkpoint relate to tessera's own. A rule replaces a prefix of a file name by a prefix of
 * a tessera name; the first that fits counts, in both directions. Within a layout the file prefixes and the tessera
 * prefixes are each unambiguous, so a checkpoint is saved under the names it was loaded from.
 */
export interface Layout {
  readonly name: string;
  /** `[prefix in the file, prefix in tessera]` */
  readonly rules: readonly (readonly [string, string])[];
  /** File prefixes that belong to parts that are not wanted; reported as skipped. */
  readonly skip?: readonly string[];
  /** Parameters, by tessera's names, whose rows stand in the file as Meta's code turns them: each number with its neighbour. */
  readonly interleaved?: { readonly names: RegExp; readonly headSize: number };
}

const textHub = [['language_model.', 'language_model.']] as const;
const textRuntime = [
  ['model.language_model.', 'language_model.model.'],
  ['lm_head.', 'language_model.lm_head.'],
] as const;
const textOriginal = [
  ['model.', 'language_model.model.'],
  ['lm_head.', 'language_model.lm_head.'],
] as const;

/** transformers 5 dropped the segment `vision_model.` of CLIP's vision tower, 4 has it. */
function tower(prefix: string, segment: '' | 'vision_model.'): readonly [string, string] {
  return [`${prefix}vision_tower.${segment}`, 'vision_tower.'];
}

const projectorMlp = [
  ['model.mm_projector.0.', 'multi_modal_projector.linear_1.'],
  ['model.mm_projector.2.', 'multi_modal_projector.linear_2.'],
] as const;
/** LLaVA v1 has one linear layer; tessera calls it `linear_1`. */
const projectorLinear = [['model.mm_projector.', 'multi_modal_projector.linear_1.']] as const;

const projectorHub = ['multi_modal_projector.', 'multi_modal_projector.'] as const;
const projectorRuntime = ['model.multi_modal_projector.', 'multi_modal_projector.'] as const;

/**
 * LLaVA v1 and 1.5. tessera's own names are `llava-hub`: what `save_pretrained` of transformers 5 writes. The `runtime`
 * names are those of the modules in memory, which adapter files carry. `original` is the layout of the first release.
 */
export const llavaLayouts: readonly Layout[] = [
  { name: 'llava-hub', rules: [...textHub, tower('', ''), projectorHub] },
  { name: 'llava-hub-4', rules: [...textHub, tower('', 'vision_model.'), projectorHub] },
  { name: 'llava-runtime', rules: [...textRuntime, tower('model.', ''), projectorRuntime] },
  { name: 'llava-runtime-4', rules: [...textRuntime, tower('model.', 'vision_model.'), projectorRuntime] },
  ...(['vision_model.', ''] as const).flatMap((segment) => {
    const vision = tower('model.vision_tower.', segment);
    const suffix = segment === '' ? '-5' : '';
    return [
      { name: `llava-original${suffix}`, rules: [...projectorMlp, vision, ...textOriginal] },
      { name: `llava-v1-original${suffix}`, rules: [...projectorLinear, vision, ...textOriginal] },
    ];
  }),
];

/** LLaMA-style decoders: the names of `LlamaForCausalLM`. */
export const llamaLayouts: readonly Layout[] = [
  {
    name: 'llama',
    rules: [
      ['model.', 'model.'],
      ['lm_head.', 'lm_head.'],
    ],
  },
];

const metaBlock = [
  ['attention.wq.', 'self_attn.q_proj.'],
  ['attention.wk.', 'self_attn.k_proj.'],
  ['attention.wv.', 'self_attn.v_proj.'],
  ['attention.wo.', 'self_attn.o_proj.'],
  ['feed_forward.w1.', 'mlp.gate_proj.'],
  ['feed_forward.w2.', 'mlp.down_proj.'],
  ['feed_forward.w3.', 'mlp.up_proj.'],
  ['attention_norm.', 'input_layernorm.'],
  ['ffn_norm.', 'post_attention_layernorm.'],
] as const;

/**
 * LLaMA as Meta released it. Its code turns number 2i of a head with number 2i + 1, transformers and tessera number i with
 * i + d/2: rows of the query and key matrices stand in another order.
 */
export function llamaOriginalLayout(layers: number, headSize: number): Layout {
  const blocks = Array.from({ length: layers }, (_, i) =>
    metaBlock.map(([from, to]) => [`layers.${i}.${from}`, `model.layers.${i}.${to}`] as const),
  );
  return {
    name: 'llama-original',
    rules: [
      ['tok_embeddings.', 'model.embed_tokens.'],
      ...blocks.flat(),
      ['norm.', 'model.norm.'],
      ['output.', 'lm_head.'],
    ],
    skip: ['rope.freqs'],
    interleaved: { names: /(^|\.)self_attn\.[qk]_proj\./, headSize },
  };
}

/** CLIP with both towers: the names of `CLIPModel`. */
export const clipLayouts: readonly Layout[] = [
  {
    name: 'clip',
    rules: ['vision_model.', 'text_model.', 'visual_projection.', 'text_projection.', 'logit_scale'].map(
      (prefix) => [prefix, prefix] as const,
    ),
  },
];

const towerParts = ['embeddings.', 'pre_layrnorm.', 'encoder.', 'post_layernorm.'];

/** CLIP's vision tower alone, read from its own file or out of a `CLIPModel`; tessera's names have no prefix. */
export const clipVisionLayouts: readonly Layout[] = [
  { name: 'clip-vision', rules: towerParts.map((part) => [part, part] as const) },
  {
    name: 'clip-vision-4',
    rules: [['vision_model.', '']],
    skip: ['text_model.', 'visual_projection.', 'text_projection.', 'logit_scale'],
  },
];

/**
 * The same layouts for a part of a larger system.
 * @example mountLayouts(clipVisionLayouts, 'vision_tower.')
 */
export function mountLayouts(layouts: readonly Layout[], prefix: string): Layout[] {
  return layouts.map((layout) => ({
    ...layout,
    rules: layout.rules.map(([from, to]) => [from, prefix + to] as const),
  }));
}

/**
 * Puts the rows of a matrix or vector of heads whose neighbours turn together, number 2i with 2i + 1, in the order in which
 * number i turns with i + d/2. Changes `data` in place.
 */
export function halvesOfPairs(data: Float32Array, rows: number, headSize: number): void {
  const width = data.length / rows;
  const half = headSize / 2;
  const head = new Float32Array(headSize * width);
  for (let at = 0; at < data.length; at += head.length) {
    head.set(data.subarray(at, at + head.length));
    for (let i = 0; i < headSize; i++) {
      const from = (i % half) * 2 + Math.floor(i / half);
      data.set(head.subarray(from * width, (from + 1) * width), at + i * width);
    }
  }
}

/** tessera's name of a file name, or undefined when the layout has no rule for it. */
export function fromFileName(layout: Layout, name: string): string | undefined {
  const rule = layout.rules.find(([from]) => name.startsWith(from));
  return rule && rule[1] + name.slice(rule[0].length);
}

/** The file name of tessera's name, or undefined when the layout has no rule for it. */
export function toFileName(layout: Layout, name: string): string | undefined {
  const rule = layout.rules.find(([, to]) => name.startsWith(to));
  return rule && rule[0] + name.slice(rule[1].length);
}
