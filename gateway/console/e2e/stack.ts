/** The stack that the specs are run against, as `python -m tests.console` announces it. */
function announced(variable: string): string {
  const value = process.env[variable];
  if (!value) throw new Error(`${variable} is not set: \`make test-console\` starts a stack and sets it`);
  return value;
}

export const CONSOLE_URL = announced("CONSOLE_URL");

/** host:port of the object store, where that is another machine than the console's. */
export const STORE = process.env["CONSOLE_STORE"];

/** The one-time password of `USER`; the first log-in replaces it by `NEW_PASSWORD`. */
export const ONE_TIME_PASSWORD = announced("CONSOLE_PASSWORD");
export const USER = "admin";
export const NEW_PASSWORD = "a console to look at";

/** Holds a folder for each language with what a person imports, and the sessions of those who are logged in. */
export const FOLDER = announced("CONSOLE_FOLDER");
