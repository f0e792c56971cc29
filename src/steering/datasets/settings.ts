/**
 * The five prompt settings of the paper (EXPERIMENTS 3.1): which system message and user text an item gets. Knows no template.
 */
import { InputError } from "../../tensor/errors.ts";
import { DEFAULT_SYSTEM } from "../pairs.ts";
import type { PersonaPrompts } from "./paperSets.ts";

export const SETTINGS = ["BASE", "SYS_POS", "SYS_NEG", "USER_POS", "USER_NEG"] as const;
export type Setting = (typeof SETTINGS)[number];

/**
 * The messages of one item. SYS_* replace the default system message by the persona prompt; USER_* put it before the item's
 * prompt with an empty line between. @throws InputError E_OPTION for an unknown setting, or one that needs persona prompts.
 */
export function settingMessages(
  setting: Setting,
  prompt: string,
  persona?: PersonaPrompts,
): { readonly system: string; readonly user: string } {
  if (!SETTINGS.includes(setting))
    throw new InputError("E_OPTION", `setting "${setting}"`, `known settings: ${SETTINGS.join(", ")}`);
  if (setting === "BASE") return { system: DEFAULT_SYSTEM, user: prompt };
  if (persona === undefined)
    throw new InputError("E_OPTION", `setting ${setting} needs persona prompts`, "give them, or use BASE");
  const text = setting.endsWith("POS") ? persona.positive : persona.negative;
  if (setting.startsWith("SYS")) return { system: text, user: prompt };
  return { system: DEFAULT_SYSTEM, user: `${text}\n\n${prompt}` };
}
