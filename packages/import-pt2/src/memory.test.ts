import { Editor, Graph, tensorType, type Value } from '@qfuse/plugin';
import { describe, expect, it } from 'vitest';
import { Memory, type TensorRef, type View } from './memory.js';

/** Contents are values of a graph; here they are inputs whose names say how they came to be. */
class Bench {
  readonly memory = new Memory();
  readonly #graph = new Graph();
  readonly #editor = new Editor(this.#graph);

  value(name: string): Value {
    return this.#graph.named(name) ?? this.#editor.addInput(name, tensorType('f32', [1]));
  }

  view(name: string, scatter = true): View {
    return {
      op: name,
      replay: (s) => this.value(`${name}(${s.name})`),
      scatter: scatter ? (s, p) => this.value(`${name}'(${s.name},${p.name})`) : undefined,
    };
  }

  make(source: TensorRef, name: string, scatter = true): TensorRef {
    const view = this.view(name, scatter);
    return this.memory.view(source, view, view.replay(this.memory.read(source, 'test')), 'test');
  }

  read(ref: TensorRef, who = 'reader'): string | undefined {
    return this.memory.read(ref, who).name;
  }

  write(ref: TensorRef, name: string): void {
    this.memory.write(ref, this.value(name), `write of ${name}`);
  }
}

describe('Memory', () => {
  it('carries a write back to the root and to all other views', () => {
    const b = new Bench();
    const root = b.memory.fresh(b.value('x'));
    const [left, right] = [b.make(root, 'L'), b.make(root, 'R')];
    const deep = b.make(left, 'D');
    b.write(deep, 'n');
    expect([deep, left, root, right].map((r) => b.read(r))).toEqual(['n', "D'(L(x),n)", "L'(x,D'(L(x),n))", "R(L'(x,D'(L(x),n)))"]);
  });

  it('writes twice, through different views', () => {
    const b = new Bench();
    const root = b.memory.fresh(b.value('x'));
    const [left, right] = [b.make(root, 'L'), b.make(root, 'R')];
    b.write(left, 'a');
    b.write(right, 'b');
    expect([root, left, right].map((r) => b.read(r))).toEqual(["R'(L'(x,a),b)", "L(R'(L'(x,a),b))", 'b']);
  });

  it('recomputes only what a write made stale', () => {
    const b = new Bench();
    const root = b.memory.fresh(b.value('x'));
    const left = b.make(root, 'L');
    b.write(root, 'y');
    const first = b.memory.read(left, 'test');
    expect([first.name, b.memory.read(left, 'test') === first, root.written]).toEqual(['L(y)', true, true]);
  });

  it('knows what was never written', () => {
    const b = new Bench();
    const root = b.memory.fresh(b.value('x'));
    b.make(root, 'L');
    expect(root.written).toBe(false);
  });

  it('refuses a write through a view without a way back, not one beside it', () => {
    const b = new Bench();
    const root = b.memory.fresh(b.value('x'));
    const odd = b.make(root, 'E', false);
    expect(() => b.write(odd, 'n')).toThrow(/writes in place through a view made by E/);
    b.write(root, 'y');
    expect(b.read(odd)).toBe('E(y)');
  });

  it('refuses to read what may or may not have changed', () => {
    const b = new Bench();
    const root = b.memory.fresh(b.value('x'));
    const copy = b.memory.perhaps(root, b.value('c'));
    const other = b.memory.perhaps(copy, b.value('d'));
    b.write(copy, 'n');
    expect(b.read(copy)).toBe('n');
    for (const r of [root, other]) expect(() => b.read(r, 'add')).toThrow('add reads a tensor that write of n may have changed in place');
    // What was taken from the written one afterwards is certain.
    expect(b.read(b.memory.perhaps(copy, b.value('e')))).toBe('e');
  });

  it('is in doubt also about the writer, once a relative was written too', () => {
    const b = new Bench();
    const root = b.memory.fresh(b.value('x'));
    const [c, d] = [b.memory.perhaps(root, b.value('c')), b.memory.perhaps(root, b.value('d'))];
    b.write(c, 'n');
    expect(() => b.write(d, 'm')).toThrow(/may have changed/);
    const late = b.memory.perhaps(c, b.value('e'));
    b.write(late, 'k');
    expect(() => b.read(c)).toThrow(/write of k may have changed/);
    expect(b.read(late)).toBe('k');
    b.write(late, 'j');
    expect(b.read(late)).toBe('j');
  });

  it('bounds views of views', () => {
    const b = new Bench();
    let ref = b.memory.fresh(b.value('x'));
    expect(() => {
      for (let i = 0; i < 100; i++) ref = b.memory.view(ref, b.view('V'), b.value('v'), 'node "v"');
    }).toThrow('node "v" is a view of a view, 64 deep');
  });
});
