// jax-js on its WebAssembly backend: the same decoder and AdamW under `jit`. Arrays are owned: `.ref` marks a further use.
import { fastest, refusePeer, servePeer } from '../harness/serve.ts';
import { initialValue, normEpsilon, optimizer, parameters, ropeTables, tokens } from '../problem.ts';

const [config] = JSON.parse(process.argv[2]);
const { width, heads, layers, vocabSize, batch, length } = config;
const headSize = width / heads;
const half = headSize / 2;
const TABLE = 'model.embed_tokens.weight';

const { jax, version } = await load();
const { numpy: np, nn } = jax;
await jax.init('wasm');
jax.defaultDevice('wasm');

const zeros = (shape) => np.zeros(shape);
const names = parameters(config);
const fromNames = (make) => Object.fromEntries(names.map(([name, shape]) => [name, make(shape, name)]));
let state = {
  params: fromNames((shape, name) => np.array(initialValue(name, shape)).reshape(shape)),
  first: fromNames(zeros),
  second: fromNames(zeros),
};
const ids = tokens(config);
const followers = ids.filter((_, i) => i % length > 0);
const { cos, sin } = ropeTables(config);
const data = {
  ids: np.array(ids),
  // The gradient of an indexed read does not compile under jit, so targets are chosen by a product.
  targets: nn.oneHot(np.array(followers), vocabSize),
  cos: np.array(cos).reshape([length, half]),
  sin: np.array(sin).reshape([length, half]),
  mask: np
    .array(Float32Array.from({ length: length * length }, (_, i) => (i % length > Math.floor(i / length) ? -1e9 : 0)))
    .reshape([length, length]),
};
const lossAndGradients = jax.jit(jax.valueAndGrad(meanLoss, { argnums: [0, 1] }));
const update = jax.jit(adamw);
let steps = 0;

await servePeer(
  { version: `jax-js ${version}`, variant: 'wasm backend, jit' },
  { step, matmul: async (m, k, n) => ({ ms: await product(m, k, n) }) },
);

async function load() {
  try {
    const jax = await import('@jax-js/jax');
    const { readFile } = await import('node:fs/promises');
    const file = new URL('node_modules/@jax-js/jax/package.json', import.meta.url);
    return { jax, version: JSON.parse(await readFile(file, 'utf8')).version };
  } catch (error) {
    return refusePeer(`not installed (${error.code ?? error.message}); npm install --prefix bench/peers`);
  }
}

async function step() {
  const cpu = process.cpuUsage();
  const from = performance.now();
  steps++;
  const [b1, b2] = optimizer.betas;
  const corrections = np.array(new Float32Array([1 - b1 ** steps, 1 - b2 ** steps]));
  const { ids, ...shared } = Object.fromEntries(Object.entries(data).map(([name, x]) => [name, x.ref]));
  const [embeds, embedBack] = jax.vjp((table) => np.take(table, ids, 0), [state.params[TABLE].ref]);
  const kept = fromNames((_, name) => state.params[name].ref);
  const [loss, [grads, dEmbeds]] = lossAndGradients(kept, embeds, shared);
  grads[TABLE].dispose();
  [grads[TABLE]] = embedBack(dEmbeds);
  embedBack.dispose();
  state = update(state, grads, corrections);
  await jax.blockUntilReady(state);
  const value = (await loss.data())[0];
  const { user, system } = process.cpuUsage(cpu);
  return { ms: performance.now() - from, loss: value, cpuMs: (user + system) / 1000 };
}

function adamw({ params, first, second }, grads, corrections) {
  const [b1, b2] = optimizer.betas;
  const [c1, c2] = [corrections.ref.slice(0), corrections.slice(1)];
  const next = { params: {}, first: {}, second: {} };
  for (const [name, shape] of names) {
    const g = grads[name];
    const m = first[name].mul(b1).add(g.ref.mul(1 - b1));
    const v = second[name].mul(b2).add(g.ref.mul(g).mul(1 - b2));
    const keep = 1 - optimizer.rate * (shape.length > 1 ? optimizer.weightDecay : 0);
    const spread = np.sqrt(v.ref.div(c2.ref)).add(optimizer.eps);
    next.params[name] = params[name].mul(keep).sub(m.ref.div(c1.ref).mul(optimizer.rate).div(spread));
    next.first[name] = m;
    next.second[name] = v;
  }
  c1.dispose();
  c2.dispose();
  return next;
}

function meanLoss(params, embeds, shared) {
  const weight = (path) => params[`${path}.weight`].ref;
  const tables = { cos: shared.cos, sin: shared.sin, mask: shared.mask };
  let x = embeds;
  for (let i = 0; i < layers; i++) x = block(x, `model.layers.${i}`, weight, tables);
  const kept = norm(x, weight('model.norm'))
    .reshape([batch, length, width])
    .slice([], [0, length - 1], []);
  const logits = linear(kept.reshape([batch * (length - 1), width]), weight('lm_head'));
  const chosen = nn.logSoftmax(logits, -1).mul(shared.targets);
  const loss = np.sum(chosen).mul(-1 / followers.length);
  for (const [name] of names) params[name].dispose();
  for (const table of Object.values(tables)) table.dispose();
  return loss;
}

function block(x, path, weight, { cos, sin, mask }) {
  const normed = norm(x.ref, weight(`${path}.input_layernorm`));
  const project = (name) => split(linear(normed.ref, weight(`${path}.self_attn.${name}_proj`)));
  const [q, k, v] = [rotate(project('q'), cos, sin), rotate(project('k'), cos, sin), project('v')];
  normed.dispose();
  const scores = np.matmul(q, k.transpose([0, 1, 3, 2])).mul(1 / Math.sqrt(headSize));
  const mixed = np.matmul(nn.softmax(scores.add(mask.ref), -1), v);
  const merged = mixed.transpose([0, 2, 1, 3]).reshape([batch * length, width]);
  const attended = x.add(linear(merged, weight(`${path}.self_attn.o_proj`)));
  const inner = norm(attended.ref, weight(`${path}.post_attention_layernorm`));
  const gate = nn.silu(linear(inner.ref, weight(`${path}.mlp.gate_proj`)));
  const gated = gate.mul(linear(inner, weight(`${path}.mlp.up_proj`)));
  return attended.add(linear(gated, weight(`${path}.mlp.down_proj`)));
}

function linear(x, weight) {
  return np.matmul(x, weight.transpose());
}

function norm(x, weight) {
  const variance = np.mean(np.square(x.ref), -1, { keepdims: true });
  return x.div(np.sqrt(variance.add(normEpsilon))).mul(weight);
}

/** `[B*T, D]` to `[B, heads, T, d]`. */
function split(x) {
  return x.reshape([batch, length, heads, headSize]).transpose([0, 2, 1, 3]);
}

function rotate(x, cos, sin) {
  const first = x.ref.slice([], [], [], [0, half]);
  const second = x.slice([], [], [], [half, headSize]);
  const left = first.ref.mul(cos.ref).sub(second.ref.mul(sin.ref));
  return np.concatenate([left, second.mul(cos.ref).add(first.mul(sin.ref))], -1);
}

async function product(m, k, n) {
  const filled = (shape) => np.array(new Float32Array(shape[0] * shape[1]).fill(0.5)).reshape(shape);
  const [a, b] = [filled([m, k]), filled([k, n])];
  await jax.blockUntilReady([a, b]);
  return fastest(async () => {
    const y = np.matmul(a.ref, b.ref);
    await y.blockUntilReady();
    y.dispose();
  });
}
