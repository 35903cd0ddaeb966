/**
 * Session configuration entries that both back ends set.
 *
 * `session.set_denormal_as_zero` stays off: ONNX Runtime sets the flag on the thread that builds the first session
 * and leaves it, and on JavaScript's own thread that would turn subnormal numbers of the whole program into zeros.
 */
export const sessionConfig: Readonly<Record<string, string>> = {
  // Idle pools that spin take the cores from the session that works.
  'session.force_spinning_stop': '1',
  'session.use_deterministic_compute': '1',
  // It writes new nodes in the place of gradients that are reshaped last. New nodes run first, and all that leads to them
  // with them: every weight's gradient then waits, and keeps its activations, until the sweep has ended.
  'optimization.disable_specified_optimizers': 'ReshapeFusion',
};

/** ONNX Runtime writes nothing to stderr at this level; what it says arrives as an error. */
export const FATAL_ONLY = 4;
