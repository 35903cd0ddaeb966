/** In a page nothing can be stopped but by who looks at it: the browser offers to end a page that hangs. */
export function withinTime<T>(_milliseconds: number, action: () => T): T {
  return action();
}
