// Where the last suggestion came from, as a list whose entries open the file at the line.
import { resolve } from "node:path";
import { Position, Range, Uri, window, workspace } from "vscode";
import type { Explanation, Source } from "../logic/protocol";
import { explanationTitle, sourceItems } from "../logic/reports";
import type { Server } from "../server";

export async function explain(server: Server): Promise<void> {
  const explanation = await server.run<Explanation | null>("rest.explainLast");
  if (explanation === null) {
    void window.showInformationMessage("There has been no suggestion yet.");
    return;
  }
  const items = sourceItems(explanation);
  if (items.length === 0) {
    const text = `The model wrote the last suggestion without help from your files: ${explanation.tokens} tokens.`;
    void window.showInformationMessage(text);
    return;
  }
  const choice = await window.showQuickPick(items, { title: explanationTitle(explanation), matchOnDescription: true });
  if (choice !== undefined) {
    await open(choice.source);
  }
}

async function open(source: Source): Promise<void> {
  const document = await workspace.openTextDocument(uriOf(source));
  // The file may have become shorter since.
  const line = Math.min(source.line, document.lineCount - 1);
  const start = new Position(line, 0);
  await window.showTextDocument(document, { selection: new Range(start, start) });
}

function uriOf(source: Source): Uri {
  if (source.uri) {
    return Uri.parse(source.uri);
  }
  const root = workspace.workspaceFolders?.[0]?.uri.fsPath ?? "";
  return Uri.file(resolve(root, source.path));
}
