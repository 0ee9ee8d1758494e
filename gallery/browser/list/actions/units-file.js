// Files of a list of units: CSV after RFC 4180, or JSON. Numbers are written as the gallery stores them.

/**
 * The lines of a CSV file, as an iterator of texts; `rows` are arrays of strings, numbers, booleans or
 * null, which is an empty cell.
 */
export function* csvLines(columns, rows) {
  yield csvLine(columns);
  for (const row of rows) yield csvLine(row);
}

const csvLine = (cells) => `${cells.map(csvCell).join(",")}\r\n`;

function csvCell(value) {
  if (value === null) return "";
  const text = String(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The text of a JSON file, as an iterator of its parts: the properties of `head`, and `units`, an object for each row. */
export function* jsonLines(head, columns, rows) {
  yield `${JSON.stringify(head, null, 1).slice(0, -2)},\n "units": [`;
  let separator = "\n";
  for (const row of rows) {
    const unit = Object.fromEntries(columns.map((column, i) => [column, row[i]]));
    yield `${separator}  ${JSON.stringify(unit)}`;
    separator = ",\n";
  }
  yield "\n ]\n}\n";
}
