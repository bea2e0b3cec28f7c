/** Time comes from outside, so that tests can move it. Milliseconds since 1970, UTC. */
export type Clock = () => number;

/** An instant as the API writes it: RFC 3339, UTC. */
export const rfc3339 = (milliseconds: number): string => new Date(milliseconds).toISOString();
