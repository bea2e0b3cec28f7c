import { sign } from 'node:crypto';
import { readFileSync } from 'node:fs';

/* Stands for any program that keeps a key: signs its stdin as `openssl dgst -sha256 -sign KEY` does. */

const [, , key = '', encoding = ''] = process.argv;
const signature = sign('sha256', readFileSync(0), readFileSync(key, 'utf8'));
process.stdout.write(encoding === 'base64' ? `${signature.toString('base64')}\n` : signature);
