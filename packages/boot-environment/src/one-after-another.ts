/** Runs what it is given one after another, in the order given; a failure does not stop those behind it. */
export function oneAfterAnother(): <Result>(run: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return async (run) => {
    const turn = last.then(run);
    last = turn.catch(() => undefined);
    return await turn;
  };
}
