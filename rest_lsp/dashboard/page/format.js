// Numbers and times in words.  A missing value is a dash.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const DASH = "–";

const given = (value) => value !== null && value !== undefined && !Number.isNaN(value);
const shown = (write) => (value) => (given(value) ? write(value) : DASH);

export const count = shown((value) => whole.format(value));
export const ratio = shown((value) => fine.format(value));
export const percent = shown((value) => `${(100 * value).toFixed(value && value < 0.1 ? 1 : 0)} %`);
export const ms = shown((value) => {
  if (Math.abs(value) >= 1000) return duration(value);
  return `${Math.abs(value) < 10 ? value.toFixed(1) : whole.format(value)} ms`;
});
export const bytes = shown((value) => {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} GB`;
  return value >= 1e6 ? `${whole.format(value / 1e6)} MB` : `${whole.format(value / 1e3)} kB`;
});

/** Milliseconds as seconds, minutes or hours. */
export const duration = shown((value) => {
  const seconds = Math.abs(value) < 50 ? 0 : value / 1000;
  if (Math.abs(seconds) < 120) return `${seconds.toFixed(1)} s`;
  return Math.abs(seconds) < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
});

export function ago(at, now) {
  const seconds = Math.max(0, Math.round(now - at));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86400)} days ago`;
}

/** A moment, as exactly as steps of so many seconds need. */
export function moment(at, step) {
  const date = new Date(1000 * at);
  const day = { month: "short", day: "numeric" };
  const time = { hour: "2-digit", minute: "2-digit" };
  return date.toLocaleString("en", step >= 86400 ? day : { ...day, ...time });
}

export const quotient = (above, below) => (given(above) && below ? above / below : null);
