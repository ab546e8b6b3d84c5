/** A no with its reason, where the yes carries what was found. */
export interface Refusal {
  readonly ok: false;
  readonly why: string;
}

export const refuse = (why: string): Refusal => ({ ok: false, why });
