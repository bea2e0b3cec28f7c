/** What is there already, or will be. To await costs a poll as much as to look something up, so what is there is used at once. */
export type Soon<T> = T | Promise<T>;

export const whenThere = <T, R>(value: Soon<T>, use: (value: T) => Soon<R>): Soon<R> =>
  value instanceof Promise ? value.then(use) : use(value);
