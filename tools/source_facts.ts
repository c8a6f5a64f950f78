/**
 * What the rules need to know of one TypeScript file, read from the syntax tree that Deno gives to
 * lint plugins; so comments and strings cannot fool a rule. Deno offers that tree inside
 * `deno test` only. There are no scopes in it: a name that the file declares anywhere counts as
 * declared everywhere.
 */

export interface Place {
  line: number;
}

/** Everything is in order of appearance. */
export interface SourceFacts {
  path: string;
  /** Number of lines. */
  lines: number;
  opensWithComment: boolean;
  /** Static, type-only, dynamic and re-exporting; a dynamic import of a computed name is "". */
  imports: (Place & { specifier: string })[];
  /**
   * Identifiers used as values (save `x instanceof HERE`), or as the left of a dotted type. `member`
   * is what follows the dot.
   */
  uses: (Place & { offset: number; name: string; member?: string })[];
  /** Names that the file binds: imports, variables, parameters, functions, classes. */
  declared: Set<string>;
  defaultExports: Place[];
  enums: Place[];
  anys: Place[];
  /**
   * Exported functions and classes without a doc comment. The file's opening comment stands for the
   * first: a file is about one noun.
   */
  undocumented: (Place & { name: string })[];
  /** `x.constructor.name` and `new.target.name`: what minifying changes. */
  classNames: Place[];
}

/** The tree is read with the few fields that any node may have. */
interface SyntaxNode {
  type: string;
  range: [number, number];
  parent?: SyntaxNode;
  name?: unknown;
  value?: unknown;
  computed?: boolean;
  operator?: string;
  shorthand?: boolean;
  source?: SyntaxNode | null;
  argument?: SyntaxNode;
  object?: SyntaxNode;
  property?: SyntaxNode;
  left?: SyntaxNode;
  right?: SyntaxNode;
  key?: SyntaxNode;
  body?: SyntaxNode | SyntaxNode[];
  init?: SyntaxNode | null;
  declaration?: SyntaxNode | null;
  exported?: SyntaxNode;
  literal?: SyntaxNode;
  id?: SyntaxNode | null;
}

/** The part of `Deno.lint` that is used; its types are marked unstable, so they are not loaded. */
interface LintApi {
  runPlugin(plugin: object, path: string, source: string): unknown;
}

/** @throws if `source` does not parse. */
export function readFacts(path: string, source: string): SourceFacts {
  const facts: SourceFacts = {
    path,
    lines: source.replace(/\n$/, "").split("\n").length,
    opensWithComment: /^(#!.*\n)?\/[/*]/.test(source),
    imports: [],
    uses: [],
    declared: new Set(),
    defaultExports: [],
    enums: [],
    anys: [],
    undocumented: [],
    classNames: [],
  };
  const documented = new Set<string>();
  const rule = {
    create: () => ({ "*": (node: SyntaxNode) => visit(node, source, facts, documented) }),
  };
  const { lint } = Deno as unknown as { lint: LintApi };
  lint.runPlugin({ name: "facts", rules: { read: rule } }, path, source);
  return facts;
}

function visit(
  node: SyntaxNode,
  source: string,
  facts: SourceFacts,
  documented: Set<string>,
): void {
  const place = { line: lineAt(source, node.range[0]) };
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
    case "ImportExpression":
      facts.imports.push({ ...place, specifier: textOf(node.source) });
      break;
    case "TSImportType":
      facts.imports.push({ ...place, specifier: importTypeOf(source, node) });
      break;
    case "ExportNamedDeclaration":
      if (node.source) facts.imports.push({ ...place, specifier: textOf(node.source) });
      checkDocumented(node, source, facts, documented);
      break;
    case "ExportDefaultDeclaration":
      facts.defaultExports.push(place);
      break;
    case "ExportSpecifier":
      if (node.exported?.name === "default") facts.defaultExports.push(place);
      break;
    case "TSEnumDeclaration":
      facts.enums.push(place);
      break;
    case "TSAnyKeyword":
      facts.anys.push(place);
      break;
    case "MemberExpression":
      if (isClassName(node)) facts.classNames.push(place);
      break;
    case "Identifier":
      visitIdentifier(node, place, facts);
      break;
  }
}

function visitIdentifier(node: SyntaxNode, place: Place, facts: SourceFacts): void {
  const { parent } = node;
  const name = String(node.name);
  // The tree visits a shorthand property twice, as key and as value.
  if (parent?.shorthand && node.range[0] === facts.uses.at(-1)?.offset) return;
  if (parent === undefined) return;
  switch (roleOf(node, parent)) {
    case "binding":
      facts.declared.add(name);
      break;
    case "use": {
      const member = memberOf(node, parent);
      facts.uses.push({
        ...place,
        offset: node.range[0],
        name,
        ...(member === undefined ? {} : { member }),
      });
      break;
    }
    case "neither":
  }
}

/** Parents whose identifiers, save the parts named beside them, bind a name. */
const BINDING_PARENTS: Record<string, readonly (keyof SyntaxNode)[]> = {
  ImportSpecifier: [],
  ImportDefaultSpecifier: [],
  ImportNamespaceSpecifier: [],
  VariableDeclarator: ["init"],
  FunctionDeclaration: ["body"],
  FunctionExpression: ["body"],
  ArrowFunctionExpression: ["body"],
  TSDeclareFunction: [],
  TSFunctionType: [],
  TSMethodSignature: ["key"],
  ObjectPattern: [],
  ArrayPattern: [],
  AssignmentPattern: ["right"],
  RestElement: [],
  CatchClause: ["body"],
  TSParameterProperty: [],
};

/** Parents whose identifiers are names of members, types or labels. */
const NAMING_PARENTS = new Set([
  "TSTypeReference",
  "TSTypeParameter",
  "TSTypeAliasDeclaration",
  "TSInterfaceDeclaration",
  "TSInterfaceHeritage",
  "TSExpressionWithTypeArguments",
  "TSClassImplements",
  "TSPropertySignature",
  "TSIndexSignature",
  "TSNamedTupleMember",
  "TSTypePredicate",
  "TSEnumMember",
  "TSImportType",
  "MetaProperty",
  "LabeledStatement",
  "BreakStatement",
  "ContinueStatement",
  "ExportSpecifier",
]);

function roleOf(node: SyntaxNode, parent: SyntaxNode): "binding" | "use" | "neither" {
  const uses = BINDING_PARENTS[parent.type];
  if (uses !== undefined) {
    const used = uses.find((part) => isSame(node, parent[part]));
    return used === undefined ? "binding" : used === "key" && !parent.computed ? "neither" : "use";
  }
  if (NAMING_PARENTS.has(parent.type)) return "neither";
  switch (parent.type) {
    case "MemberExpression":
      return isSame(node, parent.property) && !parent.computed ? "neither" : "use";
    case "BinaryExpression":
      return parent.operator === "instanceof" && isSame(node, parent.right) ? "neither" : "use";
    case "TSQualifiedName":
      return isSame(node, parent.left) ? "use" : "neither";
    case "ClassDeclaration":
    case "ClassExpression":
      return isSame(node, parent.id) ? "binding" : "use";
    case "Property":
      if (parent.parent?.type === "ObjectPattern") {
        return isSame(node, parent.key) && !parent.shorthand ? "neither" : "binding";
      }
      return isSame(node, parent.key) && !parent.computed && !parent.shorthand ? "neither" : "use";
    case "PropertyDefinition":
    case "MethodDefinition":
    case "TSAbstractMethodDefinition":
    case "TSAbstractPropertyDefinition":
      return isSame(node, parent.key) && !parent.computed ? "neither" : "use";
    default:
      return "use";
  }
}

function memberOf(node: SyntaxNode, parent: SyntaxNode): string | undefined {
  if (parent.type === "TSQualifiedName") return String(parent.right?.name);
  if (parent.type !== "MemberExpression" || !isSame(node, parent.object)) return undefined;
  if (!parent.computed) return String(parent.property?.name);
  return parent.property?.type === "Literal" ? String(parent.property.value) : undefined;
}

function isClassName(node: SyntaxNode): boolean {
  if (node.computed || node.property?.name !== "name") return false;
  const object = node.object;
  if (object?.type === "MetaProperty") return true;
  return object?.type === "MemberExpression" && object.property?.name === "constructor";
}

function checkDocumented(
  node: SyntaxNode,
  source: string,
  facts: SourceFacts,
  documented: Set<string>,
): void {
  const declaration = node.declaration;
  if (
    !declaration ||
    !/^(FunctionDeclaration|TSDeclareFunction|ClassDeclaration)$/.test(declaration.type)
  ) {
    return;
  }
  const name = String(declaration.id?.name);
  const before = source.slice(0, node.range[0]).trimEnd();
  const comment = before.endsWith("*/") ? before.slice(before.lastIndexOf("/*")) : "";
  const isFirst = documented.size === 0;
  // The comment of the first overload counts for all.
  if (comment.startsWith("/**") || (isFirst && facts.opensWithComment)) documented.add(name);
  else if (!documented.has(name)) {
    facts.undocumented.push({ name, line: lineAt(source, node.range[0]) });
  }
}

function importTypeOf(source: string, node: SyntaxNode): string {
  return /import\(\s*["']([^"']*)/.exec(source.slice(...node.range))?.[1] ?? "";
}

function textOf(node: SyntaxNode | null | undefined): string {
  return node?.type === "Literal" && typeof node.value === "string" ? node.value : "";
}

function isSame(node: SyntaxNode, other: unknown): boolean {
  if (typeof other !== "object" || other === null || !("range" in other)) return false;
  const range = (other as SyntaxNode).range;
  return range[0] === node.range[0] && range[1] === node.range[1] &&
    (other as SyntaxNode).type === node.type;
}

function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split("\n").length;
}
