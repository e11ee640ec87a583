// Numbers of answers, and ends of axes that are easy to read.

/** A finite number, or null: JSON has NaN and infinities as texts, and integers above 2^53 too. */
export function finite(value) {
  if (value === null || value === undefined || value === "" || typeof value === "boolean") {
    return null;
  }
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** The ends of an axis around two numbers, of which the middle is as easy to read as they are. */
export function rounded(low, high) {
  const rough = (high - low) / 2;
  const power = 10 ** Math.floor(Math.log10(rough));
  for (const factor of [1, 2, 2.5, 5, 10, 20]) {
    const half = factor * power;
    const start = Math.floor(low / half + 1e-9) * half;
    if (half >= rough && start + 2 * half >= high - 1e-9 * half) {
      return [clean(start), clean(start + 2 * half)];
    }
  }
  return [low, high];
}

function clean(value) {
  return Number(value.toPrecision(12));
}
