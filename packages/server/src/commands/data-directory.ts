import { join } from 'node:path';

/** Where in the data directory the database lies. */
export const databasePath = (dataDirectory: string): string => join(dataDirectory, 'tandem.sqlite');
