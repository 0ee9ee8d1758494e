// Formatting of numbers and text.

/** A count with its noun: "1 unit", "1,200 units", with a non-breaking space. */
export function counted(count, noun) {
  return `${count.toLocaleString("en")}\u00a0${noun}${count === 1 ? "" : "s"}`;
}

/** Items on one line, separated by dots. */
export const listed = (items) => items.join("\u00a0\u00b7 ");

/** A value with four significant digits; a dash for null. */
export function measured(value) {
  if (value === null) return "\u2013";
  return value.toPrecision(4).replace("-", "\u2212");
}

/**
 * A format for values on one scale: all with the same number of decimals, `digits` in front of the
 * smallest shown part of the range from `low` to `high`.
 */
export function scaleFormat(low, high, digits = 4) {
  const range = high - low || Math.abs(high) || 1;
  const decimals = Math.min(20, Math.max(0, digits - 1 - Math.floor(Math.log10(range))));
  return (value) => {
    if (value === null) return "\u2013";
    const text = value.toFixed(decimals);
    return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "\u2212");
  };
}

/** A value with at most four significant digits, without trailing zeros. */
export const rounded = (value) => String(Number(value.toPrecision(4))).replace("-", "\u2212");

/** A value with at most three significant digits, without trailing zeros; a dash for null. */
export const brief = (value) => (value === null ? "\u2013" : rounded(Number(value.toPrecision(3))));

/** A share as a percentage; a dash for null. */
export const percent = (share) =>
  share === null ? "\u2013" : `${(100 * share).toFixed(1).replace("-", "\u2212")}\u00a0%`;

/** A value with two decimals; a dash for null. */
export const hundredths = (value) =>
  value === null ? "\u2013" : value.toFixed(2).replace("-", "\u2212");

/** A text as part of a file name: only letters, digits, dots and hyphens. */
export const plainName = (text) =>
  text
    .replace(/[^A-Za-z0-9.]+/g, "-")
    .replace(/^[.-]+|[.-]+$/g, "")
    .slice(0, 80);

/** A text normalized for search: lower case, compatibility characters replaced. */
export const foldedText = (text) => text.normalize("NFKC").toLowerCase();

/** Whether a text is short for addresses: "9:2". */
export const isShortAddress = (text) => /^\d+:\d+$/.test(text);

/**
 * Whether a lowercase address contains a word of a search. "9:2" means unit 2 of block 9, where the block
 * is the first number of the layer.
 */
export function addressHas(address, word) {
  if (!isShortAddress(word)) return address.includes(word);
  const [block, unit] = word.split(":");
  const [, site, index] = /^([^:]*):(\d+)(@.*)?$/s.exec(address) ?? [];
  return index === unit && /\d+/.exec(site)?.[0] === block;
}
