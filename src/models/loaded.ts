import type { Named } from '../base/index.ts';
import type { ParameterStore } from '../nn/index.ts';
import type { Model } from './model.ts';
import type { Layout } from './weights/index.ts';

/** A model with its parameters in host memory. */
export interface LoadedModel {
  readonly model: Model;
  readonly store: ParameterStore;
  /** The key names under which the parameters were read, and are saved again. */
  readonly layout: Layout;
  /** Folders that parts were taken from as they are, by the name of the part. */
  readonly from?: Named<string>;
}
