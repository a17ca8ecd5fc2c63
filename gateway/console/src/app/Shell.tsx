import {
  AppstoreOutlined,
  AuditOutlined,
  ClusterOutlined,
  DatabaseOutlined,
  ExperimentOutlined,
  FileImageOutlined,
  GlobalOutlined,
  MoonOutlined,
  ProfileOutlined,
  SettingOutlined,
  SunOutlined,
  TeamOutlined,
  UserOutlined,
} from "@ant-design/icons";
import { Button, Dropdown, Layout, Menu, theme } from "antd";
import { Suspense, useCallback, useEffect, useMemo, useState, type ReactNode } from "react";
import { Link, Outlet, useLocation } from "react-router";
import { ApiError, api, whenSignedOut, type Schemas } from "../api/client";
import { useRetry } from "../api/useRetry";
import { useSpeech } from "../i18n";
import { deferred } from "../ui/deferred";
import { lastPart } from "../ui/format";
import { SessionContext, admits, type Session } from "../api/session";
import { Boundary, Failure, Loading } from "../ui/states";
import { useAppearance } from "../ui/appearance";

// Most of who opens a page is logged in: forms are loaded when there is one to fill in.
const ChangePassword = deferred(() => import("./ChangePassword"));
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
  const ask = useCallback(() => {
    const asked = entering ?? api.get("/v1/whoami");
    entering = undefined;
    asked.then(
      (principal) => {
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
  useRetry(typeof who === "object" && "error" in who ? who.error : undefined, ask);

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
        key={`${principal.name} ${principal.role}`}
        principal={principal}
        onLeft={() => {
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

/** Above everything, dialogs too, which can be neither seen nor used meanwhile. */
function cover(dialog: HTMLDialogElement | null): void {
  if (dialog && !dialog.open) dialog.showModal();
}

function stay(event: { preventDefault: () => void }): void {
  event.preventDefault();
}

function Frame({ principal, onLeft }: { principal: Schemas["Principal"]; onLeft: () => void }): ReactNode {
  const { t } = useSpeech();
  const { token } = theme.useToken();
  const location = useLocation();
  const session = useMemo<Session>(
    () => ({
      principal,
      may: (least) => admits(principal.role, least),
      logOut: async () => {
        await api.delete("/v1/session").catch(() => undefined);
        onLeft();
      },
    }),
    [principal, onLeft],
  );
  const admin = session.may("ROLE_ADMIN");
  const items = [
    { key: "models", icon: <AppstoreOutlined />, to: "/models", label: t.nav.models },
    { key: "tasks", icon: <ProfileOutlined />, to: "/tasks", label: t.nav.tasks },
    { key: "predictions", icon: <ExperimentOutlined />, to: "/predictions", label: t.nav.predictions },
    { key: "datasets", icon: <DatabaseOutlined />, to: "/datasets", label: t.nav.datasets },
    { key: "images", icon: <FileImageOutlined />, to: "/images", label: t.nav.images },
    { key: "master-data", icon: <SettingOutlined />, to: "/master-data", label: t.nav.masterData },
    ...(admin
      ? [
          { key: "users", icon: <TeamOutlined />, to: "/users", label: t.nav.users },
          { key: "audit", icon: <AuditOutlined />, to: "/audit", label: t.nav.audit },
        ]
      : []),
    { key: "system", icon: <ClusterOutlined />, to: "/system", label: t.nav.system },
  ];
  const section = location.pathname.split("/")[1] ?? "";
  const selected = section === "new" ? "models" : section === "reports" ? "tasks" : section;
  return (
    <SessionContext value={session}>
      <a
        className="skip"
        href="#content"
        onClick={(event) => {
          event.preventDefault();
          document.querySelector<HTMLElement>("main")?.focus();
        }}
      >
        {t.nav.skip}
      </a>
      <Layout hasSider className="shell">
        <Layout.Sider theme="light" style={{ background: token.colorBgContainer }} width={208} breakpoint="lg" collapsedWidth={56}>
          <Link to="/models" className="brand" aria-label={t.product}>
            <img src="/icon.svg" alt="" width={24} height={24} />
            <span style={{ color: token.colorText }}>Loupe</span>
          </Link>
          <nav aria-label={t.nav.menu}>
            <Menu
              mode="inline"
              selectedKeys={[selected]}
              items={items.map(({ key, icon, to, label }) => ({ key, icon, label: <Link to={to}>{label}</Link> }))}
            />
          </nav>
        </Layout.Sider>
        <Layout>
          <Top session={session} />
          <Boundary key={location.pathname} words={t.states}>
            <Suspense fallback={<Loading />}>
              <Outlet />
            </Suspense>
          </Boundary>
        </Layout>
      </Layout>
    </SessionContext>
  );
}

function Top({ session }: { session: Session }): ReactNode {
  const { t } = useSpeech();
  const [changing, setChanging] = useState(false);
  return (
    <div className="top">
      <Preferences />
      <Dropdown
        // Not by hovering: a keyboard hovers nowhere.
        trigger={["click"]}
        autoFocus
        menu={{
          items: [
            { key: "role", label: t.roles[session.principal.role], disabled: true },
            { key: "password", label: t.login.changeOwn },
            { key: "out", label: t.login.logOut },
          ],
          onClick: ({ key }) => {
            if (key === "out") void session.logOut();
            if (key === "password") setChanging(true);
          },
        }}
      >
        <Button type="text" icon={<UserOutlined />} title={t.header.account} aria-haspopup="menu">
          {lastPart(session.principal.name)}
        </Button>
      </Dropdown>
      {changing && (
        <Suspense fallback={null}>
          <ChangePassword
            onClose={() => {
              setChanging(false);
            }}
          />
        </Suspense>
      )}
    </div>
  );
}

/** Language and appearance: before the log-in too. */
export function Preferences(): ReactNode {
  const { t, language } = useSpeech();
  const { dark, setDark, setLanguage } = useAppearance();
  return (
    <>
      <Button
        type="text"
        icon={<GlobalOutlined />}
        onClick={() => {
          setLanguage(language === "zh" ? "en" : "zh");
        }}
      >
        {t.header.language}
      </Button>
      <Button
        type="text"
        icon={dark ? <SunOutlined /> : <MoonOutlined />}
        aria-label={dark ? t.header.light : t.header.dark}
        title={dark ? t.header.light : t.header.dark}
        onClick={() => {
          setDark(!dark);
        }}
      />
    </>
  );
}
