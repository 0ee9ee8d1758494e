// Numbers and facts as text.

/** A count with its noun: "1 unit", "1,200 units"; a line never breaks between them. */
export function counted(count, noun) {
  return `${count.toLocaleString("en")}\u00a0${noun}${count === 1 ? "" : "s"}`;
}

/** Facts on a line; where it breaks, the point stays behind. */
export const listed = (facts) => facts.join("\u00a0\u00b7 ");

/** A value with four digits; a dash where nothing finite was measured. */
export function measured(value) {
  if (value === null) return "\u2013";
  return value.toPrecision(4).replace("-", "\u2212");
}

/** A round value, without the zeros that `measured` keeps. */
export const rounded = (value) => String(Number(value.toPrecision(4))).replace("-", "\u2212");

/** A value with three digits, without zeros at its end; a dash where nothing finite was measured. */
export const brief = (value) => (value === null ? "\u2013" : rounded(Number(value.toPrecision(3))));

/** A share as a percentage; a dash where there is none. */
export const percent = (share) =>
  share === null ? "\u2013" : `${(100 * share).toFixed(1).replace("-", "\u2212")}\u00a0%`;

/** A value with two decimals. */
export const hundredths = (value) =>
  value === null ? "\u2013" : value.toFixed(2).replace("-", "\u2212");

/** A text as it is searched: without case, and with one form of each letter. */
export const foldedText = (text) => text.normalize("NFKC").toLowerCase();
