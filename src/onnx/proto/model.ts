import type { DType, Shape, Tensor } from '../../base/index.ts';

/** An attribute of a node. Integers must be safe integers; floats are stored as float32, as the format has it. */
export type OnnxAttribute =
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'ints'; readonly value: readonly number[] }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'tensor'; readonly value: Tensor };

export interface OnnxNode {
  readonly opType: string;
  /** `''` stands for ai.onnx. */
  readonly domain: string;
  readonly name: string;
  /** `''` stands for an optional input or output that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A graph input or output. Text dimensions are written as `dim_param`, numbers as `dim_value`. */
export interface OnnxPort {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Where an initializer's bytes lie outside the model file. */
export interface ExternalData {
  /** Path relative to the model file. */
  readonly location: string;
  /** Bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

export interface EmbeddedInitializer {
  readonly name: string;
  readonly tensor: Tensor;
}

export interface ExternalInitializer {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly external: ExternalData;
}

export type OnnxInitializer = EmbeddedInitializer | ExternalInitializer;

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  readonly initializers: readonly OnnxInitializer[];
  readonly doc?: string;
}

/** The part of `onnx.ModelProto` that tessera writes and reads. */
export interface OnnxModel {
  readonly irVersion: number;
  /** Operator set version of each domain; `''` is ai.onnx. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly producer: string;
  readonly graph: OnnxGraph;
  readonly metadata: Readonly<Record<string, string>>;
}
