/*
 * S3 answers in XML of a fixed, flat form: elements without attributes that hold either text or elements. What is read of it are
 * the texts of a few, by name; so much needs no parser, and nothing in it is looked up, included or expanded.
 */

/** The content of every element of that name, markup included. */
export const elements = (xml: string, name: string): string[] =>
  [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map(([, content]) => content ?? '');

/** The text of the first element of that name. */
export function textOf(xml: string, name: string): string | undefined {
  const [content] = elements(xml, name);
  return content?.replaceAll(
    /&(#x?[0-9a-fA-F]{1,6}|[a-z]{2,4});/g,
    (whole, entity: string) => character(entity) ?? whole,
  );
}

const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function character(entity: string): string | undefined {
  if (!entity.startsWith('#')) return named[entity];
  const code = entity.startsWith('#x') ? Number.parseInt(entity.slice(2), 16) : Number(entity.slice(1));
  return code <= 0x10_ff_ff ? String.fromCodePoint(code) : undefined;
}

/** `text` as the content of an element. */
export const escaped = (text: string): string =>
  text.replaceAll(/[&<>]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign] ?? sign);
