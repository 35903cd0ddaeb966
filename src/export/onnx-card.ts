import { formatShape } from '../base/index.ts';
import type { Model, SaveDType } from '../models/index.ts';
import type { OnnxModel, OnnxPort } from '../onnx/index.ts';

type Ports = Pick<OnnxModel['graph'], 'inputs' | 'outputs'>;

const outputs: Readonly<Record<string, string>> = {
  image_embeds: 'a unit vector an image',
  text_embeds: 'a unit vector a text, in the same space',
  last_hidden_state: 'the states of every patch after the last layer',
  logits: 'scores of the token that follows each position, before softmax',
};

/** What each input and output of an exported graph is. */
function meaning(name: string, model: Model): string {
  return model.processor().inputs[name]?.says ?? outputs[name] ?? '';
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
