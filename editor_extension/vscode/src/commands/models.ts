// Choosing the model: what there is, how large it is, whether it fits, and whether it must be fetched.
import { type Disposable, window } from "vscode";
import { change } from "../configuration";
import type { Model } from "../logic/protocol";
import { doubts, modelItems } from "../logic/reports";
import type { Server } from "../server";

let waiting: Disposable | undefined;

/** The model that is loaded works on while another one is fetched, with its progress in the status bar. */
export async function chooseModel(server: Server): Promise<void> {
  const models = await server.run<Model[]>("rest.models");
  const choice = await window.showQuickPick(modelItems(models), { title: "rest_lsp: model", matchOnDescription: true });
  if (choice !== undefined && (await isMeant(choice.model))) {
    await server.run("rest.chooseModel", choice.model.name);
    keepWhenLoaded(server, choice.model.name);
  }
}

async function isMeant(model: Model): Promise<boolean> {
  const detail = doubts(model);
  if (detail === "") {
    return true;
  }
  const button = model.present ? "Use It" : "Fetch It";
  return (await window.showInformationMessage(`Use ${model.name}?`, { modal: true, detail }, button)) === button;
}

/** A model that has been seen to work becomes the setting, and so that of new windows. */
function keepWhenLoaded(server: Server, name: string): void {
  waiting?.dispose();
  waiting = server.onChange(async (phase) => {
    if (phase.kind === "running" && phase.status.model === name) {
      waiting?.dispose();
      await change("model.name", name);
    }
  });
}
