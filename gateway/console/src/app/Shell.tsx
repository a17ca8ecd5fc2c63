import { Suspense, useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import { ApiError, RETRY_MS, api, isTransient, whenSignedOut, type Schemas } from "../api/client";
import { queryClient } from "../api/queryClient";
import { useSpeech } from "../i18n";
import { deferred } from "../ui/deferred";
import { Failure, Loading } from "../ui/states";
import { Frame } from "./Frame";

// Most people who open a page are logged in: the form is loaded when it is needed.
const Login = deferred(() => import("./Login"));

// The first request is sent while the page is still being put together.
let firstAnswer: Promise<Schemas["Principal"]> | undefined = api.get("/v1/whoami");
firstAnswer.catch(() => undefined);

interface LoggedIn {
  principal: Schemas["Principal"];
  /** The session has ended. The page stays as it is until the next log-in. */
  ended?: boolean;
}

type LoginState = LoggedIn | { error: ApiError } | "out" | undefined;

function loggedOut(before: LoginState): LoginState {
  return before && typeof before === "object" && "principal" in before ? { ...before, ended: true } : "out";
}

/** The frame of every page for people who are logged in, else the log-in page. */
export function Shell(): ReactNode {
  const { t } = useSpeech();
  const [loginState, setLoginState] = useState<LoginState>();
  /** Whose answers the cache holds. */
  const cachedFor = useRef("");
  const ask = useCallback(() => {
    const answer = firstAnswer ?? api.get("/v1/whoami");
    firstAnswer = undefined;
    answer.then(
      (principal) => {
        const owner = keyOf(principal);
        if (cachedFor.current !== owner) queryClient.clear();
        cachedFor.current = owner;
        setLoginState({ principal });
      },
      (error: unknown) => {
        const failure = ApiError.of(error);
        setLoginState((before) => (failure.status === 401 ? loggedOut(before) : { error: failure }));
      },
    );
  }, []);
  useEffect(() => {
    whenSignedOut(() => {
      setLoginState(loggedOut);
    });
    ask();
  }, [ask]);
  const away = typeof loginState === "object" && "error" in loginState && isTransient(loginState.error);
  useEffect(() => {
    if (!away) return;
    const timer = setInterval(ask, RETRY_MS);
    return () => {
      clearInterval(timer);
    };
  }, [away, ask]);

  if (loginState === undefined) return <Loading />;
  if (loginState === "out") {
    return (
      <Suspense fallback={<Loading />}>
        <Login onEntered={ask} />
      </Suspense>
    );
  }
  if ("error" in loginState) {
    return (
      <div className="pad">
        <Failure error={loginState.error} retry={ask} />
      </div>
    );
  }
  const { principal, ended } = loginState;
  return (
    <>
      <Frame
        // Another person or role starts with fresh pages.
        key={keyOf(principal)}
        principal={principal}
        onLeft={() => {
          queryClient.clear();
          setLoginState("out");
        }}
      />
      {ended && (
        <dialog ref={cover} className="login-again" aria-label={t.states.signedOut} onCancel={stay}>
          <Suspense fallback={<Loading />}>
            <Login hint={t.states.signedOutHint} onEntered={ask} />
          </Suspense>
        </dialog>
      )}
    </>
  );
}

function keyOf({ name, role }: Schemas["Principal"]): string {
  return `${name} ${role}`;
}

/** Opens the dialog above all other content, other dialogs included. */
function cover(dialog: HTMLDialogElement | null): void {
  if (dialog && !dialog.open) dialog.showModal();
}

function stay(event: { preventDefault: () => void }): void {
  event.preventDefault();
}

