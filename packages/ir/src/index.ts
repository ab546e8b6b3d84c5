export {
  attr,
  type AttrKind,
  type AttrKinds,
  type AttrRecord,
  type AttrSpec,
  type AttrSpecs,
  type AttrValue,
  attrText,
  canonical,
  describeSpec,
  elementKind,
  internAttrs,
} from './attrs.js';
export { bindSymbols, concreteAttrs, concreteType } from './bind.js';
export { bufferSource, type ByteSource, Constant } from './constant.js';
export {
  type Atom,
  type Dim,
  dimAdd,
  dimCeilDiv,
  dimFloorDiv,
  dimMax,
  dimMin,
  dimMod,
  dimMul,
  dimProduct,
  dimSub,
  dimSymbols,
  dimText,
  evaluateDim,
  isSymbolName,
  substitute,
  symbol,
  SymExpr,
  type Term,
} from './dims.js';
export {
  byteLength,
  type DType,
  dtypeInfo,
  type DTypeInfo,
  type DTypeKind,
  dtypes,
  integerRange,
  isDType,
  isFloat,
  isInteger,
} from './dtype.js';
export { type Builder, type CreateOptions, Editor, type Snapshot } from './editor.js';
export {
  decodeElements,
  type Elements,
  encodeElements,
  fromBFloatBits,
  fromHalfBits,
  newElements,
  roundTiesToEven,
  toBFloatBits,
  toHalfBits,
} from './elements.js';
export { no, QfuseError, type Verdict, yes } from './error.js';
export { type ConstantRole, Graph, type GraphConstant, type GraphIds, type Mutation } from './graph.js';
export { attrsOf as nodeAttrs, type GraphReturn, graphReturn, Node, type Use, Value } from './handles.js';
export { contentKey } from './hash.js';
export {
  type AnyOp,
  type AttrsIn,
  type AttrsInOf,
  type AttrsOf,
  type AttrsOutOf,
  type InferContext,
  namedOperands,
  type Op,
  type OperandKind,
  type OperandName,
  type OperandsOf,
  type OperandSpec,
  type OperandSpecs,
  type OperandValues,
  optionalTensor,
  tensor,
  tensorList,
} from './op.js';
export { describeOrigin, madeOrigin, type Origin, sourceOrigin, sourcesOf } from './origin.js';
export { Cursor } from './cursor.js';
export { parseGraph, type ParseOptions } from './parse.js';
export { constantText } from './constant-text.js';
export { originText, printGraph, printNode, type PrintOptions, textVersion } from './print.js';
export { boolScalar, floatScalar, floatText, intScalar, type Scalar, scalarNumber, scalarText } from './scalar.js';
export { ShapeEnv, type SymbolFact, type Tri } from './shape-env.js';
export { isSorted } from './sort.js';
export { NONE, type NodeId, type UseId, type ValueId } from './store.js';
export { isStatic, numel, type TensorType, tensorType, typeText } from './types.js';
export { assertValid, type GraphError, verifyGraph } from './verify.js';
export { constantOf, countOf, type HostTensor, hostTensor, storer, tensorFrom, tensorOf } from './host-tensor.js';
