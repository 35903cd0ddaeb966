import { TesseraError } from '../base/index.ts';

export function runFailed(name: string, text: string, cause?: unknown): TesseraError {
  return new TesseraError({ code: 'runtime/run-failed', message: `ONNX Runtime: ${text}`, path: name }, { cause });
}

export function cancelled(name: string, signal: AbortSignal): TesseraError {
  const fault = { code: 'runtime/cancelled', message: 'the run was cancelled', path: name };
  return new TesseraError(fault, { cause: signal.reason });
}

/** Stops a run before it starts when it is no longer wanted. */
export function checkSignal(signal: AbortSignal | undefined, name: string): void {
  if (signal?.aborted) throw cancelled(name, signal);
}

export function disposed(name: string): TesseraError {
  return new TesseraError({
    code: 'runtime/disposed',
    message: 'the session or bound run was used after it was released',
    path: name,
    remedy: 'release it when its last run has ended',
  });
}

export function busy(name: string): TesseraError {
  return new TesseraError({
    code: 'runtime/busy',
    message: 'the bound run is running',
    path: name,
    remedy: 'await its run first; bind once more to run twice at a time',
  });
}

/** The error for a model that ONNX Runtime would not load; `kept` is the file in which it can be looked at. */
export function refusal(kept: string | undefined, name: string, text: string, cause?: unknown): TesseraError {
  return new TesseraError(
    {
      code: 'runtime/model-refused',
      message: `ONNX Runtime refused the model ${name}: ${text}`,
      ...(kept && { path: kept }),
      remedy: kept
        ? 'open the kept file in an ONNX viewer'
        : 'the model could not be kept: there is no temporary folder that can be written to',
    },
    { cause },
  );
}
