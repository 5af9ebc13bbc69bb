// The series of a cell: how it may look, how bright it may be, how likely it has changed.
import { make } from "./dom.js";

const WIDTH = 300;
const HEIGHT = 92;
const LEFT = 36;
const BOTTOM = 18;

const bright = (colour) => (colour ? colour.reduce((sum, value) => sum + value, 0) / colour.length : null);

function quantile(values, share) {
  const at = share * (values.length - 1);
  const low = Math.floor(at);
  return values[low] + (values[Math.min(low + 1, values.length - 1)] - values[low]) * (at - low);
}

// Low, middle and high brightness of a year: of the possible futures, or of their mean and spread.
function fan(year) {
  const members = Object.values(year.members ?? {}).map(bright).filter((value) => value !== null);
  if (members.length > 1) {
    members.sort((a, b) => a - b);
    return [0.05, 0.5, 0.95].map((share) => quantile(members, share));
  }
  const middle = bright(year.mean);
  if (middle === null) return null;
  const spread = 1.645 * (year.spread ?? 0);
  return [middle - spread, middle, middle + spread];
}

function frame(years, low, high, label, shown) {
  const across = (year) => LEFT + ((WIDTH - LEFT - 8) * (year - years[0])) / Math.max(years.at(-1) - years[0], 1);
  const up = (value) => 6 + (HEIGHT - BOTTOM - 6) * (1 - (value - low) / (high - low || 1));
  const chart = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label, class: "chart" });
  for (const value of [low, high]) {
    chart.append(
      make("line", { x1: LEFT, x2: WIDTH - 8, y1: up(value), y2: up(value), class: "grid" }),
      make("text", { x: LEFT - 5, y: up(value) + 4, "text-anchor": "end" }, shown(value)),
    );
  }
  for (const year of [years[0], years.at(-1)]) {
    const anchor = year === years[0] ? "start" : "end";
    chart.append(make("text", { x: across(year), y: HEIGHT - 4, "text-anchor": anchor }, String(year)));
  }
  return { chart, across, up };
}

function fanChart(series, texts, language) {
  const start = bright(series.start);
  const fans = series.years.map((one) => [one.year, fan(one)]).filter(([, values]) => values !== null);
  if (start === null || fans.length === 0) return null;
  const points = [[series.start_year, [start, start, start]], ...fans];
  const every = points.flatMap(([, values]) => values);
  const pad = Math.max((Math.max(...every) - Math.min(...every)) * 0.1, Math.abs(start) * 0.02, 1e-6);
  const years = points.map(([year]) => year);
  const shown = (value) => value.toLocaleString(language, Math.abs(value) < 10 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: 0 });
  const { chart, across, up } = frame(years, Math.min(...every) - pad, Math.max(...every) + pad, texts.brightness, shown);
  const at = (index) => points.map(([year, values]) => `${across(year)},${up(values[index])}`);
  chart.append(
    make("polygon", { points: [...at(0), ...at(2).reverse()].join(" "), class: "fan" }),
    make("polyline", { points: at(1).join(" "), class: "middle" }),
    make("circle", { cx: across(series.start_year), cy: up(start), r: 3.5, class: "start" }),
  );
  return chart;
}

function probabilityChart(series, texts) {
  const known = series.years.filter((one) => one.change_probability !== null);
  if (known.length === 0) return null;
  const years = [series.start_year, ...known.map((one) => one.year)];
  const { chart, across, up } = frame(years, 0, 1, texts.probability, (value) => `${100 * value} %`);
  const width = Math.min(18, (WIDTH - LEFT - 8) / years.length / 1.6);
  for (const one of known) {
    const top = up(one.change_probability);
    chart.append(
      make("rect", { x: Math.min(across(one.year) - width / 2, WIDTH - 8 - width), y: top, width, height: Math.max(up(0) - top, 0.5), class: "bar" }),
    );
  }
  return chart;
}

function swatch(colour, range, year, title) {
  if (!colour) return null;
  const levels = colour.map((value) => Math.round((255 * (value - range[0])) / (range[1] - range[0])));
  const look = make("span", { class: "swatch", style: `background:rgb(${levels.join()})`, title });
  return make("span", { class: "look" }, look, String(year).slice(-2).padStart(3, "’"));
}

// The series of the cell at a place; null where there is none.
export async function cellAt({ lng, lat }, { base, run }) {
  try {
    const answer = await fetch(`${base}/api/v1/runs/${run}/cells?lon=${lng}&lat=${lat}`);
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

export function cellCard(series, data, close) {
  const texts = data.texts;
  const last = series.years.at(-1);
  const fanned = fanChart(series, texts, data.language);
  const likely = probabilityChart(series, texts);
  const percent = last.change_probability === null ? "–" : `${Math.round(100 * last.change_probability)} %`;
  const looks = [
    swatch(series.start, data.range, series.start_year, texts.observed),
    ...series.years.map((one) => swatch(one.forecast, data.range, one.year, texts.future)),
  ];
  return make(
    "section",
    { class: "card", "aria-label": texts.cell },
    make("header", {}, make("strong", {}, `${texts.cell} ${series.row}, ${series.col}`),
      make("button", { type: "button", class: "plain", "aria-label": texts.close, title: texts.close, onclick: close }, "×")),
    make("p", { class: "big" }, make("b", {}, percent), ` ${texts.changed_by} ${last.year}`),
    likely && make("h4", {}, texts.probability), likely,
    fanned && make("h4", {}, texts.brightness), fanned,
    fanned && make("p", { class: "small" }, texts.fan),
    make("div", { class: "looks" }, ...looks),
  );
}
