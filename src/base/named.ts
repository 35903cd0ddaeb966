/** Values by name. */
export type Named<T> = Readonly<Record<string, T>>;
