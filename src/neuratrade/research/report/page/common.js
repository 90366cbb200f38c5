// Runs inside one block of its own, after the page. It only adds to the page: all that it shows is there without it.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (name) => document.getElementById(name);
const unpack = (packed, Kind) => new Kind(Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0)).buffer);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// What a cell says as a number: our minus sign, thousands apart. NaN where it says nothing.
const figure = (words) => parseFloat(words.replace(/[,+\s]/g, "").replace("\u2212", "-"));
const written = (value, places) =>
  Number.isFinite(value)
    ? value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places }).replace("-", "\u2212")
    : "\u2013";
const instant = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");

// The place of the last entry that is not above `value` in a rising list; -1 where all are.
function placeOf(list, value) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] <= value) low = middle + 1; else high = middle;
  }
  return low - 1;
}
