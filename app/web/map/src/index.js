// The map of landcast as a Streamlit component: mounted once, told of new data, never rerun.
import { MapView } from "./view.js";

const mounted = new WeakMap();

export default function landcastMap({ data, parentElement, setStateValue }) {
  let view = mounted.get(parentElement);
  if (view === undefined) {
    view = new MapView(parentElement);
    mounted.set(parentElement, view);
  }
  view.update(data, setStateValue);
  return () => {
    view.remove();
    mounted.delete(parentElement);
  };
}
