// Numbers and times as people read them; null and undefined are a dash.

const count_ = new Intl.NumberFormat("en");
const known = (format) => (value) => (value === null || value === undefined ? "–" : format(value));

export const count = known((value) => count_.format(value));
export const percent = known((value) => `${(value * 100).toFixed(value > 0 && value < 0.1 ? 2 : 1)}%`);
export const dollars = known((value) => {
  const size = Math.abs(value);
  return `$${value === 0 ? "0" : size < 0.01 ? value.toPrecision(2) : value.toFixed(size >= 100 ? 0 : size >= 0.1 ? 2 : 3)}`;
});
export const milliseconds = known((value) => (value >= 1000 ? `${(value / 1000).toFixed(2)} s` : `${value.toFixed(value < 10 ? 2 : 0)} ms`));
export const bytes = known((value) => (value >= 2 ** 20 ? `${(value / 2 ** 20).toFixed(1)} MiB` : value >= 1024 ? `${(value / 1024).toFixed(1)} KiB` : `${value} B`));
export const seconds = known((value) => (value >= 3600 ? `${(value / 3600).toFixed(1)} h` : value >= 60 ? `${(value / 60).toFixed(1)} min` : `${value.toFixed(1)} s`));
export const when = known((value) => {
  const time = new Date(value * 1000);
  const today = time.toDateString() === new Date().toDateString();
  return time.toLocaleString(undefined, today ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
});
