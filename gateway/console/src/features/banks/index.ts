/** What other features show of question banks. */
export { trainingOption } from "./bank";
export { BankRevision } from "./BankRevision";
export { InBanks } from "./InBanks";
