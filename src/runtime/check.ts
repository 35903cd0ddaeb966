import {
  type Dim,
  dimTerms,
  dtypeInfo,
  elementCount,
  evaluateDim,
  type Fault,
  formatShape,
  nearest,
  raise,
  type Shape,
  type Tensor,
} from '../base/index.ts';
import type { Port, RunOptions } from './engine.ts';

type Tensors = ReadonlyMap<string, Tensor>;

/** What a run needs to know of its session. */
interface Signature {
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** Which tensors are looked at: those that are read or those that are written. */
type Role = 'feed' | 'target';

/**
 * Checks the tensors of a run against the session, because ONNX Runtime ignores unknown names and native code trusts
 * lengths.
 * @returns the sizes that the feeds give to names of dimensions.
 * @throws TesseraError `runtime/feed`, `runtime/target` or `runtime/fetch`, all faults at once.
 */
export function checkRun(session: Signature, feeds: Tensors, options: RunOptions): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  const into = options.into ?? new Map<string, Tensor>();
  raise([
    ...missingFeeds(session, feeds),
    ...portFaults(session.inputs, feeds, 'feed', sizes),
    ...portFaults(session.outputs, into, 'target', sizes),
    ...(options.fetch ?? []).flatMap((name) => fetchFaults(session.outputs, name)),
    ...(options.fetch?.length === 0 && into.size === 0 ? [nothingWanted(session)] : []),
  ]);
  return sizes;
}

/** The shape of an output as far as names decide it; undefined when the values do. */
export function knownShape(shape: Shape, sizes: ReadonlyMap<string, number>): number[] | undefined {
  const known = shape.map((dim) => knownSize(dim, sizes) ?? -1);
  return known.every((size) => size >= 0) ? known : undefined;
}

/** The outputs a run asks for, in the session's order. */
export function wantedOutputs(session: Signature, options: RunOptions): readonly Port[] {
  const { fetch, into } = options;
  return session.outputs.filter(({ name }) => !fetch || fetch.includes(name) || into?.has(name));
}

/** Refuses a bound run's arrays once their memory has moved to another owner. */
export function checkAttached(tensors: Tensors, role: Role): void {
  for (const [name, tensor] of tensors) {
    if (tensor.data.byteLength !== byteLength(tensor)) raise([lengthFault(name, tensor, role)]);
  }
}

function missingFeeds(session: Signature, feeds: Tensors): Fault[] {
  return session.inputs
    .filter(({ name }) => !feeds.has(name))
    .map(({ name, dtype, shape }) => ({
      code: 'runtime/feed',
      message: `the input ${name} of ${session.name} was not fed`,
      path: name,
      expected: `${dtype} ${formatShape(shape)}`,
      got: [...feeds.keys()].join(', ') || 'no feeds',
    }));
}

function portFaults(ports: readonly Port[], tensors: Tensors, role: Role, sizes: Map<string, number>): Fault[] {
  const faults: Fault[] = [];
  const fitting: [Port, Tensor][] = [];
  for (const [name, tensor] of tensors) {
    const port = ports.find((candidate) => candidate.name === name);
    const fault = port ? tensorFault(port, tensor, role) : unknownFault(ports, name, role);
    if (fault) faults.push(fault);
    else if (port) fitting.push([port, tensor]);
  }
  if (role === 'feed') for (const [port, tensor] of fitting) bindNames(port.shape, tensor.shape, sizes);
  return faults.concat(fitting.flatMap(([port, tensor]) => sizeFaults(port, tensor, role, sizes)));
}

function unknownFault(ports: readonly Port[], name: string, role: Role): Fault {
  const names = ports.map((port) => port.name);
  const near = nearest(name, names);
  return {
    code: `runtime/${role}`,
    message: role === 'feed' ? `there is no input ${name}` : `there is no output ${name}`,
    path: name,
    expected: names.join(', ') || 'none',
    got: name,
    ...(near && { remedy: `did you mean ${near}?` }),
  };
}

function fetchFaults(ports: readonly Port[], name: string): Fault[] {
  if (ports.some((port) => port.name === name)) return [];
  return [{ ...unknownFault(ports, name, 'target'), code: 'runtime/fetch' }];
}

function nothingWanted(session: Signature): Fault {
  const expected = session.outputs.map(({ name }) => name).join(', ');
  return { code: 'runtime/fetch', message: 'the run asks for no output', path: session.name, expected, got: 'none' };
}

function tensorFault(port: Port, tensor: Tensor, role: Role): Fault | undefined {
  const rankFits = port.shape.length === tensor.shape.length;
  if (port.dtype !== tensor.dtype || !rankFits) {
    return {
      code: `runtime/${role}`,
      message: `the tensor for ${port.name} has the wrong ${rankFits ? 'dtype' : 'rank'}`,
      path: port.name,
      expected: `${port.dtype} ${formatShape(port.shape)}`,
      got: `${tensor.dtype} ${formatShape(tensor.shape)}`,
    };
  }
  return tensor.data.byteLength === byteLength(tensor) ? undefined : lengthFault(port.name, tensor, role);
}

function byteLength(tensor: Tensor): number {
  return elementCount(tensor.shape) * dtypeInfo[tensor.dtype].bytes;
}

function lengthFault(name: string, tensor: Tensor, role: Role): Fault {
  return {
    code: `runtime/${role}`,
    message: `the array for ${name} does not fill its shape`,
    path: name,
    expected: `${byteLength(tensor)} bytes for ${tensor.dtype} ${formatShape(tensor.shape)}`,
    got: `${tensor.data.byteLength} bytes`,
    remedy: 'an array whose buffer was transferred has no memory left',
  };
}

/** Notes the sizes that single names stand for; the first tensor that has one decides. */
function bindNames(shape: Shape, actual: readonly number[], sizes: Map<string, number>): void {
  shape.forEach((dim, i) => {
    if (typeof dim === 'string' && /^[A-Za-z_]\w*$/.test(dim) && !sizes.has(dim)) sizes.set(dim, actual[i] as number);
  });
}

function sizeFaults(port: Port, tensor: Tensor, role: Role, sizes: ReadonlyMap<string, number>): Fault[] {
  const expected = port.shape.map((dim) => knownSize(dim, sizes) ?? dim);
  if (expected.every((dim, i) => typeof dim === 'string' || dim === tensor.shape[i])) return [];
  const names = [...sizes].map(([name, size]) => `${name}=${size}`).join(', ');
  return [
    {
      code: `runtime/${role}`,
      message: `the tensor for ${port.name} has the wrong shape`,
      path: port.name,
      expected: `${formatShape(port.shape)}${names && ` with ${names}`}`,
      got: formatShape(tensor.shape),
    },
  ];
}

function knownSize(dim: Dim, sizes: ReadonlyMap<string, number>): number | undefined {
  const known = dimTerms(dim).every(([, names]) => names.every((name) => sizes.has(name)));
  return known ? evaluateDim(dim, sizes) : undefined;
}
