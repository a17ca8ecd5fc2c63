/** An editor for JSON with colours, completion, and faults marked in their lines. Loaded when it is first needed. */
import {
  autocompletion,
  completionKeymap,
  startCompletion,
  type CompletionContext,
  type CompletionResult,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import {
  HighlightStyle,
  bracketMatching,
  ensureSyntaxTree,
  syntaxHighlighting,
  syntaxTree,
} from "@codemirror/language";
import { lintGutter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef, type ReactNode } from "react";
import { jsonFault, type JsonPath, type KnownKey } from "./json";

/** A message about a part of the text. */
export interface EditorDiagnostic {
  path: JsonPath;
  message: string;
  warning: boolean;
}

export interface CodeEditorProps {
  label: string;
  value: string;
  onChange: (text: string) => void;
  readOnly: boolean;
  dark: boolean;
  diagnostics: readonly EditorDiagnostic[];
  /** The sentence about a text that is not JSON. */
  fault: string | undefined;
  known: ReadonlyMap<string, KnownKey>;
}

type Node = ReturnType<typeof syntaxTree>["topNode"];

const LIGHT = HighlightStyle.define([
  { tag: tags.propertyName, color: "#0550ae" },
  { tag: tags.string, color: "#0a3069" },
  { tag: tags.number, color: "#953800" },
  { tag: [tags.bool, tags.null], color: "#8250df" },
]);
const DARK = HighlightStyle.define([
  { tag: tags.propertyName, color: "#79c0ff" },
  { tag: tags.string, color: "#a5d6ff" },
  { tag: tags.number, color: "#ffa657" },
  { tag: [tags.bool, tags.null], color: "#d2a8ff" },
]);

function appearance(dark: boolean) {
  return [
    EditorView.theme(
      {
        "&": { height: "300px", fontSize: "12.5px", backgroundColor: "transparent" },
        "&.cm-focused": { outline: "none" },
        ".cm-scroller": {
          fontFamily: "ui-monospace, Consolas, 'Noto Sans Mono CJK SC', monospace",
          lineHeight: "19px",
        },
        ".cm-content": { caretColor: dark ? "#fff" : "#000" },
        ".cm-gutters": { backgroundColor: "transparent", color: dark ? "#a0a0a0" : "#666", border: "none" },
        ".cm-tooltip": { maxWidth: "460px" },
      },
      { dark },
    ),
    syntaxHighlighting(dark ? DARK : LIGHT),
  ];
}

/** The security policy of the page allows only styles with this nonce. */
const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";

export default function CodeEditor(props: CodeEditorProps): ReactNode {
  const holder = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
  });
  const look = useRef(new Compartment());
  const first = useRef(props);

  useEffect(() => {
    if (!holder.current) return;
    const { label, value, readOnly, dark } = first.current;
    const made = new EditorView({
      parent: holder.current,
      state: EditorState.create({
        doc: value,
        extensions: [
          EditorView.cspNonce.of(nonce),
          lineNumbers(),
          lintGutter(),
          history(),
          bracketMatching(),
          json(),
          autocompletion({ override: [(context) => complete(context, latest.current.known)] }),
          // Tab moves the focus on, so that people who use the keyboard can leave the editor.
          keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap]),
          EditorState.readOnly.of(readOnly),
          EditorView.editable.of(!readOnly),
          EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", tabindex: "0" }),
          look.current.of(appearance(dark)),
          EditorView.updateListener.of((update) => {
            if (!update.docChanged) return;
            const text = update.state.doc.toString();
            if (text !== latest.current.value) latest.current.onChange(text);
          }),
        ],
      }),
    });
    view.current = made;
    return () => {
      made.destroy();
      view.current = null;
    };
  }, []);

  useEffect(() => {
    view.current?.dispatch({ effects: look.current.reconfigure(appearance(props.dark)) });
  }, [props.dark]);
  useEffect(() => {
    const editor = view.current;
    if (editor && editor.state.doc.toString() !== props.value) {
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: props.value } });
    }
  }, [props.value]);
  useEffect(() => {
    const editor = view.current;
    if (editor) editor.dispatch(setDiagnostics(editor.state, lintDiagnostics(editor.state, props)));
  }, [props]);

  return <div ref={holder} className="code" />;
}

function lintDiagnostics(state: EditorState, { diagnostics, fault }: CodeEditorProps): Diagnostic[] {
  const length = state.doc.length;
  const broken = jsonFault(state.doc.toString());
  if (broken && fault) {
    // A missing comma is reported at the token that follows it.
    const from = Math.min(broken.at, Math.max(0, length - 1));
    return [{ from, to: Math.min(length, from + 1), severity: "error", message: fault }];
  }
  return diagnostics.map(({ path, message, warning }) => {
    const place = nodeAt(state, path);
    return {
      from: place?.from ?? 0,
      to: place?.to ?? Math.min(1, length),
      severity: warning ? "warning" : "error",
      message,
    };
  });
}

/** The deepest node on the path that exists: the value itself if it is a scalar, else the name of its property. */
function nodeAt(state: EditorState, path: JsonPath): Node | undefined {
  const tree = ensureSyntaxTree(state, state.doc.length, 200) ?? syntaxTree(state);
  let node: Node | null = tree.topNode.firstChild;
  let shown: Node | undefined;
  for (const [index, part] of path.entries()) {
    if (!node) break;
    if (typeof part === "number") {
      node = children(node)[part] ?? null;
      if (node) shown = node;
      continue;
    }
    const property: Node | undefined = children(node).find(
      (child) => child.name === "Property" && nameOf(state, child) === part,
    );
    if (!property) break;
    const name: Node | null = property.firstChild;
    node = property.lastChild === name ? null : property.lastChild;
    const last = index === path.length - 1;
    shown = (last ? node && !["Object", "Array"].includes(node.name) : false)
      ? (node ?? undefined)
      : (name ?? undefined);
  }
  return shown;
}

function children(node: Node): Node[] {
  const found: Node[] = [];
  for (let child = node.firstChild; child; child = child.nextSibling) if (/^[A-Z]/.test(child.name)) found.push(child);
  return found;
}

function nameOf(state: EditorState, property: Node): string {
  const name = property.firstChild;
  return name ? state.sliceDoc(name.from, name.to).replaceAll('"', "") : "";
}

/** Offers the missing keys of the object at the cursor, or the allowed values of the key at the cursor. */
function complete(context: CompletionContext, known: ReadonlyMap<string, KnownKey>): CompletionResult | null {
  const { state, pos } = context;
  const inner = syntaxTree(state).resolveInner(pos, -1);
  const word = context.matchBefore(/"?[\w-]*"?/);
  if (!context.explicit && (!word || word.from === word.to)) return null;
  const names: string[] = [];
  let object: Node | undefined;
  let value = false;
  for (let node: Node | null = inner; node; node = node.parent) {
    if (node.name === "Property") {
      const name = node.firstChild;
      const before = state.sliceDoc(name?.to ?? node.from, pos);
      if (!object && name && pos > name.to && before.includes(":")) value = true;
      if (object || value) names.unshift(nameOf(state, node));
    }
    if (node.name === "Object" && !object && !value) object = node;
  }
  const at = names.join(".");
  const from = word?.from ?? pos;
  const closing = state.sliceDoc(pos, pos + 1) === '"' ? pos + 1 : pos;
  if (value) {
    const options = known.get(at)?.options;
    return options
      ? { from, to: closing, options: options.map((option) => ({ label: `"${option}"`, type: "enum" })) }
      : null;
  }
  const used = new Set(object ? children(object).map((property) => nameOf(state, property)) : []);
  const typed = state.sliceDoc(from, pos).replaceAll('"', "");
  const options = [...known]
    .filter(([path]) => path.slice(0, Math.max(0, path.lastIndexOf("."))) === at)
    .map(([path, { standard, help }]) => ({ key: path.slice(path.lastIndexOf(".") + 1), standard, help }))
    .filter(({ key }) => !used.has(key) || key === typed)
    .map(({ key, standard, help }) => ({
      label: `"${key}"`,
      type: "property",
      ...(help ? { info: help } : {}),
      apply: (editor: EditorView, _: unknown, start: number, end: number) => {
        const text = `"${key}": ${JSON.stringify(standard)}`;
        editor.dispatch({
          changes: { from: start, to: end, insert: text },
          selection: { anchor: start + text.length },
        });
        if (typeof standard === "string") startCompletion(editor);
      },
    }));
  return options.length ? { from, to: closing, options } : null;
}
