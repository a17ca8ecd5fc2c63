import { Card, Table, Tag, Typography } from "antd";
import type { ReactNode } from "react";
import { api, type Schemas } from "../../api/client";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { ScrollRegion } from "../../ui/ScrollRegion";
import { Answered, Nothing } from "../../ui/states";

/** 签名密钥: by which keys an inspection machine knows the packages of this installation (X6). */
export function SigningKeys(): ReactNode {
  const { t } = useSpeech();
  const found = useApiQuery(["signingKeys"], (signal) => api.get("/v1/signingKeys", { signal }));
  return (
    <Card size="small" className="span-12" title={t.system.signingKeys}>
      <Answered query={found}>
        {({ keys }) =>
          keys.length === 0 ? (
            <Nothing text={t.system.nothingSigned} />
          ) : (
            <ScrollRegion label={t.system.signingKeys}>
              <Table<Schemas["SigningKey"]>
                size="small"
                rowKey="fingerprint"
                pagination={false}
                dataSource={keys}
                columns={[
                  {
                    title: t.system.fingerprint,
                    render: (_, { fingerprint }) => (
                      <Typography.Text code copyable>
                        {fingerprint}
                      </Typography.Text>
                    ),
                  },
                  {
                    title: t.common.state,
                    render: (_, __, index) => (
                      <Tag color={index === 0 ? "success" : "default"}>
                        {index === 0 ? t.system.signs : t.system.signed}
                      </Tag>
                    ),
                  },
                  {
                    title: t.system.publicKey,
                    render: (_, { publicKey }) => (
                      <Typography.Text copyable={{ text: publicKey }}>PEM</Typography.Text>
                    ),
                  },
                ]}
              />
            </ScrollRegion>
          )
        }
      </Answered>
    </Card>
  );
}
