import type { Node } from '@qfuse/plugin';
import type { Annotations } from '../annotation.js';
import type { Annotator, OperatorType } from '../annotators/annotator.js';
import { checkPatterns, moduleNameFilter, type NodeFilter } from '../scopes.js';
import type { QuantizationConfig } from '../spec.js';

/**
 * What is quantized how. The most special scope counts: modules before operator types before all; `null` leaves the scope float.
 * Patterns of modules are those of {@link moduleNameFilter}.
 */
export interface QuantizationScopes {
  /** For all operators. torch: `set_global` */
  readonly global?: QuantizationConfig | null | undefined;
  /** torch: `set_operator_type` */
  readonly operatorTypes?: Readonly<Partial<Record<OperatorType, QuantizationConfig | null>>> | undefined;
  /** By pattern; the first that fits counts. torch: `set_module_name` */
  readonly moduleNames?: Readonly<Record<string, QuantizationConfig | null>> | undefined;
  /** Patterns of modules to quantize; default all. */
  readonly include?: readonly string[] | undefined;
  /** Patterns of modules to leave float. */
  readonly exclude?: readonly string[] | undefined;
  /** Only nodes for which it is true are quantized. torch: `set_filter_function` */
  readonly filter?: NodeFilter | undefined;
}

/** An annotator and the operators that it is for. */
export interface ScopedAnnotator {
  readonly type: OperatorType;
  readonly annotate: Annotator;
  /** Whether it is there for dynamic activations too. */
  readonly dynamic: boolean;
}

/**
 * Runs annotators for each scope in turn, each in the order of the list.
 * @throws QfuseError `quantizer/scope` when a pattern of modules names nothing
 */
export function annotateScopes(annotations: Annotations, scopes: QuantizationScopes, annotators: readonly ScopedAnnotator[]): void {
  const { global, operatorTypes = {}, moduleNames = {}, include, exclude = [], filter } = scopes;
  const named = Object.entries(moduleNames).map(([pattern, config]) => ({ config, accepts: moduleNameFilter(pattern) }));
  checkPatterns(annotations.graph, [...Object.keys(moduleNames), ...(include ?? []), ...exclude]);
  const included = include?.map(moduleNameFilter);
  const excluded = exclude.map(moduleNameFilter);
  const admitted = (node: Node): boolean =>
    (included?.some((f) => f(node)) ?? true) && !excluded.some((f) => f(node)) && (filter?.(node) ?? true);
  const run = (config: QuantizationConfig | null | undefined, accepts: NodeFilter, only?: (type: OperatorType) => boolean): void => {
    if (config === null || config === undefined) return;
    const isDynamic = config.inputActivation?.isDynamic === true;
    for (const { type, annotate, dynamic } of annotators)
      if ((dynamic || !isDynamic) && (only?.(type) ?? true)) annotate(annotations, config, (node) => admitted(node) && accepts(node));
  };
  named.forEach(({ config, accepts }, i) => run(config, (node) => accepts(node) && !named.slice(0, i).some((n) => n.accepts(node))));
  const elsewhere: NodeFilter = (node) => !named.some((n) => n.accepts(node));
  for (const [type, config] of Object.entries(operatorTypes)) run(config, elsewhere, (t) => t === type);
  run(global, elsewhere, (type) => !Object.hasOwn(operatorTypes, type));
}
