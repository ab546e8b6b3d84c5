/**
 * The limits that keep a damaged or hostile archive from costing more than seconds and bounded memory.
 * Each is far above what `torch.export.save` writes and far below what would hurt.
 */

/** Entries of an archive. torch writes one per weight storage; the largest public models have some 10^4. */
export const MAX_ENTRIES = 200_000;

/** Bytes of the zip central directory: {@link MAX_ENTRIES} entries with names of 200 bytes fit. */
export const MAX_DIRECTORY_BYTES = 64 * 2 ** 20;

/** Bytes of one entry name. Module paths do not appear in entry names, only `<model>/data/weights/weight_12`. */
export const MAX_NAME_BYTES = 1024;

/**
 * All deflated entries together may inflate to this many bytes per byte of the archive, plus
 * {@link INFLATED_ALLOWANCE}. Trained weights reach 1.1 to 4; DEFLATE itself can reach 1032, which only a bomb needs.
 */
export const MAX_INFLATE_RATIO = 100;

/** Inflated bytes that are always allowed: small archives of zeros are legitimate and compress 1000 to 1. */
export const INFLATED_ALLOWANCE = 64 * 2 ** 20;

/** Compressed bytes that are given to the inflater at once; one step yields at most 1032 times as much. */
export const INFLATE_STEP = 2 ** 16;

/** Bytes of `models/<model>.json`. A 100-layer transformer takes about 20 MiB. */
export const MAX_PROGRAM_BYTES = 64 * 2 ** 20;

/** Bytes of a weights or constants configuration. One weight takes about 300 bytes. */
export const MAX_CONFIG_BYTES = 64 * 2 ** 20;

/** Bytes of the one-word files `archive_format`, `archive_version`, `byteorder`. */
export const MAX_WORD_BYTES = 64;

/** Nesting of JSON values. A program without control flow nests 12 deep; each level of `cond` adds 6. */
export const MAX_JSON_DEPTH = 200;

/** Lists and objects of a JSON text; each costs some 200 bytes. A 100-layer transformer has about 300,000. */
export const MAX_JSON_CONTAINERS = 2_000_000;

/** Values of a JSON text, containers included. */
export const MAX_JSON_VALUES = 16_000_000;

/** Characters of one JSON number: 64-bit integers take 20, doubles 24. */
export const MAX_NUMBER_CHARS = 64;

/** Rank of a tensor; PyTorch's own limit is 64. */
export const MAX_RANK = 64;

/** Characters of one symbolic expression (`expr_str`). */
export const MAX_EXPR_CHARS = 10_000;

/** Nesting of one symbolic expression. */
export const MAX_EXPR_DEPTH = 100;

/**
 * Views of views of views: a write through such a chain costs a node for each, so that a chain that grows with the
 * program would cost the square of its length. Models have chains of up to about 6.
 */
export const MAX_VIEW_DEPTH = 64;

/** The longest part of foreign text (names, values) that a message quotes. */
export const MAX_QUOTED_CHARS = 80;

/**
 * Bytes of a tensor whose strides repeat elements (an expanded mask, say), written out. Without it a file of
 * 100 bytes could ask for terabytes.
 */
export const MAX_EXPANDED_BYTES = 2 ** 30;
