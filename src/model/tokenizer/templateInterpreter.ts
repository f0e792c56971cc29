/**
 * Runs a parsed Jinja template within bounds of work, depth and size, so that a hostile template ends in an error instead of
 * a hang, and supplies the functions that chat templates call. It knows no chat.
 */
import { Interpreter, type TemplateEnvironment, type TemplateNode, type TemplateValue } from "./libraries.ts";

/** Nested evaluations. A chain of 100 `elif` nests 200 deep; at 1000 the engine's stack overflows first. */
const MAX_DEPTH = 400;
const MAX_RANGE = 100_000;
/** Units of work of about 0.5 us: one for each evaluation, one for each four characters of its value, ten for each iteration. */
const BASE_WORK = 1_000_000;
const WORK_PER_CONTENT_CHAR = 100;
const WORK_PER_ITERATION = 10;
const BASE_VALUE_CHARS = 1_000_000;

interface CallExpression extends TemplateNode {
  readonly args: readonly TemplateNode[];
  readonly callee: TemplateNode & { readonly object?: TemplateNode; readonly property?: { readonly value?: unknown } };
}

interface ForStatement extends TemplateNode {
  readonly iterable: TemplateNode & { readonly lhs?: TemplateNode };
}

export class BoundedInterpreter extends Interpreter {
  #work: number;
  #depth = 0;
  readonly #sourceChars: number;
  readonly #maxValue: number;
  /** Expressions that loops run over. */
  readonly #iterables = new WeakSet<TemplateNode>();

  /** `sourceChars`: the template's length; `contentChars`: the conversation's, which raises the bounds. */
  constructor(environment: TemplateEnvironment, sourceChars: number, contentChars: number) {
    super(environment);
    this.#sourceChars = sourceChars;
    this.#work = BASE_WORK + WORK_PER_CONTENT_CHAR * contentChars;
    this.#maxValue = BASE_VALUE_CHARS + 4 * contentChars;
  }

  override evaluate(statement: TemplateNode | undefined, environment: TemplateEnvironment): TemplateValue {
    if (++this.#depth > MAX_DEPTH) throw new Error(`it is nested more than ${MAX_DEPTH} deep`);
    try {
      if (statement) this.#before(statement);
      const result = this.#strip(statement, environment) ?? super.evaluate(statement, environment);
      const { value } = result;
      const size =
        typeof value === "string" || Array.isArray(value) ? value.length : value instanceof Map ? value.size : 0;
      if (size > this.#maxValue) throw new Error(`a value of ${size} characters or items`);
      this.#spend(1 + size * (statement && this.#iterables.has(statement) ? WORK_PER_ITERATION : 0.25));
      return result;
    } finally {
      this.#depth--;
    }
  }

  #before(statement: TemplateNode): void {
    if (statement.type === "For") {
      const { iterable } = statement as ForStatement;
      this.#iterables.add(iterable.type === "SelectExpression" && iterable.lhs ? iterable.lhs : iterable);
    }
    // The library walks the whole body of a macro whenever its definition is met.
    if (statement.type === "Macro" || statement.type === "CallStatement") this.#spend(this.#sourceChars / 8);
  }

  /** `text.strip(characters)`: the library takes no argument and strips white space. Qwen3's template has `.lstrip('\\n')`. */
  #strip(statement: TemplateNode | undefined, environment: TemplateEnvironment): TemplateValue | undefined {
    if (statement?.type !== "CallExpression") return undefined;
    const { callee, args } = statement as CallExpression;
    const method = callee.type === "MemberExpression" ? callee.property?.value : undefined;
    if (args.length !== 1 || (method !== "strip" && method !== "lstrip" && method !== "rstrip")) return undefined;
    const text = this.evaluate(callee.object, environment);
    const { value: characters } = this.evaluate(args[0], environment);
    if (typeof text.value !== "string" || typeof characters !== "string") return undefined;
    return new (text.constructor as new (value: string) => TemplateValue)(strip(text.value, characters, method));
  }

  #spend(work: number): void {
    this.#work -= work;
    if (this.#work < 0) throw new Error("it runs too long");
  }
}

function strip(text: string, characters: string, method: "strip" | "lstrip" | "rstrip"): string {
  const chars = [...text];
  const unwanted = new Set(characters);
  let [start, end] = [0, chars.length];
  if (method !== "rstrip") while (start < end && unwanted.has(chars[start]!)) start++;
  if (method !== "lstrip") while (end > start && unwanted.has(chars[end - 1]!)) end--;
  return chars.slice(start, end).join("");
}

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/** The current local time in Python's format, in English. */
function strftimeNow(format: string): string {
  const now = new Date();
  const two = (n: number) => String(n).padStart(2, "0");
  const month = MONTHS[now.getMonth()]!;
  const day = DAYS[now.getDay()]!;
  const fields: Record<string, string> = {
    Y: String(now.getFullYear()),
    y: two(now.getFullYear() % 100),
    m: two(now.getMonth() + 1),
    d: two(now.getDate()),
    H: two(now.getHours()),
    I: two(now.getHours() % 12 || 12),
    p: now.getHours() < 12 ? "AM" : "PM",
    M: two(now.getMinutes()),
    S: two(now.getSeconds()),
    B: month,
    b: month.slice(0, 3),
    A: day,
    a: day.slice(0, 3),
    "%": "%",
  };
  return format.replace(/%(.)/g, (directive, letter: string) => fields[letter] ?? directive);
}

function range(first: number, last?: number, step = 1): number[] {
  const [from, to] = last === undefined ? [0, first] : [first, last];
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (!(count <= MAX_RANGE)) throw new Error(`range of ${count} numbers`);
  return Array.from({ length: count }, (_, i) => from + i * step);
}

/** What transformers defines for chat templates, besides the conversation. */
export const templateGlobals: Readonly<Record<string, unknown>> = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  tools: null,
  documents: null,
  range,
  strftime_now: strftimeNow,
  raise_exception: (message: string) => {
    throw new Error(message);
  },
};
