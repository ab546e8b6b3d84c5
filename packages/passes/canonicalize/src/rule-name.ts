import type { AnyOp } from '@qfuse/plugin';

/** The name of an op as a part of a rule's name: `aten._to_copy` is `to-copy`, `aten.mT` is `m-t`. */
export const ruleNameOf = (def: AnyOp): string =>
  def.name
    .replace(/^[a-z]+\./, '')
    .replace(/(?<=[a-z])(?=[A-Z])/g, '-')
    .replace(/[._]+/g, '-')
    .replace(/^-/, '')
    .toLowerCase();
