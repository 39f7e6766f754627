// What the page knows, and who wants to hear of a change.

export const store = {
  session: null,     // GET /console/session
  state: null,       // the last `state` of the stream
  history: null,     // the last `history`
  heardAt: null,     // when the last `state` came, by this browser's clock
  since: Date.now(), // when the page began to wait for the first
  dead: null,        // the last look into the dead-letter queue
};

const listeners = [];
export const whenChanged = listener => listeners.push(listener);

let scheduled = 0;
export function changed() {
  if (scheduled) return;
  // A tab in the background draws no frames, and its title still has to tell.
  const soon = document.hidden ? action => setTimeout(action, 100) : requestAnimationFrame;
  scheduled = soon(() => {
    scheduled = 0;
    listeners.forEach(listener => listener());
  });
}

// Frames that were asked for are not drawn once the tab is hidden.
document.addEventListener('visibilitychange', () => {
  scheduled = 0;
  changed();
});

// Seconds since the worker was last heard, or since the page began to listen.
export const age = () => Math.max(0, (Date.now() - (store.heardAt ?? store.since)) / 1000);

// The worker's clock, as far as it is known: ages must not depend on this browser's.
export function now() {
  if (!store.state) return Date.now();
  return Date.parse(store.state.at) + (Date.now() - store.heardAt);
}
