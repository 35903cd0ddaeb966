import { bytesOf, type Dim, dtypeInfo, type Tensor } from '../../base/index.ts';
import type {
  ExternalInitializer,
  OnnxAttribute,
  OnnxGraph,
  OnnxInitializer,
  OnnxModel,
  OnnxNode,
  OnnxPort,
} from './model.ts';
import { WireWriter } from './wire-writer.ts';

/** `AttributeProto.AttributeType` of onnx.proto. */
const attributeCodes = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7, strings: 8 } as const;

/**
 * Serialises a model as `onnx.ModelProto`. Field numbers are those of onnx.proto.
 * @throws TesseraError `onnx/too-large` above 2 GB, `onnx/integer` for an integer that is none.
 */
export function encodeModel(model: OnnxModel): Uint8Array<ArrayBuffer> {
  const out = new WireWriter();
  out.int(1, model.irVersion);
  if (model.producer) out.string(2, model.producer);
  out.message(7, (inner) => writeGraph(inner, model.graph));
  for (const [domain, version] of Object.entries(model.opsets)) {
    out.message(8, (inner) => {
      if (domain) inner.string(1, domain);
      inner.int(2, version);
    });
  }
  for (const [key, value] of Object.entries(model.metadata)) writeEntry(out, 14, key, value);
  return out.finish();
}

function writeGraph(out: WireWriter, graph: OnnxGraph): void {
  for (const node of graph.nodes) out.message(1, (inner) => writeNode(inner, node));
  out.string(2, graph.name);
  for (const initializer of graph.initializers) out.message(5, (inner) => writeInitializer(inner, initializer));
  if (graph.doc !== undefined) out.string(10, graph.doc);
  for (const port of graph.inputs) out.message(11, (inner) => writePort(inner, port));
  for (const port of graph.outputs) out.message(12, (inner) => writePort(inner, port));
}

function writeNode(out: WireWriter, node: OnnxNode): void {
  for (const name of node.inputs) out.string(1, name);
  for (const name of node.outputs) out.string(2, name);
  if (node.name) out.string(3, node.name);
  out.string(4, node.opType);
  for (const [name, attribute] of Object.entries(node.attributes)) {
    out.message(5, (inner) => writeAttribute(inner, name, attribute));
  }
  if (node.domain) out.string(7, node.domain);
}

function writeAttribute(out: WireWriter, name: string, attribute: OnnxAttribute): void {
  out.string(1, name);
  switch (attribute.type) {
    case 'float':
      out.float(2, attribute.value);
      break;
    case 'int':
      out.int(3, attribute.value);
      break;
    case 'string':
      out.string(4, attribute.value);
      break;
    case 'tensor':
      out.message(5, (inner) => writeTensor(inner, attribute.value));
      break;
    case 'floats':
      out.packedFloats(7, attribute.value);
      break;
    case 'ints':
      out.packedInts(8, attribute.value);
      break;
    case 'strings':
      for (const text of attribute.value) out.string(9, text);
      break;
  }
  out.int(20, attributeCodes[attribute.type]);
}

function writePort(out: WireWriter, port: OnnxPort): void {
  out.string(1, port.name);
  out.message(2, (type) =>
    type.message(1, (tensorType) => {
      tensorType.int(1, dtypeInfo[port.dtype].onnx);
      tensorType.message(2, (shape) => {
        for (const dim of port.shape) shape.message(1, (inner) => writeDim(inner, dim));
      });
    }),
  );
}

function writeDim(out: WireWriter, dim: Dim): void {
  if (typeof dim === 'number') out.int(1, dim);
  else out.string(2, dim);
}

function writeInitializer(out: WireWriter, initializer: OnnxInitializer): void {
  if ('tensor' in initializer) writeTensor(out, initializer.tensor, initializer.name);
  else writeExternal(out, initializer);
}

function writeTensor(out: WireWriter, tensor: Tensor, name?: string): void {
  out.packedInts(1, tensor.shape);
  out.int(2, dtypeInfo[tensor.dtype].onnx);
  if (name !== undefined) out.string(8, name);
  out.bytes(9, bytesOf(tensor.data));
}

function writeExternal(out: WireWriter, initializer: ExternalInitializer): void {
  out.packedInts(1, initializer.shape);
  out.int(2, dtypeInfo[initializer.dtype].onnx);
  out.string(8, initializer.name);
  const { location, offset, length } = initializer.external;
  writeEntry(out, 13, 'location', location);
  writeEntry(out, 13, 'offset', `${offset}`);
  writeEntry(out, 13, 'length', `${length}`);
  out.int(14, 1);
}

function writeEntry(out: WireWriter, field: number, key: string, value: string): void {
  out.message(field, (inner) => {
    inner.string(1, key);
    inner.string(2, value);
  });
}
