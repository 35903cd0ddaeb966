// TensorFlow.js on its WebAssembly backend: the same decoder, written by hand with its operators and its gradients.
import { fileURLToPath } from 'node:url';
import { fastest, refusePeer, servePeer } from '../harness/serve.ts';
import { initialValue, normEpsilon, optimizer, parameters, ropeTables, tokens } from '../problem.ts';

const [config] = JSON.parse(process.argv[2]);
const { width, heads, layers, vocabSize, batch, length } = config;
const headSize = width / heads;

const { tf, wasm } = await load();
await tf.setBackend('wasm');
await tf.ready();

const variables = new Map(
  parameters(config).map(([name, shape]) => [
    name,
    tf.variable(tf.tensor(initialValue(name, shape), shape), true, name),
  ]),
);
const moments = new Map(
  [...variables].map(([name, v]) => [name, [0, 1].map(() => tf.variable(tf.zerosLike(v), false))]),
);
const ids = tokens(config);
const flatIds = tf.tensor1d(ids, 'int32');
const idColumn = tf.tensor2d(ids, [ids.length, 1], 'int32');
const targets = tf.tensor1d(
  ids.filter((_, i) => i % length > 0),
  'int32',
);
const { cos, sin } = tables();
const mask = tf.tidy(() =>
  tf.linalg
    .bandPart(tf.ones([length, length]), -1, 0)
    .sub(1)
    .mul(1e9),
);
let steps = 0;

await servePeer(
  {
    version: `tfjs ${tf.version.tfjs}`,
    variant: `${tf.getBackend()} backend, ${wasm.getThreadsCount() > 1 ? `${wasm.getThreadsCount()} threads` : '1 thread (it has no more in Node)'}`,
  },
  { step: async () => step(), matmul: async (m, k, n) => ({ ms: await product(m, k, n) }) },
);

async function load() {
  try {
    const tf = await import('@tensorflow/tfjs');
    const wasm = await import('@tensorflow/tfjs-backend-wasm');
    wasm.setWasmPaths(fileURLToPath(new URL('node_modules/@tensorflow/tfjs-backend-wasm/wasm-out/', import.meta.url)));
    return { tf: tf.default ?? tf, wasm: wasm.default ?? wasm };
  } catch (error) {
    return refusePeer(`not installed (${error.code ?? error.message}); npm install --prefix bench/peers`);
  }
}

function step() {
  const cpu = process.cpuUsage();
  const from = performance.now();
  const loss = tf.tidy(() => {
    const { value, grads } = tf.variableGrads(meanLoss, [...variables.values()]);
    update(grads);
    return value.dataSync()[0];
  });
  const { user, system } = process.cpuUsage(cpu);
  return { ms: performance.now() - from, loss, cpuMs: (user + system) / 1000 };
}

function meanLoss() {
  let x = embed(variables.get('model.embed_tokens.weight'));
  for (let i = 0; i < layers; i++) x = block(x, `model.layers.${i}`);
  const kept = norm(x, 'model.norm')
    .reshape([batch, length, width])
    .slice([0, 0, 0], [batch, length - 1, width]);
  const logits = linear(kept.reshape([-1, width]), 'lm_head');
  return tf.losses.softmaxCrossEntropy(tf.oneHot(targets, vocabSize), logits);
}

/** The backend lacks the kernel of the library's own gradient of `gather`. */
function embed(table) {
  return tf.customGrad((w, save) => {
    save([]);
    return { value: tf.gather(w, flatIds), gradFunc: (dy) => tf.scatterND(idColumn, dy, [vocabSize, width]) };
  })(table);
}

function block(x, path) {
  const normed = norm(x, `${path}.input_layernorm`);
  const [q, k, v] = ['q', 'k', 'v'].map((name) => split(linear(normed, `${path}.self_attn.${name}_proj`)));
  const scores = tf.matMul(rotate(q), rotate(k), false, true).mul(1 / Math.sqrt(headSize));
  const mixed = tf.matMul(tf.softmax(scores.add(mask)), v).transpose([0, 2, 1, 3]);
  const attended = x.add(linear(mixed.reshape([-1, width]), `${path}.self_attn.o_proj`));
  const inner = norm(attended, `${path}.post_attention_layernorm`);
  const gate = linear(inner, `${path}.mlp.gate_proj`);
  const gated = gate.mul(tf.sigmoid(gate)).mul(linear(inner, `${path}.mlp.up_proj`));
  return attended.add(linear(gated, `${path}.mlp.down_proj`));
}

function linear(x, path) {
  return tf.matMul(x, variables.get(`${path}.weight`), false, true);
}

function norm(x, path) {
  const inverse = tf.rsqrt(x.square().mean(-1, true).add(normEpsilon));
  return x.mul(inverse).mul(variables.get(`${path}.weight`));
}

/** `[B*T, D]` to `[B, heads, T, d]`. */
function split(x) {
  return x.reshape([batch, length, heads, headSize]).transpose([0, 2, 1, 3]);
}

function rotate(x) {
  const [first, second] = tf.split(x, 2, -1);
  return tf.concat([first.mul(cos).sub(second.mul(sin)), second.mul(cos).add(first.mul(sin))], -1);
}

function tables() {
  const { cos, sin } = ropeTables(config);
  return { cos: tf.tensor(cos, [length, headSize / 2]), sin: tf.tensor(sin, [length, headSize / 2]) };
}

function update(grads) {
  const [b1, b2] = optimizer.betas;
  steps++;
  for (const [name, variable] of variables) {
    const g = grads[name];
    const [first, second] = moments.get(name);
    first.assign(first.mul(b1).add(g.mul(1 - b1)));
    second.assign(second.mul(b2).add(g.square().mul(1 - b2)));
    const spread = second
      .div(1 - b2 ** steps)
      .sqrt()
      .add(optimizer.eps);
    const keep = 1 - optimizer.rate * (variable.rank > 1 ? optimizer.weightDecay : 0);
    variable.assign(variable.mul(keep).sub(first.mul(optimizer.rate / (1 - b1 ** steps)).div(spread)));
  }
}

async function product(m, k, n) {
  const [a, b] = [tf.fill([m, k], 0.5), tf.fill([k, n], 0.5)];
  return fastest(() => tf.tidy(() => tf.matMul(a, b).dataSync()));
}
