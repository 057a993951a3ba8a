// Documents that suggestions are for: files, new ones, and cells of notebooks; not logs, settings or old revisions.
export const DOCUMENTS = [{ scheme: "file" }, { scheme: "untitled" }, { scheme: "vscode-notebook-cell" }];
