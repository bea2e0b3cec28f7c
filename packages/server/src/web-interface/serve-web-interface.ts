import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { encodings, type Encoding, type WebFile, type WebFiles } from './web-files.ts';

/** Where the interface lives; all else on the server's address is the API's. */
const base = '/ui/';

/**
 * Only what the server itself hands out runs or is shown, and no page may hold ours in a frame. Styles are files; the one inline
 * style is what React Aria adds for touch screens, known by its hash.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'sha256-38RhXrc7EdReTKsOm23ZPOCUgniTUUcjky8QOOrQx6o='",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const notBuilt = `This server runs without its web interface: it was not built (npm run build:web), or --web-interface names another directory.
The API is there all the same.
`;

/** Serves the files below /ui/, the first page for every address that is not a file, and leads people there from /. */
export function serveWebInterface(http: FastifyInstance, files: WebFiles | undefined): void {
  http.get('/', async (_request, reply) => reply.redirect(base, 302));
  http.get('/ui', async (_request, reply) => reply.redirect(base, 302));
  http.get(`${base}*`, async (request, reply) => {
    reply.headers({
      'content-security-policy': contentSecurityPolicy,
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'cross-origin-opener-policy': 'same-origin',
    });
    if (files === undefined) return reply.code(404).type('text/plain; charset=utf-8').send(notBuilt);
    const path = (request.url.split('?', 1)[0] ?? '').slice(base.length);
    // An address within the interface is known to its own script alone; a missing file is missing.
    const file = files.get(path) ?? (path.startsWith('assets/') ? undefined : files.get('index.html'));
    if (file === undefined) return reply.callNotFound();
    return sendFile(request, reply, file);
  });
}

function sendFile(request: FastifyRequest, reply: FastifyReply, file: WebFile): FastifyReply {
  const encoding = bestForm(file, String(request.headers['accept-encoding'] ?? ''));
  reply.headers({
    'content-type': file.contentType,
    'cache-control': file.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    vary: 'accept-encoding',
    ...(encoding === 'identity' ? {} : { 'content-encoding': encoding }),
  });
  return reply.send(file.forms[encoding]);
}

/** The first of ours that the browser takes; one it refuses by `q=0` it does not take. */
function bestForm(file: WebFile, accepted: string): Encoding {
  const names = accepted
    .split(',')
    .map((part) => part.trim().toLowerCase())
    .filter((part) => !/;\s*q=0(?:\.0*)?$/.test(part))
    .map((part) => part.split(';', 1)[0]);
  return (
    encodings.find((encoding) => file.forms[encoding] !== undefined && names.includes(encoding)) ?? 'identity'
  );
}
