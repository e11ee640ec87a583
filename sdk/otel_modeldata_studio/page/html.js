// Elements as templates. Text from the data is always a child or an attribute: preact never makes it HTML.
import {h} from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export const html = htm.bind(h);
export {render} from "./vendor/preact.js";
export {
  useCallback, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useReducer, useRef, useState,
} from "./vendor/preact-hooks.js";
