import { type Dim, type Shape, TesseraError } from '../../base/index.ts';
import { dtypeOf, readEntry, readInitializer, readTensor } from './decode-tensor.ts';
import type { OnnxAttribute, OnnxGraph, OnnxInitializer, OnnxModel, OnnxNode, OnnxPort } from './model.ts';
import {
  fieldBytes,
  fieldFloat,
  fieldInt,
  fieldInts,
  fieldNumbers,
  fieldString,
  type WireField,
  wireFields,
} from './wire-reader.ts';

/**
 * Reads a serialised `onnx.ModelProto`.
 *
 * Fields that do not change what the model computes are skipped: doc strings of nodes, intermediate value infos,
 * versions of the producer, and fields unknown to this reader. Features that do change it and that tessera lacks
 * (subgraphs, model functions, sparse tensors, non-tensor types) are errors.
 * @throws TesseraError `onnx/corrupt` for truncated or foreign bytes, `onnx/unsupported` for such a feature.
 */
export function decodeModel(bytes: Uint8Array): OnnxModel {
  let irVersion = 0;
  let producer = '';
  let graph: OnnxGraph | undefined;
  const opsets: Record<string, number> = {};
  const metadata: Record<string, string> = {};
  for (const field of wireFields(bytes, 'model')) {
    if (field.number === 1) irVersion = fieldInt(field);
    else if (field.number === 2) producer = fieldString(field);
    else if (field.number === 7) graph = readGraph(fieldBytes(field));
    else if (field.number === 8) readOpset(fieldBytes(field), opsets);
    else if (field.number === 14) {
      const [key, value] = readEntry(fieldBytes(field), 'model metadata');
      metadata[key] = value;
    } else if (field.number === 20 || field.number === 25) unsupported(field, 'training info and model functions');
  }
  if (!graph || irVersion === 0 || Object.keys(opsets).length === 0) {
    const missing = [!graph && 'graph', irVersion === 0 && 'ir_version', !Object.keys(opsets).length && 'opset_import'];
    throw new TesseraError({
      code: 'onnx/corrupt',
      message: 'the bytes are no ONNX model',
      expected: 'a graph, ir_version and opset_import',
      got: `no ${missing.filter(Boolean).join(', ')}`,
      remedy: 'check that the file is complete and is an .onnx file',
    });
  }
  return { irVersion, opsets, producer, graph, metadata };
}

function unsupported(field: WireField, what: string): never {
  throw new TesseraError({
    code: 'onnx/unsupported',
    message: `tessera does not read ${what}`,
    path: field.where,
    got: `field ${field.number}`,
  });
}

function readOpset(bytes: Uint8Array, opsets: Record<string, number>): void {
  let domain = '';
  let version = 0;
  for (const field of wireFields(bytes, 'opset_import')) {
    if (field.number === 1) domain = fieldString(field);
    else if (field.number === 2) version = fieldInt(field);
  }
  opsets[domain === 'ai.onnx' ? '' : domain] = version;
}

function readGraph(bytes: Uint8Array): OnnxGraph {
  let name = '';
  let doc: string | undefined;
  const nodes: OnnxNode[] = [];
  const inputs: OnnxPort[] = [];
  const outputs: OnnxPort[] = [];
  const initializers: OnnxInitializer[] = [];
  for (const field of wireFields(bytes, 'graph')) {
    if (field.number === 1) nodes.push(readNode(fieldBytes(field), `node ${nodes.length}`));
    else if (field.number === 2) name = fieldString(field);
    else if (field.number === 5) initializers.push(readInitializer(fieldBytes(field), 'initializer'));
    else if (field.number === 10) doc = fieldString(field);
    else if (field.number === 11) inputs.push(readPort(fieldBytes(field), 'input'));
    else if (field.number === 12) outputs.push(readPort(fieldBytes(field), 'output'));
    else if (field.number === 15) unsupported(field, 'sparse initializers');
  }
  return { name, nodes, inputs, outputs, initializers, ...(doc !== undefined && { doc }) };
}

function readNode(bytes: Uint8Array, where: string): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: Record<string, OnnxAttribute> = {};
  const texts = { name: '', opType: '', domain: '' };
  for (const field of wireFields(bytes, where)) {
    if (field.number === 1) inputs.push(fieldString(field));
    else if (field.number === 2) outputs.push(fieldString(field));
    else if (field.number === 3) texts.name = fieldString(field);
    else if (field.number === 4) texts.opType = fieldString(field);
    else if (field.number === 5) {
      const [name, attribute] = readAttribute(fieldBytes(field), where);
      attributes[name] = attribute;
    } else if (field.number === 7) texts.domain = fieldString(field);
  }
  const domain = texts.domain === 'ai.onnx' ? '' : texts.domain;
  return { opType: texts.opType, domain, name: texts.name, inputs, outputs, attributes };
}

/** All values an attribute may hold, before its type says which one counts. */
interface AttributeValues {
  int: number;
  float: number;
  string: string;
  tensor: Extract<OnnxAttribute, { type: 'tensor' }>['value'] | undefined;
  ints: number[];
  floats: number[];
  strings: string[];
}

function readAttribute(bytes: Uint8Array, where: string): [string, OnnxAttribute] {
  let name = '';
  let code = 0;
  const values: AttributeValues = {
    int: 0,
    float: 0,
    string: '',
    tensor: undefined,
    ints: [],
    floats: [],
    strings: [],
  };
  for (const field of wireFields(bytes, `${where} attribute`)) {
    if (field.number === 1) name = fieldString(field);
    else if (field.number === 20) code = fieldInt(field);
    else readAttributeValue(field, values);
  }
  return [name, attributeOf(code, values, `${where} attribute ${name}`)];
}

function readAttributeValue(field: WireField, values: AttributeValues): void {
  if (field.number === 2) values.float = fieldFloat(field);
  else if (field.number === 3) values.int = fieldInt(field);
  else if (field.number === 4) values.string = fieldString(field);
  else if (field.number === 5) values.tensor = readTensor(fieldBytes(field), field.where);
  else if (field.number === 7) values.floats = values.floats.concat(fieldNumbers(field, 4));
  else if (field.number === 8) values.ints = values.ints.concat(fieldInts(field));
  else if (field.number === 9) values.strings.push(fieldString(field));
  else if (field.number === 6 || field.number === 11) unsupported(field, 'subgraphs');
  else if (field.number === 21) unsupported(field, 'references to function attributes');
}

function attributeOf(code: number, values: AttributeValues, where: string): OnnxAttribute {
  if (code === 1) return { type: 'float', value: values.float };
  if (code === 2) return { type: 'int', value: values.int };
  if (code === 3) return { type: 'string', value: values.string };
  if (code === 4 && values.tensor) return { type: 'tensor', value: values.tensor };
  if (code === 6) return { type: 'floats', value: values.floats };
  if (code === 7) return { type: 'ints', value: values.ints };
  if (code === 8) return { type: 'strings', value: values.strings };
  throw new TesseraError({
    code: 'onnx/unsupported',
    message: 'tessera does not read this type of attribute',
    path: where,
    expected: 'float, int, string, tensor, floats, ints or strings',
    got: `type ${code}`,
  });
}

function readPort(bytes: Uint8Array, where: string): OnnxPort {
  let name = '';
  let type: Uint8Array | undefined;
  for (const field of wireFields(bytes, where)) {
    if (field.number === 1) name = fieldString(field);
    else if (field.number === 2) type = fieldBytes(field);
  }
  return { name, ...readType(type, `${where} ${name}`) };
}

function readType(type: Uint8Array | undefined, where: string): Pick<OnnxPort, 'dtype' | 'shape'> {
  for (const field of wireFields(type ?? new Uint8Array(0), where)) {
    if (field.number === 1) return readTensorType(fieldBytes(field), where);
    if (field.number !== 6) unsupported(field, 'inputs and outputs that are no tensors');
  }
  throw new TesseraError({ code: 'onnx/untyped', message: 'an input or output has no type', path: where });
}

function readTensorType(bytes: Uint8Array, where: string): Pick<OnnxPort, 'dtype' | 'shape'> {
  let code = 0;
  let shape: Shape | undefined;
  for (const field of wireFields(bytes, where)) {
    if (field.number === 1) code = fieldInt(field);
    else if (field.number === 2) shape = readShape(fieldBytes(field), where);
  }
  if (shape) return { dtype: dtypeOf(code, where), shape };
  throw new TesseraError({ code: 'onnx/untyped', message: 'an input or output has no shape', path: where });
}

function readShape(bytes: Uint8Array, where: string): Shape {
  const shape: Dim[] = [];
  for (const field of wireFields(bytes, where)) {
    if (field.number === 1) shape.push(readDim(fieldBytes(field), where));
  }
  return shape;
}

function readDim(bytes: Uint8Array, where: string): Dim {
  for (const field of wireFields(bytes, where)) {
    if (field.number === 1) return fieldInt(field);
    if (field.number === 2) return fieldString(field);
  }
  throw new TesseraError({
    code: 'onnx/untyped',
    message: 'a dimension has neither a size nor a name',
    path: where,
    expected: 'dim_value or dim_param',
  });
}
