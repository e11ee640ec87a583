// Numbers of answers, and levels of axes that are easy to read.

/** A finite number, or null: JSON has NaN and infinities as texts, and integers above 2^53 too. */
export function finite(value) {
  if (value === null || value === undefined || value === "" || typeof value === "boolean") return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** Equally far levels from one at or below `low` to one at or above `high`, with at most `most` steps between them. */
export function levels(low, high, most = 5) {
  const power = 10 ** Math.floor(Math.log10((high - low) / most));
  for (const factor of [1, 2, 2.5, 5, 10, 20]) {
    const step = factor * power;
    const first = Math.floor(low / step + 1e-9);
    const last = Math.ceil(high / step - 1e-9);
    if (last - first <= most && Number.isFinite(first)) {
      const found = Array.from({length: Math.max(2, last - first + 1)}, (_, at) => Number(((first + at) * step).toPrecision(12)));
      // Of large numbers that are close together, all levels may be rounded to one.
      if (found[0] <= low && found[found.length - 1] >= high && found[0] < found[found.length - 1]) return found;
    }
  }
  return [low, high];
}
