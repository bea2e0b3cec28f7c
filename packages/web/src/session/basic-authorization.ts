/** HTTP Basic in UTF-8 (RFC 7617). */
export const basicAuthorization = (email: string, password: string): string => {
  const bytes = new TextEncoder().encode(`${email}:${password}`);
  return `Basic ${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))}`;
};
