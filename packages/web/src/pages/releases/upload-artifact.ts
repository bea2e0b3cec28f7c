import { ApiError, uploadArtifact } from '@tandem/api';
import { interruptSession, readSession } from '../../session/session.ts';

export interface Upload {
  readonly file: File;
  readonly description: string;
  /** From 0 to 1. */
  readonly onProgress: (part: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Uploads an artifact; resolves when the server has checked and stored all of it. By XMLHttpRequest, which alone tells how far a
 * request body has come. Throws an ApiError as every call does.
 */
export function uploadFile({ file, description, onProgress, signal }: Upload): Promise<void> {
  const form = new FormData();
  if (description !== '') form.append('description', description);
  // Before the artifact: the server reads the parts as they come.
  form.append('size', String(file.size));
  form.append('artifact', file);
  const session = readSession();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(uploadArtifact.method, uploadArtifact.path);
    if (session !== undefined) request.setRequestHeader('authorization', `Bearer ${session.token}`);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total === 0 ? 0 : loaded / total);
    request.onload = () => {
      if (request.status === 201) resolve();
      else {
        if (request.status === 401) interruptSession();
        reject(refusal(request));
      }
    };
    request.onerror = () =>
      reject(new ApiError('unreachable', 'the connection broke before the server had all of the artifact'));
    request.onabort = () => reject(new ApiError('unreachable', 'the upload was cancelled'));
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(form);
  });
}

function refusal(request: XMLHttpRequest): ApiError {
  const { status } = request;
  let body: unknown;
  try {
    body = JSON.parse(request.responseText);
  } catch {
    body = undefined;
  }
  return new ApiError('refused', `the upload was refused with ${status}`, {
    status,
    requestId: request.getResponseHeader('x-men-requestid') ?? undefined,
    body,
  });
}
