import { float32, TesseraError, tensor } from '../base/index.ts';
import { encodeModel } from '../onnx/index.ts';
import type { Engine, Session } from './engine.ts';

/** y = x + 0.5 * x over `[N, 2]`, with N decided by the run. */
function checkModel(): Uint8Array {
  const port = { dtype: 'float32', shape: ['N', 2] } as const;
  const node = { domain: '', attributes: {} };
  return encodeModel({
    irVersion: 10,
    opsets: { '': 21 },
    producer: 'tessera',
    metadata: {},
    graph: {
      name: 'self-check',
      nodes: [
        { ...node, opType: 'Mul', name: 'half', inputs: ['x', 'factor'], outputs: ['h'] },
        { ...node, opType: 'Add', name: 'sum', inputs: ['x', 'h'], outputs: ['y'] },
      ],
      inputs: [{ name: 'x', ...port }],
      outputs: [{ name: 'y', ...port }],
      initializers: [{ name: 'factor', tensor: float32([], [0.5]) }],
    },
  });
}

/**
 * Proves that native calls do what they should: a small run whose result must land in the middle of an array.
 * @throws TesseraError `runtime/self-check`
 */
export async function selfCheck(engine: Engine): Promise<void> {
  const session = await engine.createSession(checkModel(), { name: 'self-check', threads: 1 });
  try {
    await checkInPlace(session);
  } finally {
    session.dispose();
  }
}

async function checkInPlace(session: Session): Promise<void> {
  const x = float32([2, 2], [1, 2, 3, 4]);
  const surrounding = new Float32Array(x.data.length + 2).fill(-1);
  const y = tensor('float32', x.shape, surrounding.subarray(1, -1));
  await session.run(new Map([['x', x]]), { into: new Map([['y', y]]) });
  const expected = [-1, ...Array.from(x.data, (v) => v * 1.5), -1].join(' ');
  if (surrounding.join(' ') === expected) return;
  throw new TesseraError({
    code: 'runtime/self-check',
    message: 'the engine gave a wrong result in its self-check',
    path: session.name,
    expected,
    got: surrounding.join(' '),
  });
}
