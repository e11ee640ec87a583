// Rows over time as bars; to drag over them chooses a window of time.
import {html, useEffect, useRef} from "../html.js";
import {compact, count, iso, rowCount, time} from "../format.js";
import {colors} from "../theme.js";
import {moment} from "../time_window.js";
import {levels} from "./scale.js";
import uPlot from "../vendor/uplot.js";

const HEIGHT = 128;
/** Above the bars, where the count of the rows is. */
const ROOM = 22;
const FEWEST_PIXELS = 4;
/** An axis of less would say the same second more than once. */
const FEWEST_SECONDS = 10;

/** A tick in UTC: the day where the steps are days, and at midnight. */
const tickText = (seconds, step) => {
  const text = iso(seconds * 1000);
  const isDay = step >= 86_400 || text.endsWith("T00:00:00Z");
  return isDay ? text.slice(5, 10) : text.slice(11, step < 60 ? 19 : 16);
};

const options = (width, choose) => {
  const color = colors();
  const axis = {stroke: color.soft, font: "11px system-ui", grid: {stroke: color.line, width: 1}, ticks: {show: false}};
  const bars = uPlot.paths.bars({size: [0.92, 60], align: 1});
  return {
    width, height: HEIGHT, padding: [ROOM, 16, 0, 0], legend: {show: false},
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    cursor: {y: false, points: {show: false}, drag: {x: true, y: false, setScale: false}},
    scales: {x: {time: true}, y: {range: (_, low, high) => [0, Math.max(1, high ?? 1)]}},
    axes: [{...axis, size: 22, grid: {show: false}, space: 70, values: (_, ticks, __, ___, step) => ticks.map((tick) => tickText(tick, step))}, {...axis, size: 46, splits: (plot) => levels(0, Math.max(2, plot.scales.y.max), 2).filter((level) => level <= plot.scales.y.max && Number.isInteger(level)), values: (_, ticks) => ticks.map((tick) => tick === 0 ? "0" : compact(tick))}],
    series: [{}, {fill: color.window, width: 0, paths: bars, points: {show: false}}, {fill: color.alarm, width: 0, paths: bars, points: {show: false}}],
    hooks: {
      setSelect: [(plot) => {
        if (plot.select.width < FEWEST_PIXELS) return;
        const [from, to] = [plot.select.left, plot.select.left + plot.select.width].map((left) => plot.posToVal(left, "x"));
        plot.setSelect({left: 0, width: 0, top: 0, height: 0}, false);
        choose(from * 1000, to * 1000);
      }],
    },
  };
};

/** The seconds of the axis: those of the bars, or of the window where it has none. */
function rangeOf({total, step_seconds: step}, starts, {since, until}) {
  const asked = [moment(since), until ? moment(until) : Date.now()].map((milliseconds) => milliseconds / 1000);
  const isAsked = !total && !asked.some(Number.isNaN);
  const now = Date.now() / 1000;
  const min = isAsked ? asked[0] : starts[0] ?? now - FEWEST_SECONDS;
  return {min, max: Math.max(min + FEWEST_SECONDS, isAsked ? asked[1] : (starts[starts.length - 1] ?? now) + step)};
}

/**
 * `volume` as the server gives it; `window` that was asked for; `choose(from, to)` with milliseconds; `theme` draws it
 * again in its colors.
 */
export function Volume({volume, window, choose, theme, isOld}) {
  const place = useRef(null);
  const plot = useRef(null);
  const latest = useRef(choose);
  latest.current = choose;
  useEffect(() => {
    const box = place.current;
    plot.current = new uPlot(options(box.clientWidth, (...times) => latest.current(...times)), [[], [], []], box);
    const observer = new ResizeObserver(() => plot.current?.setSize({width: box.clientWidth, height: HEIGHT}));
    observer.observe(box);
    return () => {
      observer.disconnect();
      plot.current.destroy();
      plot.current = null;
    };
  }, [theme]);
  useEffect(() => {
    if (!volume) return;
    const starts = volume.starts.map((start) => Date.parse(start) / 1000);
    plot.current.batch(() => {
      plot.current.setData([starts, volume.rows, volume.errors ?? volume.rows.map(() => null)], false);
      plot.current.setScale("x", rangeOf(volume, starts, window));
      plot.current.setScale("y", {min: 0, max: Math.max(1, ...volume.rows)});
    });
  }, [volume, theme]);
  const label = volume && volume.starts.length > 0
    ? `${rowCount(volume.total)} from ${time(volume.starts[0], "minute")} UTC, at most ${count(Math.max(...volume.rows))} in ${volume.step_seconds} s`
    : "No rows";
  return html`<div class=${`volume${isOld ? " is-old" : ""}`} role="img" aria-label=${label} ref=${place}></div>`;
}
