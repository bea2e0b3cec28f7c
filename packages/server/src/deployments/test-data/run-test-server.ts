import { stdout } from 'node:process';
import { startTestServer } from './test-server.ts';

// A server in a process of its own, for being killed: run-test-server.ts DATA-DIRECTORY PORT; prints its address.
const [dataDirectory = '', port = '0'] = process.argv.slice(2);
const server = await startTestServer({ serveDownloads: true, dataDirectory, port: Number(port) });
stdout.write(`${server.url}\n`);
