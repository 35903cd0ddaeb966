type OrtNode = typeof import('onnxruntime-node');

/** What the npm packages of ONNX Runtime, for Node and for browsers, have in common. */
export type Ort = Pick<OrtNode, 'InferenceSession' | 'Tensor' | 'env'>;
/** A session of the npm packages. */
export type OrtSession = Awaited<ReturnType<Ort['InferenceSession']['create']>>;
export type OrtTensor = InstanceType<Ort['Tensor']>;
