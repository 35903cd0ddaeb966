import { formatShape } from '../base/index.ts';
import type { Model, SaveDType } from '../models/index.ts';
import type { OnnxModel, OnnxPort } from '../onnx/index.ts';

type Ports = Pick<OnnxModel['graph'], 'inputs' | 'outputs'>;

/** What each input and output of an exported graph is. */
function meaning(name: string, model: Model): string {
  const rows = model.kind === 'causal' ? model.picture?.rows : undefined;
  const meanings: Readonly<Record<string, string>> = {
    ids:
      model.kind === 'causal' && model.picture
        ? `token ids of B texts of T tokens; each picture takes ${rows} tokens, of the id ${model.picture.tokenId}`
        : 'token ids of B texts of T tokens',
    pixels: 'N pictures, scaled and normalised as preprocessor_config.json says; channels red, green, blue',
    imageRows: `where the ${rows} features of each picture go, in order: b * T + t for the place t of text b`,
    endRows: 'where each text ends: b * T + t for its end token at the place t of text b',
    image_embeds: 'a unit vector a picture',
    text_embeds: 'a unit vector a text, in the same space',
    last_hidden_state: 'the states of every patch after the last layer',
    logits: 'scores of the token that follows each position, before softmax',
  };
  return meanings[name] ?? '';
}

function portLine({ name, dtype, shape }: OnnxPort, model: Model): string[] {
  return [name, dtype, formatShape(shape), meaning(name, model)];
}

/** The inputs and outputs as lines of text, for the graph's own description. */
export function describePorts({ inputs, outputs }: Ports, model: Model): string {
  const lines = (ports: readonly OnnxPort[]) =>
    ports.map((port) => {
      const [name, dtype, shape, text] = portLine(port, model);
      return `  ${name}: ${dtype} ${shape}${text ? `, ${text}` : ''}`;
    });
  return ['Inputs:', ...lines(inputs), 'Outputs:', ...lines(outputs)].join('\n');
}

/** The README.md of an exported graph: its files, inputs and outputs, and how to run it. */
export function onnxCard({ inputs, outputs }: Ports, model: Model, dtype: SaveDType): string {
  const rows = [
    ...inputs.map((port) => ['input', ...portLine(port, model)]),
    ...outputs.map((port) => ['output', ...portLine(port, model)]),
  ].map(([side, name, type, shape, text]) => `| ${side} | \`${name}\` | ${type} | \`${shape}\` | ${text} |`);
  const weights = dtype === 'float32' ? 'float32' : `${dtype}, widened to float32 as the graph begins`;
  return [
    `# ${model.architecture}, as an ONNX graph`,
    `\`model.onnx\` is the graph, \`model.safetensors\` its weights (${weights}); keep them side by side. B, T and N are free.`,
    ['| | name | type | shape | what it is |', '|---|---|---|---|---|', ...rows].join('\n'),
    "```python\nimport onnxruntime\nsession = onnxruntime.InferenceSession('model.onnx')\n```",
    '',
  ].join('\n\n');
}
