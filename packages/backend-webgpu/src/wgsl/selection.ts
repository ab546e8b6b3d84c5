/**
 * Sorting and selection in place by one thread, over the positions `item(i)` of a line, which `put(i, position)` writes;
 * `before(a, b)` says whether position `a` comes before `b`. Ties are broken as libstdc++ does in `sort`, `nth_element`
 * and `partial_sort`, which torch's CPU kernels use, so that indices of equal elements are the same on every device.
 * Compilers write a function's code out at each call: every function here calls as few others as possible.
 */
const insertion = `fn insertion_sort(first: i32, last: i32) {
  for (var i = first + 1; i < last; i++) {
    let value = item(i);
    var at = i;
    while (at > first && before(value, item(at - 1))) { put(at, item(at - 1)); at--; }
    put(at, value);
  }
}`;

/**
 * Makes `first` to `middle` a heap of the first elements of the whole range, the last of them on top; with `sorted` brings
 * them into order too. Making the heap, replacing its top and taking it off are one step: a value sinks from a place.
 */
const heap = `fn heap_select(first: i32, middle: i32, last: i32, sorted: bool) {
  let all = middle - first;
  var parent = (all - 2) / 2;
  if (all < 2) { parent = -1; }
  var i = middle;
  var end = middle - 1;
  loop {
    var top = 0;
    var length = all;
    var value = 0u;
    if (parent >= 0) { top = parent; value = item(first + parent); parent--; }
    else if (i < last) {
      let from_behind = i;
      i++;
      value = item(from_behind);
      if (!before(value, item(first))) { continue; }
      put(from_behind, item(first));
    } else if (sorted && end > first) {
      value = item(end);
      put(end, item(first));
      length = end - first;
      end--;
    } else { break; }
    var hole = top;
    var child = top;
    while (child < (length - 1) / 2) {
      child = 2 * (child + 1);
      if (before(item(first + child), item(first + child - 1))) { child--; }
      put(first + hole, item(first + child));
      hole = child;
    }
    if (length % 2 == 0 && child == (length - 2) / 2) {
      child = 2 * (child + 1) - 1;
      put(first + hole, item(first + child));
      hole = child;
    }
    while (hole > top) {
      let above = (hole - 1) / 2;
      if (!before(item(first + above), value)) { break; }
      put(first + hole, item(first + above));
      hole = above;
    }
    put(first + hole, value);
  }
}`;

/** Partitions around the median of three elements, which is moved to `first`; returns where the second part begins. */
const part = `fn part(first: i32, last: i32) -> i32 {
  let middle = first + (last - first) / 2;
  let a = item(first + 1);
  let b = item(middle);
  let c = item(last - 1);
  let ab = before(a, b);
  let bc = before(b, c);
  let ac = before(a, c);
  var median = first + 1;
  if (ab) { if (bc) { median = middle; } else if (ac) { median = last - 1; } }
  else if (!ac) { if (bc) { median = last - 1; } else { median = middle; } }
  let pivot = item(median);
  put(median, item(first));
  put(first, pivot);
  var low = first + 1;
  var high = last;
  loop {
    while (before(item(low), pivot)) { low++; }
    high--;
    while (before(pivot, item(high))) { high--; }
    if (low >= high) { break; }
    let t = item(low);
    put(low, item(high));
    put(high, t);
    low++;
  }
  return low;
}
fn depth_limit(n: i32) -> i32 { return 2 * (31 - i32(countLeadingZeros(u32(n)))); }`;

/**
 * With `nth < 0` sorts `count` positions. Else brings to `nth` what a sort would bring there, nothing before it coming
 * after it, and with `sorted` sorts those before it. Ranges of introsort do not touch each other, so a stack takes the place
 * of recursion.
 */
const arrange = `fn arrange(nth: i32, count: i32, sorted: bool) {
  var selecting = nth >= 0;
  var first = 0;
  var last = count;
  var depth = depth_limit(count);
  var stack: array<vec3<i32>, 64>;
  var size = 0;
  var all = count;
  loop {
    while (last - first > select(16, 3, selecting)) {
      if (depth == 0) {
        heap_select(first, select(last, nth + 1, selecting), last, !selecting);
        if (selecting) {
          let t = item(first);
          put(first, item(nth));
          put(nth, t);
          first = last;
        }
        break;
      }
      depth--;
      let cut = part(first, last);
      if (selecting) { if (cut <= nth) { first = cut; } else { last = cut; } }
      else {
        stack[size] = vec3(cut, last, depth);
        size++;
        last = cut;
      }
    }
    if (size > 0) {
      size--;
      first = stack[size].x;
      last = stack[size].y;
      depth = stack[size].z;
      continue;
    }
    insertion_sort(select(0, first, selecting), select(all, last, selecting));
    if (!selecting || !sorted || nth < 2) { break; }
    selecting = false;
    first = 0;
    last = nth;
    all = nth;
    depth = depth_limit(nth);
  }
}`;

/** WGSL of `arrange`. */
export const arranging: string = [insertion, heap, part, arrange].join('\n');
/** WGSL of `heap_select`. */
export const heaping: string = heap;
