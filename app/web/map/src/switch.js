// The switch of layers: buttons for kinds, a list for single possible futures.
import { make } from "./dom.js";

export class LayerSwitch {
  constructor(chosen) {
    this.chosen = chosen;
    this.element = make("div", { class: "switch" });
  }

  update(data, layer) {
    this.layer = layer;
    const one = data.layers.filter((item) => item.member !== undefined);
    const kinds = data.layers.filter((item) => item.member === undefined);
    this.buttons = kinds.map((item) =>
      make("button", { type: "button", title: item.says, "data-layer": item.id, onclick: () => this.choose(item.id) }, item.label));
    const group = make("div", { role: "group", class: "kinds", "aria-label": data.texts.layer }, ...this.buttons);
    this.list = null;
    if (one.length > 0) {
      this.list = make("select", { "aria-label": data.texts.each, title: data.texts.each, onchange: () => this.list.value && this.choose(this.list.value) },
        make("option", { value: "" }, data.texts.each), ...one.map((item) => make("option", { value: item.id }, item.label)));
    }
    this.says = make("p", { class: "says" });
    this.items = data.layers;
    this.element.hidden = data.layers.length < 2;
    this.element.replaceChildren(group, ...(this.list ? [this.list] : []), this.says);
    this.mark();
  }

  choose(layer) {
    this.layer = layer;
    this.mark();
    this.chosen(layer);
  }

  mark() {
    for (const item of this.buttons) item.setAttribute("aria-pressed", item.dataset.layer === this.layer);
    if (this.list) {
      const single = this.items.find((item) => item.id === this.layer)?.member !== undefined;
      this.list.value = single ? this.layer : "";
      this.list.classList.toggle("on", single);
    }
    this.says.textContent = this.items.find((item) => item.id === this.layer)?.says ?? "";
  }
}
