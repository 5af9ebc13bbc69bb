// The years: a slider that tells past from future, play, pause, speed, loop.
import { button, icon, make } from "./dom.js";

const SPEEDS = [0.5, 1, 2, 4];

function span(years) {
  return years.length > 1 ? `${years[0]}–${years.at(-1)}` : String(years[0]);
}

export class Timeline {
  constructor(moved, ready) {
    this.moved = moved;
    this.ready = ready;
    this.data = null;
    this.timer = null;
    this.element = make("div", { class: "timeline" });
  }

  update(data, year) {
    this.stop();
    this.data = data;
    const texts = data.texts;
    this.years = data.frames.map((one) => one.year);
    this.element.hidden = this.years.length === 0;
    if (this.element.hidden) return;
    const last = this.years.length - 1;
    this.play = button("play", texts.play, () => this.toggle(), { class: "round", disabled: last < 1 });
    this.range = make("input", {
      type: "range", min: 0, max: last, step: 1, "aria-label": texts.year, disabled: last < 1,
      oninput: () => {
        this.stop();
        this.go(Number(this.range.value));
      },
    });
    const from = Math.max(data.frames.findLastIndex((one) => !one.forecast), 0);
    const past = last < 1 ? 1 : from / last;
    this.range.style.setProperty("--seen", Math.max(past, 0.03));
    this.speed = make("select", { "aria-label": texts.speed, title: texts.speed },
      ...SPEEDS.map((one) => make("option", { value: one, selected: one === 1 }, `${one}×`)));
    this.loop = button("loop", texts.loop, () => {
      const on = this.loop.getAttribute("aria-pressed") !== "true";
      this.loop.setAttribute("aria-pressed", on);
    }, { "aria-pressed": "true" });
    const ends = make("div", { class: "ends", "aria-hidden": "true" });
    ends.append(make("span", { class: "past" }, `${span(this.years.slice(0, from + 1))} ${texts.observed}`));
    if (past < 1) ends.append(make("span", { class: "future" }, `${texts.forecast} ${span(this.years.slice(from + 1))}`));
    this.element.replaceChildren(
      this.play, make("div", { class: "track" }, this.range, ends), this.loop, this.speed,
    );
    this.set(year);
  }

  set(year) {
    const at = Math.max(this.years.indexOf(year), 0);
    this.range.value = at;
    const forecast = this.data.frames[at]?.forecast;
    this.range.setAttribute("aria-valuetext", `${this.years[at]}, ${forecast ? this.data.texts.forecast : this.data.texts.observed}`);
  }

  go(at) {
    this.range.value = at;
    this.moved(this.years[at]);
    this.set(this.years[at]);
  }

  toggle() {
    if (this.timer !== null) return this.stop();
    if (Number(this.range.value) >= this.years.length - 1) this.go(0);
    this.mark("pause", this.data.texts.pause);
    this.tick();
  }

  tick() {
    this.timer = setTimeout(() => {
      let next = Number(this.range.value) + 1;
      if (next >= this.years.length) {
        if (this.loop.getAttribute("aria-pressed") !== "true") return this.stop();
        next = 0;
      }
      // A year whose tiles are still on their way is waited for.
      if (this.ready(this.years[next])) this.go(next);
      this.tick();
    }, 1000 / Number(this.speed.value));
  }

  stop() {
    if (this.timer === null) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.mark("play", this.data.texts.play);
  }

  mark(name, label) {
    this.play.replaceChildren(icon(name));
    this.play.setAttribute("aria-label", label);
    this.play.title = label;
  }
}
