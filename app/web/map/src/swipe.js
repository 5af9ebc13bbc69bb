// Another year beside the one shown: a second map that follows the first, cut at a line.
import maplibregl from "maplibre-gl";
import { make } from "./dom.js";
import { Rasters, addMarks, emptyStyle } from "./layers.js";

export class Swipe {
  constructor(view) {
    this.view = view;
    this.open = false;
  }

  toggle() {
    if (this.open) this.close();
    else this.start();
    this.mark();
  }

  mark() {
    this.view.tools.querySelector(".swiping")?.setAttribute("aria-pressed", this.open);
  }

  start() {
    const { data, map, stage } = this.view;
    const texts = data.texts;
    this.open = true;
    stage.classList.add("swiping");
    this.host = make("div", { class: "host left", "aria-hidden": "true" });
    this.line = make("input", { type: "range", class: "line", min: 0, max: 1000, value: 500, "aria-label": texts.swipe_line, oninput: () => this.cut() });
    const choices = data.frames.flatMap((frame) => [
      ...(!frame.forecast || frame.observed ? [[`observed/${frame.year}`, `${frame.year} ${texts.observed}`]] : []),
      ...(frame.forecast ? [[`forecast/${frame.year}`, `${frame.year} ${texts.forecast}`]] : []),
    ]);
    const truth = data.frames.some((frame) => frame.forecast && frame.observed);
    const first = truth && data.frames.find((frame) => frame.year === this.view.year)?.observed ? this.view.year : data.start;
    this.list = make("select", { class: "left-year", "aria-label": texts.left, onchange: () => this.show() },
      ...choices.map(([value, label]) => make("option", { value, selected: value === `observed/${first}` }, label)));
    this.bar = make("div", { class: "bar-line", "aria-hidden": "true" });
    stage.append(this.host, this.bar, this.line, this.list);
    const style = getComputedStyle(this.view.element);
    this.map = new maplibregl.Map({
      container: this.host,
      style: emptyStyle(data, style.getPropertyValue("--ground").trim()),
      interactive: false,
      attributionControl: false,
      center: map.getCenter(),
      zoom: map.getZoom(),
      maxZoom: 22,
      preserveDrawingBuffer: true,
      validateStyle: false,
    });
    this.follow = () => this.map.jumpTo({ center: map.getCenter(), zoom: map.getZoom() });
    map.on("move", this.follow);
    this.map.once("style.load", () => {
      addMarks(this.map);
      this.rasters = new Rasters(this.map);
      this.show();
    });
    this.cut();
  }

  cut() {
    const share = Number(this.line.value) / 10;
    this.host.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    this.bar.style.left = `${share}%`;
  }

  show() {
    if (!this.open || !this.rasters) return;
    const [layer, year] = this.list.value.split("/");
    const data = this.view.data;
    this.rasters.preload(data, layer);
    this.rasters.show(data, Number(year), layer);
  }

  close() {
    if (!this.open) return;
    this.open = false;
    this.view.stage.classList.remove("swiping");
    this.view.map.off("move", this.follow);
    this.map.remove();
    this.rasters = null;
    for (const part of [this.host, this.line, this.list, this.bar]) part.remove();
    this.mark();
  }
}
