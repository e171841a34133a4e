/** How far an attempt has come: a part from 0 to 1 that only ever grows, whatever turns out to be needed besides. */

export type Step = "keys" | "begin" | "stretch" | "send" | "enrol";

/** Told at the beginning of each step. */
export interface Progress {
  readonly progress: Step;
  /** From 0 to 1, over the whole. */
  readonly part: number;
  /** Where `part` will be when the step is done. */
  readonly until: number;
  /** About how long the step takes, in milliseconds: nothing is heard meanwhile. */
  readonly about: number;
}

export type Tell = (progress: Progress) => void;

/** Milliseconds. What a stretch takes is measured (`pace`). */
const USUAL: Readonly<Record<Step, number>> = { keys: 60, begin: 80, stretch: 700, send: 250, enrol: 250 };

export class Way {
  private part = 0;
  private ahead: Step[] = [];
  private until = 0;

  /** `stretching` is what one stretch takes on this machine, in milliseconds. */
  constructor(
    private readonly tell: Tell,
    private readonly stretching = USUAL.stretch,
  ) {}

  /** What has still to be done, from here on. */
  plan(...steps: readonly Step[]): this {
    this.ahead = [...steps];
    return this;
  }

  /** A step begins, whether it was planned or not; the one before it is done. */
  enter(step: Step): void {
    this.part = Math.max(this.part, this.until);
    const place = this.ahead.indexOf(step);
    this.ahead = place < 0 ? this.ahead : this.ahead.slice(place + 1);
    const about = this.cost(step);
    const left = this.ahead.reduce((sum, each) => sum + this.cost(each), about);
    this.until = this.part + ((1 - this.part) * about) / left;
    this.tell({ progress: step, part: this.part, until: this.until, about });
  }

  private cost(step: Step): number {
    return step === "stretch" ? this.stretching : USUAL[step];
  }
}
