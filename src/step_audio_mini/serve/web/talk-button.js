// The one big button. Held like a walkie-talkie by finger, mouse, space or enter; a short tap latches, the next one
// lets go, which is also how a screen reader (it only clicks) uses it.

const TAP = 350; // milliseconds

export function pressButton(button, { click, canHold, isHeld, press, release }) {
  let since = null; // when the hold that is going on began
  let latching = false;
  let handled = false; // a click follows every pointer: only those of nobody's hand are to be acted on

  const down = () => {
    if (since !== null) return;
    since = performance.now();
    latching = !isHeld();
    if (latching) press();
  };
  const up = () => {
    if (since === null) return;
    const tapped = performance.now() - since < TAP;
    since = null;
    setTimeout(() => (handled = false), 100);
    if (!(tapped && latching)) release(); // a tap that began to talk stays until the next
  };

  button.addEventListener("pointerdown", (event) => {
    if (!canHold() || event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    down();
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) button.addEventListener(name, up);
  button.addEventListener("keydown", (event) => {
    if (!canHold() || (event.key !== " " && event.key !== "Enter")) return;
    event.preventDefault();
    if (!event.repeat) down();
  });
  button.addEventListener("keyup", (event) => {
    if (since === null || (event.key !== " " && event.key !== "Enter")) return;
    event.preventDefault();
    up();
  });
  button.addEventListener("blur", up);
  button.addEventListener("contextmenu", (event) => event.preventDefault()); // a long press is no menu here

  button.addEventListener("pointerdown", () => (handled = canHold()), true);
  button.addEventListener("click", () => {
    if (handled) handled = false;
    else if (!canHold()) click();
    else if (isHeld()) release();
    else press();
  });
}
