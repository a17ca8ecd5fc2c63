import { Suspense, useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import { ApiError, RETRY_MS, api, isTransient, whenSignedOut, type Schemas } from "../api/client";
import { queryClient } from "../api/queryClient";
import { useSpeech } from "../i18n";
import { deferred } from "../ui/deferred";
import { Failure, Loading } from "../ui/states";
import { Frame } from "./Frame";

// Most of who opens a page is logged in: forms are loaded when there is one to fill in.
const Login = deferred(() => import("./Login"));

// Asked while the page is still being put together.
let entering: Promise<Schemas["Principal"]> | undefined = api.get("/v1/whoami");
entering.catch(() => undefined);

interface LoggedIn {
  principal: Schemas["Principal"];
  /** The session is over; what was begun in it waits for the next one. */
  ended?: boolean;
}

type Who = LoggedIn | { error: ApiError } | "out" | undefined;

function out(before: Who): Who {
  return before && typeof before === "object" && "principal" in before ? { ...before, ended: true } : "out";
}

/** The frame of every page: who is logged in, the menu, language and appearance. */
export function Shell(): ReactNode {
  const { t } = useSpeech();
  const [who, setWho] = useState<Who>();
  /** Whose answers the cache holds. */
  const cachedFor = useRef("");
  const ask = useCallback(() => {
    const asked = entering ?? api.get("/v1/whoami");
    entering = undefined;
    asked.then(
      (principal) => {
        const owner = keyOf(principal);
        if (cachedFor.current !== owner) queryClient.clear();
        cachedFor.current = owner;
        setWho({ principal });
      },
      (error: unknown) => {
        const told = error instanceof ApiError ? error : new ApiError(0, undefined);
        setWho((before) => (told.status === 401 ? out(before) : { error: told }));
      },
    );
  }, []);
  useEffect(() => {
    whenSignedOut(() => {
      setWho(out);
    });
    ask();
  }, [ask]);
  const away = typeof who === "object" && "error" in who && isTransient(who.error);
  useEffect(() => {
    if (!away) return;
    const timer = setInterval(ask, RETRY_MS);
    return () => {
      clearInterval(timer);
    };
  }, [away, ask]);

  if (who === undefined) return <Loading />;
  if (who === "out") {
    return (
      <Suspense fallback={<Loading />}>
        <Login onEntered={ask} />
      </Suspense>
    );
  }
  if ("error" in who) {
    return (
      <div className="pad">
        <Failure error={who.error} retry={ask} />
      </div>
    );
  }
  const { principal, ended } = who;
  return (
    <>
      <Frame
        // Nobody goes on with what somebody else began.
        key={keyOf(principal)}
        principal={principal}
        onLeft={() => {
          queryClient.clear();
          setWho("out");
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

/** Above everything, dialogs too, which can be neither seen nor used meanwhile. */
function cover(dialog: HTMLDialogElement | null): void {
  if (dialog && !dialog.open) dialog.showModal();
}

function stay(event: { preventDefault: () => void }): void {
  event.preventDefault();
}

