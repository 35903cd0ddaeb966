/** Address in native memory; null pointers arrive as null. */
export type Pointer = bigint;

interface Arguments {
  'void *': Pointer | ArrayBufferView | null;
  int: number;
  size_t: number;
  str: string;
}

interface Results {
  'void *': Pointer | null;
  void: undefined;
  int: number;
  str: string;
}

type Signature = readonly [index: number, result: keyof Results, ...args: readonly (keyof Arguments)[]];

/**
 * The functions of `OrtApi` that tessera calls: place in the table (onnxruntime_c_api.h; the table only ever grows
 * at its end), result, arguments. A `void *` result is an `OrtStatus`, null for success.
 */
export const signatures = {
  getErrorCode: [1, 'int', 'void *'],
  getErrorMessage: [2, 'str', 'void *'],
  createEnv: [3, 'void *', 'int', 'str', 'void *'],
  createSessionFromArray: [8, 'void *', 'void *', 'void *', 'size_t', 'void *', 'void *'],
  run: [9, 'void *', 'void *', 'void *', 'void *', 'void *', 'size_t', 'void *', 'size_t', 'void *'],
  createSessionOptions: [10, 'void *', 'void *'],
  setSessionExecutionMode: [13, 'void *', 'void *', 'int'],
  disableMemPattern: [17, 'void *', 'void *'],
  setSessionLogSeverityLevel: [22, 'void *', 'void *', 'int'],
  setSessionGraphOptimizationLevel: [23, 'void *', 'void *', 'int'],
  setIntraOpNumThreads: [24, 'void *', 'void *', 'int'],
  sessionGetInputCount: [30, 'void *', 'void *', 'void *'],
  sessionGetOutputCount: [31, 'void *', 'void *', 'void *'],
  sessionGetInputTypeInfo: [33, 'void *', 'void *', 'size_t', 'void *'],
  sessionGetOutputTypeInfo: [34, 'void *', 'void *', 'size_t', 'void *'],
  sessionGetInputName: [36, 'void *', 'void *', 'size_t', 'void *', 'void *'],
  sessionGetOutputName: [37, 'void *', 'void *', 'size_t', 'void *', 'void *'],
  createRunOptions: [39, 'void *', 'void *'],
  runOptionsSetTerminate: [46, 'void *', 'void *'],
  createTensorWithDataAsOrtValue: [49, 'void *', 'void *', 'void *', 'size_t', 'void *', 'size_t', 'int', 'void *'],
  getTensorMutableData: [51, 'void *', 'void *', 'void *'],
  castTypeInfoToTensorInfo: [55, 'void *', 'void *', 'void *'],
  getTensorElementType: [60, 'void *', 'void *', 'void *'],
  getDimensionsCount: [61, 'void *', 'void *', 'void *'],
  getDimensions: [62, 'void *', 'void *', 'void *', 'size_t'],
  getSymbolicDimensions: [63, 'void *', 'void *', 'void *', 'size_t'],
  getTensorTypeAndShape: [65, 'void *', 'void *', 'void *'],
  createCpuMemoryInfo: [69, 'void *', 'int', 'int', 'void *'],
  allocatorFree: [76, 'void *', 'void *', 'void *'],
  getAllocatorWithDefaultOptions: [78, 'void *', 'void *'],
  releaseStatus: [93, 'void', 'void *'],
  releaseSession: [95, 'void', 'void *'],
  releaseValue: [96, 'void', 'void *'],
  releaseRunOptions: [97, 'void', 'void *'],
  releaseTypeInfo: [98, 'void', 'void *'],
  releaseTensorTypeAndShapeInfo: [99, 'void', 'void *'],
  releaseSessionOptions: [100, 'void', 'void *'],
  addSessionConfigEntry: [130, 'void *', 'void *', 'str', 'str'],
} as const satisfies Record<string, Signature>;

type Signatures = typeof signatures;

type ArgumentsOf<S> = S extends readonly [number, string, ...infer Names]
  ? { [I in keyof Names]: Names[I] extends keyof Arguments ? Arguments[Names[I]] : never }
  : never;

type Native<S extends Signature> = {
  (...args: ArgumentsOf<S>): Results[S[1]];
  /** Calls on another thread. */
  async(...args: [...ArgumentsOf<S>, done: (error: Error | null, result: Results[S[1]]) => void]): void;
};

/** The functions of ONNX Runtime's C API, callable. */
export type OrtApi = { readonly [Name in keyof Signatures]: Native<Signatures[Name]> };
