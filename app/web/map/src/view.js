// The whole component: toolbar, map, second map to swipe, timeline, card of a cell.
import maplibregl from "maplibre-gl";
import mapStyles from "maplibre-gl/dist/maplibre-gl.css";
import ownStyles from "./style.css";
import { cellAt, cellCard } from "./chart.js";
import { button, make, makeRoom } from "./dom.js";
import { Drawing } from "./draw.js";
import { legendParts } from "./legend.js";
import { OPACITY, Rasters, addMarks, emptyStyle, showLand } from "./layers.js";
import { savePicture, showPoster } from "./picture.js";
import { readAddress, writeAddress } from "./address.js";
import { Swipe } from "./swipe.js";
import { Timeline } from "./timeline.js";
import { LayerSwitch } from "./switch.js";
import { controlWords, placeShown } from "./words.js";

const FIT = { padding: 12, duration: 0 };

export class MapView {
  constructor(root) {
    this.rasters = null;
    this.ready = false;
    this.timeline = new Timeline((year) => this.go(year), (year) => this.loaded(year));
    this.layers = new LayerSwitch((layer) => this.choose(layer));
    this.host = make("div", { class: "host" });
    this.coordinates = make("output", { class: "coordinates", "aria-live": "off" });
    this.badge = make("div", { class: "badge", role: "status" });
    this.hint = make("div", { class: "hint", role: "status", hidden: true });
    this.tools = make("div", { class: "tools" });
    this.legend = make("div", { class: "legend" });
    this.side = make("div", { class: "side" });
    this.stage = make("div", { class: "stage" }, this.host, this.badge, this.hint, this.tools, this.legend, this.coordinates);
    this.element = make("div", { class: "landcast-map" },
      make("style", {}, mapStyles, ownStyles), this.layers.element,
      make("div", { class: "middle" },
        make("div", { class: "main" }, this.stage, this.timeline.element), this.side));
    this.element.addEventListener("keydown", (event) => this.key(event));
    root.append(this.element);
  }

  update(data, setState) {
    this.setState = setState;
    const same = this.data && JSON.stringify(this.data) === JSON.stringify(data);
    const place = this.data?.place;
    const fresh = place !== data.place || this.data?.run !== data.run;
    const language = this.data?.language;
    this.data = data;
    if (this.map && this.ready) this.paint();
    if (same) return;
    const asked = readAddress(data);
    const years = data.frames.map((one) => one.year);
    const known = data.layers.map((one) => one.id);
    if (fresh) {
      this.year = years.includes(asked.year) ? asked.year : years.at(-1);
      this.layer = known.includes(asked.layer) ? asked.layer : known[0];
    }
    if (this.map && language !== data.language) this.forget();
    if (this.map === undefined) this.create(asked.view);
    if (fresh && place !== undefined && data.room) makeRoom();
    if (fresh || language !== data.language) {
      this.closeCard();
      this.toolbar();
    }
    this.layers.update(data, this.layer);
    this.timeline.update(data, this.year);
    this.label();
    this.whenReady(() => {
      this.drawing.set(data.area ?? null);
      showLand(this.map, data);
      if (fresh) {
        this.rasters.clear();
        this.swipe.close();
        if (place !== undefined && place !== data.place) this.map.fitBounds(data.view ?? data.bounds, FIT);
      }
      this.show();
      this.preload();
      this.address();
    });
  }

  // What is asked for comes first, then what may be asked for next.
  preload() {
    this.map.once("idle", () => this.rasters.preload(this.data, this.layer));
  }

  create(view) {
    const style = getComputedStyle(this.element);
    this.map = new maplibregl.Map({
      container: this.host,
      style: emptyStyle(this.data, style.getPropertyValue("--ground").trim()),
      bounds: this.data.view ?? this.data.bounds,
      fitBoundsOptions: FIT,
      maxZoom: 22,
      locale: controlWords(this.data.texts),
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      cooperativeGestures: false,
      preserveDrawingBuffer: true,
      validateStyle: false,
    });
    if (view) this.map.jumpTo({ center: view.slice(0, 2), zoom: view[2] });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.addControl(new maplibregl.ScaleControl({ maxWidth: 110 }), "bottom-left");
    this.map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "bottom-right");
    this.map.getCanvas().setAttribute("aria-label", this.data.texts.map);
    this.map.on("idle", () => (this.element.dataset.drawn = this.element.dataset.year));
    this.map.on("mousemove", ({ lngLat }) => this.point(lngLat));
    this.map.on("moveend", () => this.address());
    this.map.on("click", (event) => this.clicked(event));
    this.swipe = new Swipe(this);
    this.shade();
    if (!view) showPoster(this.map, this.host, this.data, this.year, this.layer);
    this.map.once("style.load", () => {
      addMarks(this.map);
      this.rasters = new Rasters(this.map);
      const accent = style.getPropertyValue("--accent").trim();
      this.drawing = new Drawing(this.map, accent, (area) => this.drawn(area));
      this.ready = true;
      for (const waiting of this.queue.splice(0)) waiting();
    });
    this.observer = new ResizeObserver(() => this.map.resize());
    this.observer.observe(this.host);
  }

  // Scale and buttons of the map library keep the words that they were made with.
  forget() {
    this.swipe.close();
    this.map.remove();
    this.map = undefined;
    this.ready = false;
  }

  queue = [];
  opacityShown = OPACITY;

  whenReady(action) {
    if (this.ready) action();
    else this.queue.push(action);
  }

  paint() {
    const ground = getComputedStyle(this.element).getPropertyValue("--ground").trim();
    this.shade();
    this.map.setPaintProperty("ground", "background-color", ground);
  }

  // Dark or light: the icons of the map library are black.
  shade() {
    const colour = getComputedStyle(this.element).color.match(/\d+/g) ?? [0];
    this.element.classList.toggle("dark", Number(colour[0]) > 128);
  }

  toolbar() {
    const texts = this.data.texts;
    const tool = (kind) => (event) => this.tool(kind, event.currentTarget);
    const parts = [button("home", texts.home, () => this.map.fitBounds(this.data.view ?? this.data.bounds, { ...FIT, duration: 300 }))];
    parts.push(button("save", texts.save, () => this.save()));
    if (this.data.frames.length > 1) parts.push(button("swipe", texts.swipe, () => this.swipe.toggle(), { "aria-pressed": "false", class: "swiping" }));
    if (this.data.drawing) {
      parts.push(
        button("box", texts.box, tool("box")), button("polygon", texts.polygon, tool("polygon")),
        ...(this.data.cells ? [button("cells", texts.cells, tool("cells"))] : []),
        button("view", texts.take_view, () => this.drawing.takeView()), button("clear", texts.clear, () => this.clear()),
      );
    }
    this.tools.replaceChildren(...parts);
  }

  save() {
    const layer = this.data.layers.find((one) => one.id === this.layer);
    const caption = `${this.badge.textContent} · ${layer.label}`;
    savePicture(this.map.getCanvas(), caption, `landcast_${this.year}_${this.layer}.png`);
  }

  tool(kind) {
    if (this.drawing.kind === kind) this.endDrawing();
    else {
      this.drawing.start(kind);
      this.hint.textContent = this.data.texts[`${kind}_hint`];
      this.hint.hidden = false;
    }
  }

  endDrawing() {
    this.drawing.stop();
    this.hint.hidden = true;
  }

  drawn(area) {
    this.hint.hidden = !this.drawing.active;
    this.drawing.set(area);
    this.setState("area", area);
  }

  // Forgets the area; answers about cells that were clicked before come too late.
  clear() {
    this.drawing.area = null;
    this.endDrawing();
    this.drawn(null);
  }

  key(event) {
    if (event.key === "Escape") {
      if (this.drawing?.active) this.endDrawing();
      else this.closeCard();
    } else if (event.key === "Enter" && this.drawing?.active && event.target === this.map.getCanvas()) {
      this.drawing.finish();
      this.hint.hidden = true;
    } else if (event.key === " " && event.target === this.map.getCanvas()) {
      event.preventDefault();
      this.timeline.toggle();
    }
  }

  go(year) {
    this.year = year;
    this.show();
    this.address();
  }

  choose(layer) {
    this.layer = layer;
    this.show();
    this.preload();
    this.address();
  }

  loaded(year) {
    return this.ready && this.rasters.ready(this.data, year, this.layer);
  }

  show() {
    this.label();
    if (!this.ready) return;
    this.rasters.show(this.data, this.year, this.layer);
    this.swipe.show();
  }

  label() {
    const frame = this.data.frames.find((one) => one.year === this.year);
    const forecast = frame?.forecast && this.layer !== "observed";
    this.badge.hidden = frame === undefined;
    this.badge.className = forecast ? "badge forecast" : "badge";
    const missing = frame?.forecast && this.layer === "observed" && !frame.observed;
    const what = missing ? this.data.texts.unseen : forecast ? this.data.texts.forecast : this.data.texts.observed;
    this.badge.replaceChildren(make("b", {}, String(this.year)), ` ${what}`);
    const layer = this.data.layers.find((one) => one.id === this.layer);
    this.legend.replaceChildren(...(layer?.legend && forecast ? legendParts(layer.legend, this.data.texts, this.opacity()) : []));
    this.element.dataset.year = this.year;
    this.element.dataset.layer = this.layer;
  }

  opacity() {
    const slider = make("input", { type: "range", min: 10, max: 100, value: 100 * this.opacityShown, "aria-label": this.data.texts.opacity });
    slider.addEventListener("input", () => {
      this.opacityShown = slider.value / 100;
      this.rasters.opacity = slider.value / 100;
      this.rasters.show(this.data, this.year, this.layer);
    });
    return slider;
  }

  point(lngLat) {
    this.coordinates.textContent = placeShown(lngLat, this.data);
  }

  async clicked({ lngLat }) {
    this.point(lngLat);
    const choosing = this.drawing?.kind === "cells";
    if (this.drawing?.active && !choosing) return this.drawing.click(lngLat.toArray());
    if (!this.data.cells) return;
    const series = await cellAt(lngLat, this.data);
    if (choosing) return series && this.drawing.kind === "cells" && this.drawing.toggle(series);
    const card = series
      ? cellCard(series, this.data, () => this.closeCard())
      : make("section", { class: "card" }, make("p", {}, this.data.texts.no_cell));
    this.marker ??= new maplibregl.Marker({ color: "#d97706", scale: 0.7 });
    this.marker.setLngLat(lngLat).addTo(this.map);
    this.side.replaceChildren(card);
  }

  closeCard() {
    this.side.replaceChildren();
    this.marker?.remove();
  }

  address() {
    if (!this.data.run) return;
    const { lng, lat } = this.map.getCenter();
    writeAddress({ run: this.data.run, year: this.year, layer: this.layer, view: [lng, lat, this.map.getZoom()] });
  }

  remove() {
    this.timeline.stop();
    this.observer?.disconnect();
    this.swipe?.close();
    this.map?.remove();
    this.element.remove();
  }
}
