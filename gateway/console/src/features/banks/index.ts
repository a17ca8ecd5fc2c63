/** What other features show of question banks. */
export { trainingOption } from "./bank";
export { InBanks } from "./InBanks";
