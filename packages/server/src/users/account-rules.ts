import { ServerError } from '../server-error.ts';

const minPasswordLength = 8;
const maxLength = 256;

/** An address as it is stored: in lower case. Throws `badRequest` unless it looks like one. */
export function readEmail(email: string): string {
  if (email.length > maxLength || !/^[\x21-\x3f\x41-\x7e]+@[\x21-\x3f\x41-\x7e]+$/.test(email)) {
    throw new ServerError('badRequest', 'email: must be a valid email address.');
  }
  return email.toLowerCase();
}

/** Server contract 5.3. Throws `unprocessable`. `emails` are all that the password must not resemble. */
export function assertPassword(password: string, emails: readonly string[]): void {
  if (password.length < minPasswordLength) {
    throw new ServerError('unprocessable', 'password: must be minimum 8 characters long');
  }
  if (password.length > maxLength || !/^[\x20-\x7e]*$/.test(password)) {
    throw new ServerError('unprocessable', 'password: must be at most 256 ASCII characters');
  }
  assertDissimilar(password, emails);
}

export function assertDissimilar(password: string, emails: readonly string[]): void {
  if (emails.some((email) => email.toLowerCase().includes(password.toLowerCase()))) {
    throw new ServerError('unprocessable', 'password is too similar to the email');
  }
}
