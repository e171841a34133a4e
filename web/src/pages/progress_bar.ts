/** A bar that moves while the worker is silent: it draws near to where the step ends, and never goes back. */

import type { Progress } from "../flows/progress";
import { element, say } from "./page";

export class ProgressBar {
  private readonly place = element("progress");
  private readonly bar = this.place.querySelector("progress");
  private readonly words = this.place.querySelector("span");
  private readonly calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  private heard: (Progress & { readonly at: number }) | undefined;
  private frame = 0;

  begin(): void {
    this.end();
    this.tell("start");
    this.place.hidden = false;
  }

  hear(progress: Progress): void {
    this.heard = { ...progress, at: performance.now() };
    this.tell(progress.progress);
    this.rise(progress.part);
    if (!this.calm.matches && this.frame === 0) this.frame = requestAnimationFrame(this.move);
  }

  end(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.heard = undefined;
    this.place.hidden = true;
    if (this.bar !== null) this.bar.value = 0;
    if (this.words !== null) this.words.textContent = "";
  }

  private readonly move = (now: number): void => {
    if (this.heard === undefined) return;
    const { part, until, about, at } = this.heard;
    this.rise(part + (until - part) * (1 - Math.exp((-2 * Math.max(now - at, 0)) / about)));
    this.frame = requestAnimationFrame(this.move);
  };

  private rise(part: number): void {
    if (this.bar !== null) this.bar.value = Math.max(this.bar.value, part);
  }

  private tell(step: string): void {
    if (this.words !== null) this.words.textContent = say(`progress.${step}`);
  }
}
