// Which of many items of one height are seen in a box that scrolls.
import {useLayoutEffect, useState} from "../html.js";

const BEYOND = 4;

/** {first, last, before, after}: the items to draw, and the pixels of those around them. `top` is above the first. */
export function useVisible(scroller, length, height, top = 0) {
  const [range, setRange] = useState([0, 12]);
  useLayoutEffect(() => {
    const box = scroller.current;
    if (!box) return undefined;
    const look = () => {
      const first = Math.max(0, Math.floor((box.scrollTop - top) / height) - BEYOND);
      const last = Math.ceil((box.scrollTop - top + box.clientHeight) / height) + BEYOND;
      setRange((before) => before[0] === first && before[1] === last ? before : [first, last]);
    };
    look();
    box.addEventListener("scroll", look, {passive: true});
    const observer = new ResizeObserver(look);
    observer.observe(box);
    return () => {
      box.removeEventListener("scroll", look);
      observer.disconnect();
    };
  }, [length, height, top]);
  const last = Math.min(length, range[1]);
  const first = Math.max(0, Math.min(range[0], last));
  return {first, last, before: first * height, after: (length - last) * height};
}
