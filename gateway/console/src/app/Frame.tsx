import {
  AppstoreOutlined,
  AuditOutlined,
  ClusterOutlined,
  DatabaseOutlined,
  ExperimentOutlined,
  FileImageOutlined,
  ProfileOutlined,
  ReadOutlined,
  SettingOutlined,
  TeamOutlined,
  UserOutlined,
} from "@ant-design/icons";
import { Button, Dropdown, Layout, Menu, theme } from "antd";
import { Suspense, useMemo, useState, type ReactNode } from "react";
import { Link, Outlet, useLocation } from "react-router";
import { api, type Schemas } from "../api/client";
import { lastPart } from "../api/names";
import { SessionContext, admits, type Session } from "../api/session";
import { useSpeech } from "../i18n";
import { deferred } from "../ui/deferred";
import { Boundary, Loading } from "../ui/states";
import { Preferences } from "./Preferences";

const ChangePassword = deferred(() => import("./ChangePassword"));

export function Frame({ principal, onLeft }: { principal: Schemas["Principal"]; onLeft: () => void }): ReactNode {
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
    { key: "banks", icon: <ReadOutlined />, to: "/banks", label: t.nav.banks },
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
        <Layout.Sider
          theme="light"
          style={{ background: token.colorBgContainer }}
          width={208}
          breakpoint="lg"
          collapsedWidth={56}
        >
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
        // Not by hovering, which is impossible with a keyboard.
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
